// Remembers the token ids of short pieces, so that a word met before costs one hash and one or two
// cache lines. It never changes a result: an entry holds the whole piece, and the ids of a piece
// are a function of the piece.
//
// An entry is one cache line of eight words, shared by all threads without a lock:
//   word 0      sequence (odd while a writer is inside) << 16 | bytes of the piece << 8 | ids
//   words 1-3   the piece, padded with zeros
//   words 4-7   the ids, two a word
// Readers compare the sequence before and after (a seqlock whose words are atomics: loads acquire
// and stores release, which on x86-64 are plain moves); a writer that finds another one inside
// goes away. A piece may lie in its slot or in that slot's neighbour; a newcomer replaces one of
// them. Memory: 64 bytes an entry, 2 MiB with the default size; less for small vocabularies.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace bittern::text {

class PieceCache {
 public:
  static constexpr size_t kMaxBytes = 24;  // of a piece that can be kept
  static constexpr size_t kMaxIds = 8;
  static constexpr size_t kDefaultEntries = size_t{1} << 15;

  // A piece in the form that entries are compared in. Not `usable` where it is too long or empty;
  // then it is never found and not kept.
  struct Key {
    std::array<uint64_t, 3> words;
    uint64_t hash;
    uint8_t bytes;
    bool usable() const { return bytes != 0; }
  };

  // `entries` is rounded up to a power of two, at least 2.
  explicit PieceCache(size_t entries = kDefaultEntries)
      : entries_(std::bit_ceil(entries < 2 ? 2 : entries)),
        shift_(64 - std::countr_zero(entries_.size())) {}

  // `readable`: how many bytes may be read from piece.data() on, at least the piece; a text that
  // goes on behind the piece makes the key without a branch.
  static Key key_of(std::string_view piece, size_t readable);
  static Key key_of(std::string_view piece) { return key_of(piece, piece.size()); }

  // Asks for the place of a piece that is to be looked for soon.
  void prefetch(const Key& key) const { __builtin_prefetch(&entries_[key.hash >> shift_]); }

  // Appends the ids of the piece and says true; false where the piece is not in the cache.
  bool find(const Key& key, std::vector<int32_t>& out) const;

  // Keeps the ids of a piece; too many, or another writer in the same place: does nothing.
  void insert(const Key& key, std::span<const int32_t> ids);

 private:
  struct alignas(64) Entry {
    std::array<std::atomic<uint64_t>, 8> words{};
  };

  static bool append_if_equal(const Entry& entry, const Key& key, std::vector<int32_t>& out);

  std::vector<Entry> entries_;
  int shift_;
};

inline PieceCache::Key PieceCache::key_of(std::string_view piece, size_t readable) {
  if (piece.empty() || piece.size() > kMaxBytes) return {};
  std::array<uint64_t, 3> words;
  const size_t count = piece.size();
  if (readable >= kMaxBytes) {
    std::memcpy(words.data(), piece.data(), kMaxBytes);
    // The first `count` bytes of 24, least significant first; shifts by 64 are not defined.
    const auto mask = [count](size_t from) {
      const size_t here = count <= from ? 0 : count - from;
      return here == 0 ? 0 : ~uint64_t{0} >> (here >= 8 ? 0 : 64 - 8 * here);
    };
    static_assert(std::endian::native == std::endian::little);
    words[0] &= mask(0);
    words[1] &= mask(8);
    words[2] &= mask(16);
  } else {
    words = {};
    std::memcpy(words.data(), piece.data(), count);
  }
  // Multiply and add; the last product moves the differences of all bits to the top.
  uint64_t hash = (words[0] + count) * 0x9e3779b97f4a7c15u + words[1] * 0xc2b2ae3d27d4eb4fu +
                  words[2] * 0x165667b19e3779f9u;
  hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
  return {words, hash, static_cast<uint8_t>(count)};
}

inline bool PieceCache::append_if_equal(const Entry& entry, const Key& key,
                                        std::vector<int32_t>& out) {
  const uint64_t head = entry.words[0].load(std::memory_order_acquire);
  if ((head >> 8 & 0xff) != key.bytes || (head >> 16 & 1) != 0) return false;
  uint64_t differs = 0;
  for (size_t i = 0; i < 3; ++i) {
    differs |= entry.words[1 + i].load(std::memory_order_acquire) ^ key.words[i];
  }
  if (differs != 0) return false;
  const auto id_count = static_cast<size_t>(head & 0xff);
  std::array<uint64_t, 4> ids;
  ids[0] = entry.words[4].load(std::memory_order_acquire);
  for (size_t i = 1; i * 2 < id_count; ++i) {
    ids[i] = entry.words[4 + i].load(std::memory_order_acquire);
  }
  if (entry.words[0].load(std::memory_order_relaxed) != head) return false;
  for (size_t i = 0; i < id_count; ++i) {
    out.push_back(static_cast<int32_t>(ids[i / 2] >> (i % 2 * 32)));
  }
  return true;
}

inline bool PieceCache::find(const Key& key, std::vector<int32_t>& out) const {
  if (!key.usable()) return false;
  const size_t slot = static_cast<size_t>(key.hash >> shift_);
  return append_if_equal(entries_[slot], key, out) || append_if_equal(entries_[slot ^ 1], key, out);
}

}  // namespace bittern::text
