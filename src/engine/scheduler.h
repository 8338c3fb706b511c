// Which rows make the next step. Sequences that decode come first, a row each; what is left of the
// step, as far as decoding neighbours can wait, goes to prompts in chunks. Sequences that wait are
// admitted where their whole prompt has room; where a running one needs a page and there is none,
// the least important other gives up its pages and waits again. What it had computed stays known
// (KvPages) until its room is taken.
//
// Who goes first: higher priority; then the tenant that was served least (Sheng et al., "Fairness
// in Serving Large Language Models", OSDI 2024: a counter of work for each tenant, lifted to the
// least of the active ones when it comes back); then the prompt with the least left. The one that
// came first of all prompts has at least a quarter of each chunk, so that long prompts end.
//
// Holds no tokens and no model: only numbers and pages.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/kv_pages.h"
#include "engine/sequence.h"
#include "engine/step_cost.h"

namespace bittern::engine {

struct SchedulerLimits {
  int64_t max_rows = 512;       // of a step
  int64_t max_logit_rows = 16;  // of those, how many may want logits
  int64_t max_sequences = 16;   // that run at once; at most max_rows and max_logit_rows
};

// Rows of one sequence: its next `rows` tokens that are not computed, guesses behind them.
struct StepWork {
  Sequence* sequence = nullptr;
  int64_t rows = 0;
};

class Scheduler {
 public:
  Scheduler(KvPages& pages, const SchedulerLimits& limits);

  // Called when a sequence is admitted with the pages that are known: may add whole pages of its
  // tokens, taken from KvPages, and raise its length.
  std::function<void(Sequence& sequence)> restore;

  // Waits from now on.
  void add(Sequence& sequence);
  // Runs from now on, with the pages it has; where there is no room for it it waits without them.
  void adopt(Sequence& sequence);
  // Ends: its pages are given back.
  void remove(Sequence& sequence);

  // The next step; empty only where there is nothing to do. Pages for its rows are taken.
  std::span<const StepWork> plan(const StepCost& cost);
  // Lets others find what the sequence has computed in whole pages.
  void publish(Sequence& sequence);

  int64_t waiting_count() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t running_count() const { return static_cast<int64_t>(running_.size()); }
  int64_t preemption_count() const { return preemptions_; }
  // Work done for a tenant, in rows.
  int64_t service(const std::string& tenant) const;

 private:
  struct Tenant {
    int64_t service = 0;
    int64_t active = 0;  // sequences that wait or run
  };
  using Queue = std::vector<Sequence*>;

  Tenant& tenant_of(const Sequence& sequence);
  void leave_tenant(const Sequence& sequence);
  void make_room_by_priority();
  void plan_decoding();
  void plan_prompts(int64_t chunk);
  void plan_last_resort();
  Queue prompt_order();
  bool admit(Sequence& sequence);
  bool reserve(Sequence& sequence, int64_t positions);
  Sequence* victim(const Sequence& sequence, bool lower_priority_only) const;
  void preempt(Sequence& sequence);
  void give_back(Sequence& sequence);
  void schedule(Sequence& sequence, int64_t rows);
  int64_t logit_rows(const Sequence& sequence, int64_t rows) const;

  KvPages& pages_;
  SchedulerLimits limits_;
  Queue waiting_, running_;
  std::map<std::string, Tenant> tenants_;
  std::vector<StepWork> work_;
  int64_t rows_left_ = 0, logit_rows_left_ = 0;
  bool has_preempted_ = false;  // for a page of a decoding sequence, in this step
  int64_t preemptions_ = 0;
};

}  // namespace bittern::engine
