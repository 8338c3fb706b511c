#include "text/sentencepiece_bpe.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/sentencepiece_normalizer.h"

namespace bittern::text {
namespace {

// The kinds that can be formed; the others are reserved names.
bool is_piece(TokenKind kind) {
  return kind == TokenKind::normal || kind == TokenKind::user_defined || kind == TokenKind::unused;
}

bool is_worse(const ModelScratch::Pair& a, const ModelScratch::Pair& b) {
  return a.score < b.score || (a.score == b.score && a.left > b.left);
}

}  // namespace

SentencePieceBpe::SentencePieceBpe(const VocabSpec& spec)
    : spec_(spec),
      index_(spec, is_piece),
      symbols_(user_defined_symbols(spec)),
      byte_tokens_(
          VocabIndex(spec, [](TokenKind kind) { return kind == TokenKind::byte; }).byte_tokens()),
      has_bytes_(spec.byte_fallback &&
                 std::ranges::none_of(byte_tokens_, [](int32_t id) { return id < 0; })) {}

void SentencePieceBpe::encode(std::string_view text, ModelScratch& scratch,
                              std::vector<int32_t>& out) const {
  cut(text, scratch);
  merge(text, scratch);
  bool after_unknown = false;
  for (int32_t i = 0; i >= 0; i = scratch.symbols[static_cast<size_t>(i)].next) {
    const ModelScratch::Symbol& symbol = scratch.symbols[static_cast<size_t>(i)];
    append(text.substr(symbol.begin, symbol.length), scratch, after_unknown, out);
  }
}

// Characters, but a user-defined symbol is one.
void SentencePieceBpe::cut(std::string_view text, ModelScratch& scratch) const {
  auto& symbols = scratch.symbols;
  symbols.clear();
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const size_t fixed = symbols_.longest(rest).length;
    const size_t length = fixed > 0 ? fixed : utf8::decode(rest).length;
    const auto index = static_cast<int32_t>(symbols.size());
    const bool last = length == rest.size();
    symbols.push_back({index - 1, last ? -1 : index + 1, static_cast<uint32_t>(at),
                       static_cast<uint32_t>(length), fixed > 0});
    at += length;
  }
}

void SentencePieceBpe::propose(std::string_view text, int32_t left, int32_t right,
                               ModelScratch& scratch) const {
  if (left < 0 || right < 0) return;
  const ModelScratch::Symbol& a = scratch.symbols[static_cast<size_t>(left)];
  const ModelScratch::Symbol& b = scratch.symbols[static_cast<size_t>(right)];
  if (a.frozen || b.frozen) return;
  const std::string_view joined = text.substr(a.begin, a.length + b.length);
  const int32_t id = index_.find(joined);
  if (id < 0) return;
  const auto at = static_cast<size_t>(id);
  if (spec_.kinds[at] == TokenKind::unused) scratch.unused_splits[joined] = a.length;
  scratch.agenda.push_back(
      {static_cast<float>(spec_.scores[at]), left, right, a.length + b.length});
  std::ranges::push_heap(scratch.agenda, is_worse);
}

void SentencePieceBpe::merge(std::string_view text, ModelScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& agenda = scratch.agenda;
  agenda.clear();
  scratch.unused_splits.clear();
  for (size_t i = 1; i < symbols.size(); ++i)
    propose(text, static_cast<int32_t>(i) - 1, static_cast<int32_t>(i), scratch);
  while (!agenda.empty()) {
    std::ranges::pop_heap(agenda, is_worse);
    const ModelScratch::Pair top = agenda.back();
    agenda.pop_back();
    ModelScratch::Symbol& left = symbols[static_cast<size_t>(top.left)];
    ModelScratch::Symbol& right = symbols[static_cast<size_t>(top.right)];
    if (left.length == 0 || right.length == 0 || left.length + right.length != top.length) continue;
    left.length += right.length;
    left.next = right.next;
    right.length = 0;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = top.left;
    propose(text, left.previous, top.left, scratch);
    propose(text, top.left, left.next, scratch);
  }
}

// A finished symbol; an unused piece by its parts.
void SentencePieceBpe::append(std::string_view piece, ModelScratch& scratch, bool& after_unknown,
                              std::vector<int32_t>& out) const {
  auto& stack = scratch.stack;
  stack.assign(1, piece);
  while (!stack.empty()) {
    const std::string_view part = stack.back();
    stack.pop_back();
    const int32_t id = index_.find(part);
    if (id >= 0 && spec_.kinds[static_cast<size_t>(id)] == TokenKind::unused) {
      if (const auto split = scratch.unused_splits.find(part);
          split != scratch.unused_splits.end()) {
        stack.push_back(part.substr(split->second));
        stack.push_back(part.substr(0, split->second));
        continue;
      }
    }
    if (id >= 0) {
      out.push_back(id);
    } else if (has_bytes_) {
      for (const char c : part) out.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
    } else if (!after_unknown && spec_.unknown >= 0) {
      out.push_back(spec_.unknown);
    }
    after_unknown = id < 0;
  }
}

}  // namespace bittern::text
