#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"

namespace bittern::text {
namespace {

constexpr uint32_t kNoMerge = ~uint32_t{0};
constexpr uint32_t kNone = ~uint32_t{0};
constexpr size_t kShortPiece = 32;  // symbols; above, the heap wins

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t slot_of(uint64_t pair, size_t mask) {
  // Fibonacci hashing: the high bits of the product are mixed best.
  return static_cast<size_t>((pair * 0x9e3779b97f4a7c15u) >> 20) & mask;
}

using IdOfText = std::unordered_map<std::string_view, int32_t>;

int32_t id_of(const IdOfText& ids, const VocabSpec& spec, size_t rank, std::string_view token) {
  const auto it = ids.find(token);
  if (it == ids.end()) {
    bad_input("{}: merge {}: expected a token of the vocabulary, got \"{}\"", spec.source, rank,
              printable(token));
  }
  return it->second;
}

}  // namespace

Bpe::Bpe(const VocabSpec& spec, const TokenTable& tokens)
    : tokens_(tokens),
      ignore_merges_(spec.ignore_merges),
      unknown_(spec.unknown),
      merges_(std::bit_ceil(spec.merges.size() * 2 + 2)),
      reached_(spec.tokens.size()) {
  if (spec.merges.size() >= kNoMerge) bad_input("{}: too many merges", spec.source);
  IdOfText ids;
  ids.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!spec.tokens[i].empty()) ids.emplace(spec.tokens[i], static_cast<int32_t>(i));
  }
  for (size_t byte = 0; byte < id_of_byte_.size(); ++byte) {
    std::string text;
    utf8::append(text, alphabet_of_byte(static_cast<unsigned char>(byte)));
    const auto it = ids.find(text);
    id_of_byte_[byte] = it == ids.end() ? unknown_ : it->second;
  }
  std::string joined;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const auto& [left, right] = spec.merges[rank];
    joined = left;
    joined += right;
    insert({pair_of(id_of(ids, spec, rank, left), id_of(ids, spec, rank, right)),
            static_cast<uint32_t>(rank), id_of(ids, spec, rank, joined)});
  }
}

// A pair listed twice keeps its last rank, as in the reference.
void Bpe::insert(const Merge& merge) {
  const size_t mask = merges_.size() - 1;
  size_t at = slot_of(merge.pair, mask);
  while (merges_[at].pair != kEmpty && merges_[at].pair != merge.pair) at = (at + 1) & mask;
  merges_[at] = merge;
}

const Bpe::Merge* Bpe::find(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  const size_t mask = merges_.size() - 1;
  for (size_t at = slot_of(pair, mask); merges_[at].pair != kEmpty; at = (at + 1) & mask) {
    if (merges_[at].pair == pair) return &merges_[at];
  }
  return nullptr;
}

uint32_t Bpe::rank_of(int32_t left, int32_t right) const {
  const Merge* merge = find(left, right);
  return merge == nullptr ? kNoMerge : merge->rank;
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
  if (work.ids.size() <= kShortPiece) {
    merge_short(work, out);
  } else {
    merge_long(work, out);
  }
}

void Bpe::merge_short(Workspace& work, std::vector<int32_t>& out) const {
  std::vector<int32_t>& ids = work.ids;
  std::vector<uint32_t>& ranks = work.ranks;  // ranks[i] is of the pair (i, i + 1)
  ranks.clear();
  for (size_t i = 0; i + 1 < ids.size(); ++i) ranks.push_back(rank_of(ids[i], ids[i + 1]));
  while (!ranks.empty()) {
    const auto best = std::ranges::min_element(ranks);  // the first of equals: leftmost
    if (*best == kNoMerge) break;
    const auto at = best - ranks.begin();
    const size_t i = static_cast<size_t>(at);
    ids[i] = find(ids[i], ids[i + 1])->joined;
    ids.erase(ids.begin() + at + 1);
    ranks.erase(best);
    if (i < ranks.size()) ranks[i] = rank_of(ids[i], ids[i + 1]);
    if (i > 0) ranks[i - 1] = rank_of(ids[i - 1], ids[i]);
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
    const uint32_t rank = last ? kNoMerge : rank_of(work.ids[i], work.ids[i + 1]);
    symbols.push_back({work.ids[i], i == 0 ? kNone : i - 1, last ? kNone : i + 1, rank});
    if (rank != kNoMerge) heap.push_back(uint64_t{rank} << 32 | i);
  }
  std::ranges::make_heap(heap, std::greater{});
  const auto update = [&](uint32_t i) {
    Workspace::Symbol& symbol = symbols[i];
    symbol.rank = symbol.next == kNone ? kNoMerge : rank_of(symbol.id, symbols[symbol.next].id);
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
    left.id = find(left.id, right.id)->joined;
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
