// Remembers the token ids of short pieces, so that a word met before costs one hash and one cache
// line. It never changes a result: an entry holds the whole piece, and the ids of a piece are a
// function of the piece.
//
// Two tables of the same form, shared by all threads without a lock: nearly every piece has at most
// 16 bytes and three tokens, and two such entries fit a cache line; the others, up to 64 bytes and
// 21 tokens, lie in a small table of their own. An entry is a row of 64-bit words:
//   head     sequence (odd while a writer is inside) << 16 | bytes of the piece << 8 | ids
//   piece    2 or 8 words, padded with zeros
//   ids      1 or 7 words, three ids of 21 bits each; a piece with a greater id is not kept
// Readers compare the head before and after (a seqlock whose words are atomics: loads acquire and
// stores release, which on x86-64 are plain moves); a writer that finds another one inside goes
// away. A piece may lie in four places, the two entries of its first set or of its second; a
// newcomer takes the one that was written least often.
// Memory: 32 bytes an entry, and half of that for the long ones: 3 MiB with the default size, less
// for small vocabularies.
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
  static constexpr size_t kMaxBytes = 64;  // of a piece that can be kept
  static constexpr size_t kMaxIds = 21;
  static constexpr int32_t kEndOfIds = 1 << 21;
  static constexpr size_t kDefaultEntries = size_t{1} << 16;
  static constexpr size_t kPiecesAtOnce = 64;

  // `entries` of short pieces, rounded up to a power of two, at least 2.
  explicit PieceCache(size_t entries = kDefaultEntries)
      : short_(entries), long_(entries / kShortPerLong) {}

  // Appends the ids of at most kPiecesAtOnce pieces, in order. Of a piece that is not in the cache
  // `encode(piece, out)` appends them, and they are kept. `end`: up to where text may be read from
  // the begin of every piece on, at least the end of each; where it goes on behind a piece, that
  // saves a branch. Places in the cache are asked for before the first of them is needed.
  template <typename Encode>
  void encode(std::span<const std::string_view> pieces, const char* end, std::vector<int32_t>& out,
              const Encode& encode);

  // Appends the ids of the piece and says true; false where the piece is not in the cache.
  bool find(std::string_view piece, std::vector<int32_t>& out) const;

  // Keeps the ids of a piece; too long or too many, or another writer in the same place: does
  // nothing.
  void insert(std::string_view piece, std::span<const int32_t> ids);

 private:
  static constexpr size_t kShortBytes = 16, kShortIds = 3;
  static constexpr size_t kShortPerLong = 8;
  static constexpr size_t kIdsPerWord = 3, kIdBits = 21;

  template <size_t kPieceWords, size_t kIdWords>
  class Table {
   public:
    static constexpr size_t kBytes = 8 * kPieceWords;
    static constexpr size_t kIds = kIdsPerWord * kIdWords;
    // A piece in the form that entries are compared in.
    struct Key {
      std::array<uint64_t, kPieceWords> words;
      uint64_t hash;
      uint64_t bytes;  // 0: too long, or empty
    };

    explicit Table(size_t entries)
        : sets_(std::bit_ceil(entries < 4 ? 4 : entries) / 2),
          shift_(64 - std::countr_zero(sets_.size())) {}

    // `readable`: how many bytes may be read from piece.data() on.
    static Key key_of(std::string_view piece, size_t readable);
    void prefetch(const Key& key) const { __builtin_prefetch(&sets_[first_set(key)]); }
    // Writes kIds ids to `out` and says how many of them count; -1 where the piece is not here.
    // Most pieces are in their first set.
    int find_first(const Key& key, int32_t* out) const {
      return find(sets_[first_set(key)], key, out);
    }
    int find_second(const Key& key, int32_t* out) const {
      return find(sets_[second_set(key)], key, out);
    }
    void insert(const Key& key, std::span<const int32_t> ids);

   private:
    struct Entry {
      std::atomic<uint64_t> head;
      std::array<std::atomic<uint64_t>, kPieceWords> piece;
      std::array<std::atomic<uint64_t>, kIdWords> ids;
    };
    struct alignas(64) Set {
      std::array<Entry, 2> entries{};
    };
    size_t first_set(const Key& key) const { return key.hash >> shift_; }
    size_t second_set(const Key& key) const { return key.hash * 0x9e3779b97f4a7c15u >> shift_; }
    static int find(const Set& set, const Key& key, int32_t* out);
    // 0 where an entry with this head is the piece's and no writer is inside.
    static uint64_t difference(const Entry& entry, uint64_t head, const Key& key);

    std::vector<Set> sets_;
    int shift_;
  };
  using Short = Table<2, 1>;
  using Long = Table<8, 7>;
  static_assert(Short::kBytes == kShortBytes && Short::kIds == kShortIds);
  static_assert(Long::kBytes == kMaxBytes && Long::kIds == kMaxIds);

  // Writes at most kMaxIds ids of a piece that is not in the first set of short ones.
  int find_elsewhere(const Short::Key& key, std::string_view piece, size_t readable,
                     int32_t* out) const;

  Short short_;
  Long long_;
};

template <size_t kPieceWords, size_t kIdWords>
inline auto PieceCache::Table<kPieceWords, kIdWords>::key_of(std::string_view piece,
                                                             size_t readable) -> Key {
  const size_t count = piece.size();
  if (count == 0 || count > kBytes) return {};
  Key key{{}, 0, count};
  if (readable >= kBytes) {
    std::memcpy(key.words.data(), piece.data(), kBytes);
    // The first `count` bytes, least significant first; shifts by 64 are not defined.
    static_assert(std::endian::native == std::endian::little);
    for (size_t i = 0; i < kPieceWords; ++i) {
      const size_t here = count <= 8 * i ? 0 : count - 8 * i;
      key.words[i] &= here == 0 ? 0 : ~uint64_t{0} >> (here >= 8 ? 0 : 64 - 8 * here);
    }
  } else {
    std::memcpy(key.words.data(), piece.data(), count);
  }
  // Multiply and add; the last product moves the differences of all bits to the top.
  uint64_t hash = count * 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i < kPieceWords; i += 2) {
    hash = (hash ^ hash >> 32) + key.words[i] * 0x9e3779b97f4a7c15u +
           key.words[i + 1] * 0xc2b2ae3d27d4eb4fu;
  }
  key.hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
  return key;
}

template <size_t kPieceWords, size_t kIdWords>
inline uint64_t PieceCache::Table<kPieceWords, kIdWords>::difference(const Entry& entry,
                                                                     uint64_t head,
                                                                     const Key& key) {
  uint64_t differs = (head >> 8 & 0x1ff) ^ key.bytes;  // with the lowest bit of the sequence
  for (size_t i = 0; i < kPieceWords; ++i)
    differs |= entry.piece[i].load(std::memory_order_acquire) ^ key.words[i];
  return differs;
}

// Which of the two entries has the piece is anyone's guess, so it does not become a branch.
template <size_t kPieceWords, size_t kIdWords>
inline int PieceCache::Table<kPieceWords, kIdWords>::find(const Set& set, const Key& key,
                                                          int32_t* out) {
  const auto& [first, second] = set.entries;
  const uint64_t first_head = first.head.load(std::memory_order_acquire);
  const uint64_t second_head = second.head.load(std::memory_order_acquire);
  const bool not_first = difference(first, first_head, key) != 0;
  const bool not_second = difference(second, second_head, key) != 0;
  if ((not_first & not_second) || key.bytes == 0) return -1;
  const Entry& entry = not_first ? second : first;
  const uint64_t head = not_first ? second_head : first_head;
  std::array<uint64_t, kIdWords> ids;
  for (size_t i = 0; i < kIdWords; ++i) ids[i] = entry.ids[i].load(std::memory_order_acquire);
  if (entry.head.load(std::memory_order_relaxed) != head) return -1;
  for (size_t i = 0; i < kIds; ++i) {
    const uint64_t id = ids[i / kIdsPerWord] >> (i % kIdsPerWord * kIdBits);
    out[i] = static_cast<int32_t>(id & (kEndOfIds - 1));
  }
  return static_cast<int>(head & 0xff);
}

template <typename Encode>
void PieceCache::encode(std::span<const std::string_view> pieces, const char* end,
                        std::vector<int32_t>& out, const Encode& encode) {
  std::array<Short::Key, kPiecesAtOnce> keys;
  for (size_t i = 0; i < pieces.size(); ++i) {
    keys[i] = Short::key_of(pieces[i], static_cast<size_t>(end - pieces[i].data()));
    short_.prefetch(keys[i]);
  }
  // Room for what entries have, so that finding one does not ask whether there is.
  size_t used = out.size();
  const auto make_room = [&](size_t count) {
    const size_t wanted = used + count * kShortIds + kMaxIds;
    if (out.size() < wanted) out.resize(wanted);
  };
  make_room(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    int count = short_.find_first(keys[i], out.data() + used);
    if (count >= 0) [[likely]] {
      used += static_cast<size_t>(count);
      continue;
    }
    const auto readable = static_cast<size_t>(end - pieces[i].data());
    count = find_elsewhere(keys[i], pieces[i], readable, out.data() + used);
    if (count >= 0) {
      used += static_cast<size_t>(count);
    } else {
      out.resize(used);
      encode(pieces[i], out);
      insert(pieces[i], std::span<const int32_t>(out).subspan(used));
      used = out.size();
    }
    make_room(pieces.size() - i);
  }
  out.resize(used);
}

}  // namespace bittern::text
