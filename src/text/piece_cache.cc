#include "text/piece_cache.h"

namespace bittern::text {
namespace {

constexpr uint64_t kSequenceOne = uint64_t{1} << 16;
constexpr uint64_t kSequenceMask = ~(kSequenceOne - 1);

}  // namespace

void PieceCache::insert(const Key& key, std::span<const int32_t> ids) {
  if (!key.usable() || ids.size() > kMaxIds) return;
  const size_t slot = static_cast<size_t>(key.hash >> shift_);
  // Of two taken places the one to go is chosen by a bit that the first place turns over.
  const uint64_t first = entries_[slot].words[0].load(std::memory_order_relaxed);
  const uint64_t second = entries_[slot ^ 1].words[0].load(std::memory_order_relaxed);
  const bool take_first =
      (first & ~kSequenceMask) == 0 || ((second & ~kSequenceMask) != 0 && (key.hash & 1) == 0);
  Entry& entry = entries_[take_first ? slot : slot ^ 1];
  uint64_t head = take_first ? first : second;
  if ((head & kSequenceOne) != 0) return;
  if (!entry.words[0].compare_exchange_strong(head, head + kSequenceOne, std::memory_order_acq_rel,
                                              std::memory_order_relaxed)) {
    return;
  }
  for (size_t i = 0; i < 3; ++i) {
    entry.words[1 + i].store(key.words[i], std::memory_order_release);
  }
  for (size_t i = 0; i < ids.size(); i += 2) {
    const uint64_t low = static_cast<uint32_t>(ids[i]);
    const uint64_t high = i + 1 < ids.size() ? static_cast<uint32_t>(ids[i + 1]) : 0;
    entry.words[4 + i / 2].store(high << 32 | low, std::memory_order_release);
  }
  const uint64_t sequence = (head & kSequenceMask) + 2 * kSequenceOne;
  entry.words[0].store(sequence | uint64_t{key.bytes} << 8 | ids.size(), std::memory_order_release);
}

}  // namespace bittern::text
