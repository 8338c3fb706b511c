// The free list is a binary heap of page ids: reserve and release cost O(log pages) and the order
// of ids never depends on addresses.
#include "model/sequence.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "backend/backend.h"
#include "base/check.h"

namespace bittern::model {

PagePool::PagePool(int64_t page_count)
    : page_count_(page_count), free_(static_cast<size_t>(page_count)) {
  std::iota(free_.begin(), free_.end(), 0);  // ascending is already a heap by std::greater
}

int64_t PagePool::pages_for(int64_t positions) {
  return (positions + backend::kPageTokens - 1) / backend::kPageTokens;
}

bool PagePool::reserve(SequenceState& sequence, int64_t positions) {
  const int64_t missing = pages_for(positions) - static_cast<int64_t>(sequence.pages.size());
  if (missing > free_count()) return false;
  for (int64_t taken = 0; taken < missing; ++taken) {
    std::pop_heap(free_.begin(), free_.end(), std::greater<>());
    sequence.pages.push_back(free_.back());
    free_.pop_back();
  }
  return true;
}

void PagePool::release(SequenceState& sequence) {
  take_back(sequence, 0);
  sequence.length = 0;
}

void PagePool::truncate(SequenceState& sequence, int64_t length) {
  take_back(sequence, std::min(pages_for(length), static_cast<int64_t>(sequence.pages.size())));
  sequence.length = std::min(sequence.length, length);
}

void PagePool::take_back(SequenceState& sequence, int64_t kept_pages) {
  while (static_cast<int64_t>(sequence.pages.size()) > kept_pages) {
    free_.push_back(sequence.pages.back());
    std::push_heap(free_.begin(), free_.end(), std::greater<>());
    sequence.pages.pop_back();
  }
  BITTERN_CHECK(free_count() <= page_count_, "{} of {} pages free", free_count(), page_count_);
}

}  // namespace bittern::model
