// The time limit of a compilation, counted in steps rather than seconds so that the answer to a
// grammar never depends on the machine. A WorkBudget on the stack of the compiling thread is what
// spend_work() draws from; without one, work is free (tests of single parts).
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::chat::grammar {

class WorkBudget {
 public:
  explicit WorkBudget(int64_t steps);
  ~WorkBudget();
  WorkBudget(const WorkBudget&) = delete;
  WorkBudget& operator=(const WorkBudget&) = delete;

 private:
  friend void spend_work(int64_t steps);
  int64_t left_;
  WorkBudget* outer_;
};

// Throws Error{bad_input} naming the limit when the budget of this thread is spent.
void spend_work(int64_t steps);
// Throws Error{bad_input} past kAutomatonStatesMax.
void check_states(size_t count);

}  // namespace bittern::chat::grammar
