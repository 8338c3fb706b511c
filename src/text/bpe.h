// Byte-pair merging of one piece: repeatedly join the adjacent pair of lowest rank, leftmost
// first, until no adjacent pair has a merge.
//
// Short pieces (nearly all) scan an array of ranks; long ones use a heap of (rank, position) over
// a linked list, O(n log n), so a megabyte without a split is no attack. A heap entry is stale
// when the pair that now starts at its position has another rank; such entries are skipped.
// Source: the BPE model of `tokenizers` (research note H 5.1), whose result this equals.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/token_table.h"
#include "text/vocab_spec.h"

namespace bittern::text {

class Bpe {
 public:
  // Scratch of one encode call, reused from piece to piece. Not shared between threads.
  struct Workspace {
    struct Symbol {
      int32_t id;
      uint32_t previous, next;  // neighbours; kNone at the ends
      uint32_t rank;            // of the pair (this, next); kNoMerge where there is none
    };
    std::vector<Symbol> symbols;
    std::vector<uint64_t> heap;  // rank << 32 | position of the left symbol
    std::vector<int32_t> ids;
    // Of each id and the next one: rank << 32 | the token they join to; kNoPair where there is no
    // merge. So the least is the merge to make, and says what becomes of it.
    std::vector<uint64_t> pairs;
  };

  // `tokens` must outlive this. Throws bad_input where a merge names a token that is not there,
  // or joins to one that is not.
  Bpe(const VocabSpec& spec, const TokenTable& tokens);

  // Appends the tokens of a piece (any bytes, at most 2^31). A byte that the vocabulary has no
  // token for becomes the unknown token, or nothing where there is none.
  void encode_piece(std::string_view piece, Workspace& work, std::vector<int32_t>& out) const;

  // Merges a sequence of token ids (at most 2^31; `work.ids` or outside of `work`) and appends what
  // is left: what vocabularies whose first symbols are not bytes start from.
  void merge(std::span<const int32_t> symbols, Workspace& work, std::vector<int32_t>& out) const;

 private:
  struct Merge {
    uint64_t pair = kEmpty;  // left id << 32 | right id
    uint32_t rank = 0;
    int32_t joined = -1;
  };
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  // Whether merging the bytes of a token gives that token, so that its piece needs no merging.
  enum class Reached : uint8_t { unasked, yes, no };

  void read_merges(const VocabSpec& spec);
  void insert(const Merge& merge);
  uint64_t pair_at(int32_t left, int32_t right) const;
  void merge_short(Workspace& work, std::vector<int32_t>& out) const;
  void merge_long(Workspace& work, std::vector<int32_t>& out) const;
  void merge_pairs(Workspace& work, std::vector<int32_t>& out) const;
  void merge_piece(std::string_view piece, Workspace& work, std::vector<int32_t>& out) const;

  const TokenTable& tokens_;
  bool ignore_merges_;
  int32_t unknown_;
  std::array<int32_t, 256> id_of_byte_;
  std::vector<Merge> merges_;  // open addressing; size a power of two, at most two thirds full
  // pair_at of the tokens of two bytes, by left byte << 8 | right byte: what every piece begins
  // with, in 512 KiB that stay in the cache. Empty where a byte has no token of its own.
  std::vector<uint64_t> byte_pairs_;
  // Answers found so far; any order of writers gives the same values.
  mutable std::vector<std::atomic<Reached>> reached_;
};

}  // namespace bittern::text
