// Sets of stacks of states to return to, as shared values: a set is a sorted list of (state on top,
// set of what lies below it), and each different set exists once, so sets are equal when their
// numbers are. Like a graph-structured stack (Tomita, 1985), but persistent and canonical: the
// number of readings of an ambiguous text never multiplies, and a whole configuration can be a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace bittern::chat::grammar {

class Stacks {
 public:
  struct Frame {
    int32_t state;  // kBottom: the end of the root rule
    int32_t below;
    bool operator==(const Frame&) const = default;
  };
  static constexpr int32_t kBottom = -1;

  Stacks();
  // The set that holds only the empty stack.
  int32_t bottom() const { return 0; }
  // -1 where that is deeper than kNestingMax.
  int32_t pushed(int32_t state, int32_t below);
  // Throws Error{bad_input} past kUnionWorkMax since the last begin_step().
  int32_t united(int32_t a, int32_t b);
  void begin_step() { work_ = 0; }

  std::span<const Frame> frames(int32_t set) const {
    return {frames_.data() + sets_[set].begin, sets_[set].count};
  }
  size_t bytes() const;

 private:
  struct Set {
    uint32_t begin, count;
    int32_t depth;
  };
  int32_t interned(std::span<const Frame> frames, int32_t depth);

  std::vector<Frame> frames_;
  std::vector<Set> sets_;
  std::unordered_multimap<uint64_t, int32_t> by_hash_;
  std::unordered_map<uint64_t, int32_t> unions_;
  int64_t work_ = 0;
};

}  // namespace bittern::chat::grammar
