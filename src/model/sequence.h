// What a sequence keeps between steps, and the pool of pages it draws from. Pages are numbers:
// the KvStore owns the bytes, the pool who may use them.
#pragma once

#include <cstdint>
#include <vector>

namespace bittern::model {

struct SequenceState {
  std::vector<int32_t> pages;  // page ids; position / kPageTokens indexes them
  int64_t length = 0;          // positions stored so far
};

// A free list over the pages of one KvStore. Hands out the lowest free page first, so that a run
// repeats.
class PagePool {
 public:
  explicit PagePool(int64_t page_count);

  int64_t page_count() const { return page_count_; }
  int64_t free_count() const { return static_cast<int64_t>(free_.size()); }

  // Pages that `positions` positions need.
  static int64_t pages_for(int64_t positions);

  // Gives the sequence pages for its first `positions` positions; it keeps what it has. False,
  // and nothing taken, where the pool has too few.
  bool reserve(SequenceState& sequence, int64_t positions);
  // Takes all pages back and empties the sequence.
  void release(SequenceState& sequence);
  // Forgets the positions from `length` on and takes back the pages they alone needed.
  void truncate(SequenceState& sequence, int64_t length);

 private:
  void take_back(SequenceState& sequence, int64_t kept_pages);

  int64_t page_count_ = 0;
  std::vector<int32_t> free_;  // a heap, the lowest id on top
};

}  // namespace bittern::model
