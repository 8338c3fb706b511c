#include "text/piece_cache.h"

#include <algorithm>

namespace bittern::text {
namespace {

constexpr uint64_t kSequenceOne = uint64_t{1} << 16;
constexpr uint64_t kSequenceMask = ~(kSequenceOne - 1);

}  // namespace

template <size_t kPieceWords, size_t kIdWords>
void PieceCache::Table<kPieceWords, kIdWords>::insert(const Key& key,
                                                      std::span<const int32_t> ids) {
  Entry* entry = nullptr;
  uint64_t head = ~uint64_t{0};
  for (const size_t set : {first_set(key), second_set(key)}) {
    for (Entry& other : sets_[set].entries) {
      const uint64_t its = other.head.load(std::memory_order_relaxed);
      if (entry != nullptr && (its & kSequenceMask) >= (head & kSequenceMask)) continue;
      entry = &other;
      head = its;
    }
  }
  if ((head & kSequenceOne) != 0) return;
  if (!entry->head.compare_exchange_strong(head, head + kSequenceOne, std::memory_order_acq_rel,
                                           std::memory_order_relaxed)) {
    return;
  }
  for (size_t i = 0; i < kPieceWords; ++i)
    entry->piece[i].store(key.words[i], std::memory_order_release);
  for (size_t i = 0; i < kIdWords; ++i) {
    uint64_t word = 0;
    for (size_t j = std::min(ids.size(), (i + 1) * kIdsPerWord); j-- > i * kIdsPerWord;)
      word = word << kIdBits | static_cast<uint64_t>(ids[j]);
    entry->ids[i].store(word, std::memory_order_release);
  }
  const uint64_t sequence = (head & kSequenceMask) + 2 * kSequenceOne;
  entry->head.store(sequence | key.bytes << 8 | ids.size(), std::memory_order_release);
}

bool PieceCache::find(std::string_view piece, std::vector<int32_t>& out) const {
  std::array<int32_t, kMaxIds> ids;
  const auto key = Short::key_of(piece, piece.size());
  int count = short_.find_first(key, ids.data());
  if (count < 0) count = find_elsewhere(key, piece, piece.size(), ids.data());
  if (count < 0) return false;
  out.insert(out.end(), ids.begin(), ids.begin() + count);
  return true;
}

int PieceCache::find_elsewhere(const Short::Key& key, std::string_view piece, size_t readable,
                               int32_t* out) const {
  int count = short_.find_second(key, out);
  if (count >= 0) return count;
  const auto long_key = Long::key_of(piece, readable);
  count = long_.find_first(long_key, out);
  return count >= 0 ? count : long_.find_second(long_key, out);
}

void PieceCache::insert(std::string_view piece, std::span<const int32_t> ids) {
  if (piece.empty() || piece.size() > kMaxBytes || ids.size() > kMaxIds) return;
  if (std::ranges::any_of(ids, [](int32_t id) { return id < 0 || id >= kEndOfIds; })) return;
  if (piece.size() <= kShortBytes && ids.size() <= kShortIds) {
    short_.insert(Short::key_of(piece, piece.size()), ids);
  } else {
    long_.insert(Long::key_of(piece, piece.size()), ids);
  }
}

}  // namespace bittern::text
