#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/vocab_index.h"

namespace bittern::text {
namespace {

constexpr uint32_t kNoMerge = ~uint32_t{0};
constexpr uint64_t kNoPair = ~uint64_t{0};
constexpr uint32_t kNone = ~uint32_t{0};
constexpr size_t kShortPiece = 32;  // symbols; above, the heap wins
// Reading merges waits for memory: as many as this are asked for before the first is needed.
constexpr size_t kMergesAtOnce = 32;

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t slot_of(uint64_t pair, size_t mask) {
  // Fibonacci hashing: the high bits of the product are mixed best.
  return static_cast<size_t>((pair * 0x9e3779b97f4a7c15u) >> 20) & mask;
}

uint32_t rank_of(uint64_t pair) { return static_cast<uint32_t>(pair >> 32); }
int32_t joined_of(uint64_t pair) { return static_cast<int32_t>(static_cast<uint32_t>(pair)); }

// The ids of merges' tokens by text. Files list merges in the order of the tokens they make, so
// that token is nearly always the one made last or the next, which is quicker to see than to find.
class MergeTokens {
 public:
  explicit MergeTokens(const VocabSpec& spec)
      : spec_(spec), index_(spec, [](TokenKind) { return true; }) {}

  // -1: none. An empty text is no token.
  int32_t find(std::string_view token) const { return token.empty() ? -1 : index_.find(token); }

  // Of the left and right token of merges [first, first + ids.size() / 2): two ids each.
  void find_parts(size_t first, std::span<int32_t> ids) {
    hashes_.resize(ids.size());
    const auto part = [&](size_t i) -> std::string_view {
      const auto& merge = spec_.merges[first + i / 2];
      return i % 2 == 0 ? merge.first : merge.second;
    };
    for (size_t i = 0; i < ids.size(); ++i) index_.touch(hashes_[i] = VocabIndex::hash_of(part(i)));
    for (const uint32_t hash : hashes_) index_.touch_text(hash);
    for (size_t i = 0; i < ids.size(); ++i) {
      ids[i] = part(i).empty() ? -1 : index_.find(part(i), hashes_[i]);
      if (ids[i] < 0) refuse(first + i / 2, part(i));
    }
  }

  int32_t find_joined(size_t rank, std::string_view left, std::string_view right) {
    for (int guess = 0; guess < 2 && index_.all_differ(); ++guess) {
      if (is_joined(static_cast<size_t>(last_ + guess), left, right)) return last_ += guess;
    }
    joined_ = left;
    joined_ += right;
    last_ = find(joined_);
    if (last_ < 0) refuse(rank, joined_);
    return last_;
  }

 private:
  [[noreturn]] void refuse(size_t rank, std::string_view token) const {
    bad_input("{}: merge {}: expected a token of the vocabulary, got \"{}\"", spec_.source, rank,
              printable(token));
  }

  bool is_joined(size_t id, std::string_view left, std::string_view right) const {
    if (id >= spec_.tokens.size()) return false;
    const std::string_view token = spec_.tokens[id];
    return token.size() == left.size() + right.size() && token.starts_with(left) &&
           token.ends_with(right);
  }

  const VocabSpec& spec_;
  VocabIndex index_;
  int32_t last_ = 0;
  std::string joined_;
  std::vector<uint32_t> hashes_;
};

}  // namespace

Bpe::Bpe(const VocabSpec& spec, const TokenTable& tokens)
    : tokens_(tokens),
      ignore_merges_(spec.ignore_merges),
      unknown_(spec.unknown),
      merges_(std::bit_ceil(spec.merges.size() + spec.merges.size() / 2 + 2)),
      reached_(spec.tokens.size()) {
  if (spec.merges.size() >= kNoMerge) bad_input("{}: too many merges", spec.source);
  read_merges(spec);
}

void Bpe::read_merges(const VocabSpec& spec) {
  MergeTokens ids(spec);
  bool every_byte = true;
  for (size_t byte = 0; byte < id_of_byte_.size(); ++byte) {
    std::string text;
    utf8::append(text, alphabet_of_byte(static_cast<unsigned char>(byte)));
    const int32_t id = ids.find(text);
    every_byte = every_byte && id >= 0;
    id_of_byte_[byte] = id < 0 ? unknown_ : id;
  }
  std::array<int32_t, 2 * kMergesAtOnce> parts;
  std::array<Merge, kMergesAtOnce> merges;
  for (size_t first = 0; first < spec.merges.size(); first += kMergesAtOnce) {
    const size_t count = std::min(kMergesAtOnce, spec.merges.size() - first);
    ids.find_parts(first, std::span(parts).first(2 * count));
    for (size_t i = 0; i < count; ++i) {
      const auto& [left, right] = spec.merges[first + i];
      const size_t prefix = std::min(right.size(), spec.continuing_prefix.size());
      merges[i].pair = pair_of(parts[2 * i], parts[2 * i + 1]);
      merges[i].rank = static_cast<uint32_t>(first + i);
      merges[i].joined = ids.find_joined(first + i, left, std::string_view(right).substr(prefix));
      __builtin_prefetch(&merges_[slot_of(merges[i].pair, merges_.size() - 1)], 1);
    }
    for (const Merge& merge : std::span(merges).first(count)) insert(merge);
  }
  if (!every_byte) return;
  byte_pairs_.reserve(id_of_byte_.size() * id_of_byte_.size());
  for (const int32_t left : id_of_byte_) {
    for (const int32_t right : id_of_byte_) byte_pairs_.push_back(pair_at(left, right));
  }
}

// A pair listed twice keeps its last rank, as in the reference.
void Bpe::insert(const Merge& merge) {
  const size_t mask = merges_.size() - 1;
  size_t at = slot_of(merge.pair, mask);
  while (merges_[at].pair != kEmpty && merges_[at].pair != merge.pair) at = (at + 1) & mask;
  merges_[at] = merge;
}

uint64_t Bpe::pair_at(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  const size_t mask = merges_.size() - 1;
  for (size_t at = slot_of(pair, mask); merges_[at].pair != kEmpty; at = (at + 1) & mask) {
    if (merges_[at].pair == pair) {
      return uint64_t{merges_[at].rank} << 32 | static_cast<uint32_t>(merges_[at].joined);
    }
  }
  return kNoPair;
}

void Bpe::encode_piece(std::string_view piece, Workspace& work, std::vector<int32_t>& out) const {
  const int32_t whole = tokens_.find(piece);
  if (whole < 0) return merge_piece(piece, work, out);
  std::atomic<Reached>& reached = reached_[static_cast<size_t>(whole)];
  Reached answer = ignore_merges_ ? Reached::yes : reached.load(std::memory_order_relaxed);
  if (answer == Reached::yes) {
    out.push_back(whole);
    return;
  }
  const size_t before = out.size();
  merge_piece(piece, work, out);
  if (answer == Reached::unasked) {
    answer = out.size() == before + 1 && out.back() == whole ? Reached::yes : Reached::no;
    reached.store(answer, std::memory_order_relaxed);
  }
}

void Bpe::merge_piece(std::string_view piece, Workspace& work, std::vector<int32_t>& out) const {
  work.ids.clear();
  for (const char c : piece) {
    const int32_t id = id_of_byte_[static_cast<unsigned char>(c)];
    if (id >= 0) work.ids.push_back(id);
  }
  if (byte_pairs_.empty()) return merge(work.ids, work, out);
  work.pairs.clear();
  for (size_t i = 0; i + 1 < piece.size(); ++i) {
    const auto left = static_cast<unsigned char>(piece[i]);
    const auto right = static_cast<unsigned char>(piece[i + 1]);
    work.pairs.push_back(byte_pairs_[left * id_of_byte_.size() + right]);
  }
  merge_pairs(work, out);
}

void Bpe::merge(std::span<const int32_t> symbols, Workspace& work,
                std::vector<int32_t>& out) const {
  if (symbols.data() != work.ids.data()) work.ids.assign(symbols.begin(), symbols.end());
  work.pairs.clear();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    work.pairs.push_back(pair_at(symbols[i], symbols[i + 1]));
  }
  merge_pairs(work, out);
}

void Bpe::merge_pairs(Workspace& work, std::vector<int32_t>& out) const {
  if (work.ids.size() <= kShortPiece) {
    merge_short(work, out);
  } else {
    merge_long(work, out);
  }
}

void Bpe::merge_short(Workspace& work, std::vector<int32_t>& out) const {
  std::vector<int32_t>& ids = work.ids;
  std::vector<uint64_t>& pairs = work.pairs;
  while (!pairs.empty()) {
    const auto best = std::ranges::min_element(pairs);  // the first of equals: leftmost
    if (*best == kNoPair) break;
    const auto at = best - pairs.begin();
    const size_t i = static_cast<size_t>(at);
    ids[i] = joined_of(*best);
    ids.erase(ids.begin() + at + 1);
    pairs.erase(best);
    if (i < pairs.size()) pairs[i] = pair_at(ids[i], ids[i + 1]);
    if (i > 0) pairs[i - 1] = pair_at(ids[i - 1], ids[i]);
  }
  out.insert(out.end(), ids.begin(), ids.end());
}

void Bpe::merge_long(Workspace& work, std::vector<int32_t>& out) const {
  auto& symbols = work.symbols;
  auto& heap = work.heap;
  const auto count = static_cast<uint32_t>(work.ids.size());
  symbols.clear();
  heap.clear();
  for (uint32_t i = 0; i < count; ++i) {
    const bool last = i + 1 == count;
    const uint32_t rank = last ? kNoMerge : rank_of(work.pairs[i]);
    symbols.push_back({work.ids[i], i == 0 ? kNone : i - 1, last ? kNone : i + 1, rank});
    if (rank != kNoMerge) heap.push_back(uint64_t{rank} << 32 | i);
  }
  std::ranges::make_heap(heap, std::greater{});
  const auto update = [&](uint32_t i) {
    Workspace::Symbol& symbol = symbols[i];
    symbol.rank =
        symbol.next == kNone ? kNoMerge : rank_of(pair_at(symbol.id, symbols[symbol.next].id));
    if (symbol.rank == kNoMerge) return;
    heap.push_back(uint64_t{symbol.rank} << 32 | i);
    std::ranges::push_heap(heap, std::greater{});
  };
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, std::greater{});
    const auto rank = static_cast<uint32_t>(heap.back() >> 32);
    const auto i = static_cast<uint32_t>(heap.back());
    heap.pop_back();
    Workspace::Symbol& left = symbols[i];
    if (left.rank != rank) continue;  // stale: the pair has changed, or the symbol is gone
    Workspace::Symbol& right = symbols[left.next];
    left.id = joined_of(pair_at(left.id, right.id));
    left.next = right.next;
    right.rank = kNoMerge;
    if (left.next != kNone) symbols[left.next].previous = i;
    update(i);
    if (left.previous != kNone) update(left.previous);
  }
  for (uint32_t i = count == 0 ? kNone : 0; i != kNone; i = symbols[i].next) {
    out.push_back(symbols[i].id);
  }
}

}  // namespace bittern::text
