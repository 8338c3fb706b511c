#include "chat/grammar/stacks.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "chat/grammar/limits.h"

namespace bittern::chat::grammar {
namespace {

uint64_t hash_of(std::span<const Stacks::Frame> frames) {
  uint64_t hash = 1469598103934665603u;
  for (const Stacks::Frame& frame : frames) {
    const uint64_t word =
        uint64_t{static_cast<uint32_t>(frame.state)} << 32 | static_cast<uint32_t>(frame.below);
    hash = (hash ^ word) * 1099511628211u;
    hash ^= hash >> 31;
  }
  return hash;
}

}  // namespace

Stacks::Stacks() {
  const Frame empty{kBottom, 0};
  interned({&empty, 1}, 0);
}

int32_t Stacks::interned(std::span<const Frame> frames, int32_t depth) {
  const uint64_t hash = hash_of(frames);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (std::ranges::equal(this->frames(it->second), frames)) return it->second;
  const auto number = static_cast<int32_t>(sets_.size());
  sets_.push_back(
      {static_cast<uint32_t>(frames_.size()), static_cast<uint32_t>(frames.size()), depth});
  frames_.insert(frames_.end(), frames.begin(), frames.end());
  by_hash_.emplace(hash, number);
  return number;
}

int32_t Stacks::pushed(int32_t state, int32_t below) {
  const int32_t depth = sets_[below].depth + 1;
  if (depth > kNestingMax) return -1;
  const Frame frame{state, below};
  return interned({&frame, 1}, depth);
}

int32_t Stacks::united(int32_t a, int32_t b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  const uint64_t key = uint64_t{static_cast<uint32_t>(a)} << 32 | static_cast<uint32_t>(b);
  const auto known = unions_.find(key);
  if (known != unions_.end()) return known->second;
  if (++work_ > kUnionWorkMax)
    bad_input("grammar: too ambiguous: more than {} unions of readings for one byte, the limit",
              kUnionWorkMax);
  std::vector<Frame> merged;
  // By index: united() below may move the frames.
  for (size_t i = 0, j = 0; i < frames(a).size() || j < frames(b).size();) {
    const bool left = i < frames(a).size(), right = j < frames(b).size();
    if (left && right && frames(a)[i].state == frames(b)[j].state) {
      const Frame x = frames(a)[i++], y = frames(b)[j++];
      merged.push_back({x.state, x.state == kBottom ? 0 : united(x.below, y.below)});
    } else if (!right || (left && frames(a)[i].state < frames(b)[j].state)) {
      merged.push_back(frames(a)[i++]);
    } else {
      merged.push_back(frames(b)[j++]);
    }
  }
  const int32_t result = interned(merged, std::max(sets_[a].depth, sets_[b].depth));
  unions_.emplace(key, result);
  return result;
}

size_t Stacks::bytes() const {
  return frames_.capacity() * sizeof(Frame) + sets_.capacity() * sizeof(Set) +
         by_hash_.size() * 40 + unions_.size() * 40;
}

}  // namespace bittern::chat::grammar
