#include "chat/grammar/configurations.h"

#include <algorithm>
#include <utility>

namespace bittern::chat::grammar {

Configurations::Configurations(std::shared_ptr<const Program> program)
    : program_(std::move(program)), slot_(program_->states.size(), -1) {}

ConfigurationId Configurations::start() {
  begin();
  add(program_->start, stacks_.bottom());
  return closed();
}

ConfigurationId Configurations::step(ConfigurationId from, uint8_t byte) {
  const uint64_t key = uint64_t{static_cast<uint32_t>(from)} << 8 | byte;
  const auto known = steps_.find(key);
  if (known != steps_.end()) return known->second;
  begin();
  for (const Thread& thread : items_[from].threads) {
    const int32_t target = program_->states[thread.state].next(byte);
    if (target >= 0) add(target, thread.stack);
  }
  const ConfigurationId to = closed();
  steps_.emplace(key, to);
  return to;
}

ConfigurationId Configurations::leaving(int32_t state, int32_t stack) {
  const uint64_t key = uint64_t{static_cast<uint32_t>(state)} << 32 | static_cast<uint32_t>(stack);
  const auto known = leavings_.find(key);
  if (known != leavings_.end()) return known->second;
  begin();
  leave(state, stack);
  const ConfigurationId to = closed();
  leavings_.emplace(key, to);
  return to;
}

ConfigurationId Configurations::of(std::span<const Thread> threads) {
  begin();
  for (const Thread& thread : threads) add(thread.state, thread.stack);
  return closed();
}

// Also tidies up after a closure that ended in an error.
void Configurations::begin() {
  for (const Thread& thread : pending_) slot_[thread.state] = -1;
  pending_.clear();
  queue_.clear();
  accepting_ = false;
  stacks_.begin_step();
}

void Configurations::add(int32_t state, int32_t stack) {
  int32_t& slot = slot_[state];
  if (slot < 0) {
    slot = static_cast<int32_t>(pending_.size());
    pending_.push_back({state, stack});
    queue_.push_back(slot);
    return;
  }
  const int32_t united = stacks_.united(pending_[slot].stack, stack);
  if (united == pending_[slot].stack) return;
  pending_[slot].stack = united;
  queue_.push_back(slot);
}

void Configurations::leave(int32_t state, int32_t stack) {
  const State& from = program_->states[state];
  for (const CallEdge& call : from.calls) {
    const int32_t below = call.target == kTailCall ? stack : stacks_.pushed(call.target, stack);
    if (below >= 0) add(program_->rule_start[call.rule], below);
  }
  if (!from.accept) return;
  // By index: a return may add stacks and so move the frames.
  for (size_t at = 0; at < stacks_.frames(stack).size(); ++at) {
    const Stacks::Frame frame = stacks_.frames(stack)[at];
    if (frame.state == Stacks::kBottom) {
      accepting_ = true;
    } else {
      add(frame.state, frame.below);
    }
  }
}

// Ends: stacks only grow while it runs, and without left recursion they cannot grow for ever.
ConfigurationId Configurations::closed() {
  while (!queue_.empty()) {
    const Thread thread = pending_[queue_.back()];
    queue_.pop_back();
    leave(thread.state, thread.stack);
  }
  Item item;
  item.accepting = std::exchange(accepting_, false);
  for (const Thread& thread : pending_) {
    slot_[thread.state] = -1;
    if (!program_->states[thread.state].bytes.empty()) item.threads.push_back(thread);
  }
  pending_.clear();
  if (item.threads.empty() && !item.accepting) return kDead;
  std::ranges::sort(item.threads, {}, &Thread::state);
  uint64_t hash = item.accepting ? 77 : 78;
  for (const Thread& thread : item.threads) {
    hash ^=
        uint64_t{static_cast<uint32_t>(thread.state)} << 32 | static_cast<uint32_t>(thread.stack);
    hash *= 1099511628211u;
    hash ^= hash >> 29;
  }
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    const Item& other = items_[it->second];
    if (other.accepting == item.accepting && other.threads == item.threads) return it->second;
  }
  const auto number = static_cast<ConfigurationId>(items_.size());
  bytes_ += sizeof(Item) + item.threads.size() * sizeof(Thread) + 48;
  items_.push_back(std::move(item));
  by_hash_.emplace(hash, number);
  return number;
}

std::optional<uint8_t> Configurations::forced(ConfigurationId id) const {
  if (items_[id].accepting) return std::nullopt;
  std::optional<uint8_t> only;
  for (const Thread& thread : items_[id].threads) {
    for (const ByteEdge& edge : program_->states[thread.state].bytes) {
      if (edge.first != edge.last || (only && *only != edge.first)) return std::nullopt;
      only = edge.first;
    }
  }
  return only;
}

}  // namespace bittern::chat::grammar
