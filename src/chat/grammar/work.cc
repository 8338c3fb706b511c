#include "chat/grammar/work.h"

#include "base/error.h"
#include "chat/grammar/limits.h"

namespace bittern::chat::grammar {
namespace {

thread_local WorkBudget* current = nullptr;

}  // namespace

WorkBudget::WorkBudget(int64_t steps) : left_(steps), outer_(current) { current = this; }
WorkBudget::~WorkBudget() { current = outer_; }

void spend_work(int64_t steps) {
  if (current == nullptr) return;
  current->left_ -= steps;
  if (current->left_ < 0)
    bad_input("grammar: compiling takes more than {} steps, the limit", kCompileWorkMax);
}

void check_states(size_t count) {
  if (static_cast<int64_t>(count) > kAutomatonStatesMax)
    bad_input("grammar: one part needs more than {} automaton states, the limit",
              kAutomatonStatesMax);
}

}  // namespace bittern::chat::grammar
