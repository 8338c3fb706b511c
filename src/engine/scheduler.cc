#include "engine/scheduler.h"

#include <algorithm>

#include "backend/backend.h"
#include "base/check.h"

namespace bittern::engine {
namespace {

// Counters of tenants that have nothing to do are kept for so many.
constexpr size_t kTenantsKept = 4096;

int64_t pages_for(int64_t positions) { return model::PagePool::pages_for(positions); }

int32_t priority(const Sequence& sequence) { return sequence.job->request.priority; }

bool comes_before(const Sequence* a, const Sequence* b) {
  if (priority(*a) != priority(*b)) return priority(*a) > priority(*b);
  return a->arrival < b->arrival;
}

std::string_view salt(const Sequence& sequence) { return sequence.job->salt; }

}  // namespace

Scheduler::Scheduler(KvPages& pages, const SchedulerLimits& limits)
    : pages_(pages), limits_(limits) {
  BITTERN_CHECK(limits.max_sequences >= 1 && limits.max_sequences <= limits.max_rows &&
                    limits.max_sequences <= limits.max_logit_rows,
                "{} sequences, {} rows, {} of logits", limits.max_sequences, limits.max_rows,
                limits.max_logit_rows);
}

Scheduler::Tenant& Scheduler::tenant_of(const Sequence& sequence) {
  return tenants_[sequence.job->request.tenant];
}

void Scheduler::add(Sequence& sequence) {
  Tenant& own = tenant_of(sequence);
  if (own.active == 0) {
    int64_t least = -1;
    for (const auto& [name, tenant] : tenants_)
      if (tenant.active > 0 && (least < 0 || tenant.service < least)) least = tenant.service;
    own.service = std::max(own.service, least);
  }
  ++own.active;
  sequence.is_running = false;
  waiting_.push_back(&sequence);
}

void Scheduler::adopt(Sequence& sequence) {
  add(sequence);
  if (running_count() >= limits_.max_sequences) return give_back(sequence);
  waiting_.pop_back();
  sequence.is_running = true;
  running_.push_back(&sequence);
}

void Scheduler::remove(Sequence& sequence) {
  std::erase(sequence.is_running ? running_ : waiting_, &sequence);
  std::erase_if(work_, [&](const StepWork& work) { return work.sequence == &sequence; });
  give_back(sequence);
  leave_tenant(sequence);
}

void Scheduler::leave_tenant(const Sequence& sequence) {
  --tenant_of(sequence).active;
  if (tenants_.size() <= kTenantsKept) return;
  std::erase_if(tenants_, [](const auto& entry) { return entry.second.active == 0; });
}

int64_t Scheduler::service(const std::string& tenant) const {
  const auto found = tenants_.find(tenant);
  return found == tenants_.end() ? 0 : found->second.service;
}

std::span<const StepWork> Scheduler::plan(const StepCost& cost) {
  for (const StepWork& work : work_) work.sequence->is_planned = false;
  work_.clear();
  rows_left_ = limits_.max_rows;
  logit_rows_left_ = limits_.max_logit_rows;
  has_preempted_ = false;
  std::ranges::sort(running_, comes_before);
  make_room_by_priority();
  plan_decoding();
  const int64_t decode_rows = limits_.max_rows - rows_left_;
  plan_prompts(cost.prompt_rows(decode_rows, rows_left_));
  plan_last_resort();
  return work_;
}

// The most important prompt does not wait for what is less important than it.
void Scheduler::make_room_by_priority() {
  if (waiting_.empty()) return;
  const Sequence& first = **std::ranges::min_element(waiting_, comes_before);
  const int64_t wanted = pages_for(static_cast<int64_t>(first.tokens.size()) + 1);
  const auto has_room = [&] {
    return running_count() < limits_.max_sequences &&
           pages_.available() >= wanted + running_count();
  };
  while (!has_room()) {
    Sequence* other = victim(first, true);
    if (other == nullptr) return;
    preempt(*other);
  }
}

void Scheduler::plan_decoding() {
  Queue order;  // preempting changes running_
  for (Sequence* sequence : running_)
    if (sequence->pending() == 1) order.push_back(sequence);
  auto others = static_cast<int64_t>(order.size());
  for (Sequence* sequence : order) {
    --others;
    if (!sequence->is_running) continue;
    const int64_t room = std::min(rows_left_, logit_rows_left_) - others;
    auto guesses = std::min(static_cast<int64_t>(sequence->draft.size()), room - 1);
    if (!reserve(*sequence, sequence->state.length + 1 + guesses)) guesses = 0;
    while (!reserve(*sequence, sequence->state.length + 1)) {
      Sequence* other = victim(*sequence, false);
      has_preempted_ = true;
      preempt(other == nullptr ? *sequence : *other);
      if (other == nullptr) break;
    }
    if (!sequence->is_running) continue;
    sequence->draft.resize(static_cast<size_t>(guesses));
    schedule(*sequence, 1 + guesses);
  }
}

Scheduler::Queue Scheduler::prompt_order() {
  Queue order;
  for (Sequence* sequence : running_)
    if (!sequence->is_planned && sequence->pending() > 1) order.push_back(sequence);
  // After a preemption nobody comes in: the room is for those that run.
  if (!has_preempted_) order.insert(order.end(), waiting_.begin(), waiting_.end());
  std::ranges::sort(order, [&](const Sequence* a, const Sequence* b) {
    if (priority(*a) != priority(*b)) return priority(*a) > priority(*b);
    const int64_t service_a = tenant_of(*a).service, service_b = tenant_of(*b).service;
    if (service_a != service_b) return service_a < service_b;
    if (a->pending() != b->pending()) return a->pending() < b->pending();
    return a->arrival < b->arrival;
  });
  return order;
}

void Scheduler::plan_prompts(int64_t chunk) {
  const Queue order = prompt_order();
  if (order.empty()) return;
  Sequence* oldest = *std::ranges::min_element(order, comes_before);
  int64_t kept = chunk / 4;  // for the oldest
  bool admits = true;
  for (Sequence* sequence : order) {
    if (sequence == oldest) kept = 0;
    const int64_t room = chunk - kept;
    if (room <= 0) continue;
    if (!sequence->is_running) {
      admits = admits && admit(*sequence);
      if (!admits) continue;  // who comes later does not overtake
    }
    int64_t rows = std::min({sequence->pending(), room, rows_left_});
    while (rows > 0 && logit_rows(*sequence, rows) > logit_rows_left_) --rows;
    if (rows > 0 && !reserve(*sequence, sequence->state.length + rows)) {
      const auto held = static_cast<int64_t>(sequence->state.pages.size());
      rows = (held + pages_.available()) * backend::kPageTokens - sequence->state.length;
      if (rows > 0) reserve(*sequence, sequence->state.length + rows);
    }
    if (rows <= 0) continue;
    schedule(*sequence, rows);
    chunk -= rows;
  }
}

// Everybody holds pages and nobody has enough: the most important one gets them.
void Scheduler::plan_last_resort() {
  if (!work_.empty() || running_.empty()) return;
  Sequence& first = *running_.front();
  while (!reserve(first, first.state.length + 1)) {
    Sequence* other = victim(first, false);
    BITTERN_CHECK(other != nullptr, "{} pages are too few for one sequence", pages_.page_count());
    preempt(*other);
  }
  schedule(first, 1);
}

bool Scheduler::admit(Sequence& sequence) {
  if (running_count() >= limits_.max_sequences) return false;
  const std::span<const int32_t> tokens = sequence.tokens;
  model::SequenceState& state = sequence.state;
  if (sequence.job->request.reuse_prefix && !sequence.job->wants_prompt_logits())
    state.pages = pages_.find(salt(sequence), tokens.first(tokens.size() - 1));
  const auto known = static_cast<int64_t>(state.pages.size());
  const int64_t missing = pages_for(static_cast<int64_t>(tokens.size()) + 1) - known;
  if (running_count() > 0 && missing + running_count() > pages_.available()) {
    give_back(sequence);
    return false;
  }
  state.length = known * backend::kPageTokens;
  sequence.published = known;
  if (restore && sequence.job->request.reuse_prefix && !sequence.job->wants_prompt_logits()) {
    restore(sequence);
    publish(sequence);
  }
  if (sequence.job->is_queued) sequence.job->cached_tokens = state.length;
  std::erase(waiting_, &sequence);
  running_.push_back(&sequence);
  sequence.is_running = true;
  return true;
}

bool Scheduler::reserve(Sequence& sequence, int64_t positions) {
  std::vector<int32_t>& held = sequence.state.pages;
  const int64_t missing = pages_for(positions) - static_cast<int64_t>(held.size());
  if (missing > pages_.available()) return false;
  for (int64_t taken = 0; taken < missing; ++taken) held.push_back(pages_.take());
  return true;
}

// Of those that run, come after `sequence` and are not in the step: the one of the lowest priority,
// of those the one that loses the least. Null where there is none.
Sequence* Scheduler::victim(const Sequence& sequence, bool lower_priority_only) const {
  Sequence* chosen = nullptr;
  for (Sequence* other : running_) {
    if (other->is_planned || other == &sequence || !comes_before(&sequence, other)) continue;
    if (lower_priority_only && priority(*other) == priority(sequence)) continue;
    const bool is_better =
        chosen == nullptr || priority(*other) < priority(*chosen) ||
        (priority(*other) == priority(*chosen) && other->state.length <= chosen->state.length);
    if (is_better) chosen = other;
  }
  return chosen;
}

void Scheduler::preempt(Sequence& sequence) {
  std::erase(running_, &sequence);
  give_back(sequence);
  sequence.is_running = false;
  sequence.draft.clear();
  waiting_.push_back(&sequence);
  ++preemptions_;
}

void Scheduler::give_back(Sequence& sequence) {
  std::vector<int32_t>& held = sequence.state.pages;
  while (!held.empty()) {
    pages_.drop(held.back());
    held.pop_back();
  }
  sequence.state.length = 0;
  sequence.published = 0;
}

void Scheduler::schedule(Sequence& sequence, int64_t rows) {
  sequence.is_planned = true;
  work_.push_back({&sequence, rows});
  rows_left_ -= rows;
  logit_rows_left_ -= logit_rows(sequence, rows);
  tenant_of(sequence).service += rows;
}

int64_t Scheduler::logit_rows(const Sequence& sequence, int64_t rows) const {
  const int64_t pending = sequence.pending();
  if (!sequence.job->wants_prompt_logits()) return std::max<int64_t>(0, rows - pending + 1);
  return rows;  // at most
}

void Scheduler::publish(Sequence& sequence) {
  if (!sequence.job->request.reuse_prefix) return;
  model::SequenceState& state = sequence.state;
  const int64_t whole = state.length / backend::kPageTokens;
  for (; sequence.published < whole; ++sequence.published) {
    const auto count = static_cast<size_t>(sequence.published + 1);
    state.pages[count - 1] =
        pages_.publish(salt(sequence), std::span(state.pages).first(count),
                       std::span(sequence.tokens).first(count * backend::kPageTokens));
  }
}

}  // namespace bittern::engine
