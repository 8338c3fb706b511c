#include "text/word_piece.h"

#include <algorithm>

#include "base/error.h"

namespace bittern::text {
namespace {

PrefixTrie make_trie(const VocabSpec& spec) {
  std::vector<std::pair<std::string_view, int32_t>> entries;
  entries.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    if (VocabIndex::is_plain_text(spec.kinds[i]))
      entries.emplace_back(spec.tokens[i], static_cast<int32_t>(i));
  return PrefixTrie(std::move(entries));
}

uint32_t node_behind(const PrefixTrie& trie, std::string_view prefix) {
  uint32_t node = PrefixTrie::kRoot;
  for (const char c : prefix)
    if (node != PrefixTrie::kNone) node = trie.child(node, static_cast<unsigned char>(c));
  return node;
}

void append_unknown(const VocabSpec& spec, std::string_view word, std::vector<int32_t>& out) {
  if (spec.unknown < 0)
    bad_input("{}: no token for '{}' and no unknown token", spec.source, printable(word));
  out.push_back(spec.unknown);
}

}  // namespace

WordPiece::WordPiece(const VocabSpec& spec)
    : spec_(spec),
      trie_(make_trie(spec)),
      continuation_(node_behind(trie_, spec.continuing_prefix)) {}

void WordPiece::encode(std::string_view word, ModelScratch&, std::vector<int32_t>& out) const {
  const auto characters = std::ranges::count_if(word, [](char c) { return (c & 0xc0) != 0x80; });
  const size_t before = out.size();
  if (characters <= spec_.max_word_chars && append_parts(word, out)) return;
  out.resize(before);
  append_unknown(spec_, word, out);
}

bool WordPiece::append_parts(std::string_view word, std::vector<int32_t>& out) const {
  uint32_t from = PrefixTrie::kRoot;
  while (!word.empty()) {
    if (from == PrefixTrie::kNone) return false;
    const PrefixTrie::Match part = trie_.longest_from(from, word);
    if (part.length == 0) return false;
    out.push_back(part.value);
    word.remove_prefix(part.length);
    from = continuation_;
  }
  return true;
}

void WordLevel::encode(std::string_view word, ModelScratch&, std::vector<int32_t>& out) const {
  const int32_t id = index_.find(word);
  if (id >= 0) {
    out.push_back(id);
  } else {
    append_unknown(spec_, word, out);
  }
}

}  // namespace bittern::text
