#include "text/added_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/nfc.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

// Start of the character that ends before `at`.
size_t start_of_last(std::string_view text, size_t at) {
  size_t start = at - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) --start;
  return start;
}

bool has(std::string_view text, size_t at, Properties bit) {
  return (properties(utf8::decode(text.substr(at)).code_point) & bit) != 0;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && has(text, start_of_last(text, begin), kWord)) ||
         (end < text.size() && has(text, end, kWord));
}

// Not past `floor`.
size_t skip_space_left(std::string_view text, size_t at, size_t floor) {
  while (at > floor) {
    const size_t start = start_of_last(text, at);
    if (!has(text, start, kSpace)) break;
    at = start;
  }
  return at;
}

size_t skip_space_right(std::string_view text, size_t at) {
  while (at < text.size() && has(text, at, kSpace)) at += utf8::decode(text.substr(at)).length;
  return at;
}

}  // namespace

AddedTokens::AddedTokens(const VocabSpec& spec, bool normalized, const Normalizer* normalizer) {
  roots_.fill(-1);
  for (const AddedToken& token : spec.added) {
    if (token.normalized != normalized || token.content.empty()) continue;
    std::string content = token.content;
    if (normalized && normalizer != nullptr) content = normalizer->applied(content);
    if (normalized && spec.nfc) content = to_nfc(content);
    if (content.empty()) continue;
    tokens_.push_back(token);
    tokens_.back().content = std::move(content);
    has_special_ = has_special_ || token.special;
    add(tokens_.back().content, static_cast<int32_t>(tokens_.size() - 1));
  }
}

int32_t AddedTokens::child(int32_t node, unsigned char byte) const {
  int32_t at = nodes_[static_cast<size_t>(node)].first_child;
  while (at >= 0 && nodes_[static_cast<size_t>(at)].byte != byte) {
    at = nodes_[static_cast<size_t>(at)].sibling;
  }
  return at;
}

void AddedTokens::add(std::string_view content, int32_t token) {
  const auto append = [&](unsigned char byte, int32_t sibling) {
    nodes_.push_back({.byte = byte});
    nodes_.back().sibling = sibling;
    return static_cast<int32_t>(nodes_.size() - 1);
  };
  int32_t& root = roots_[static_cast<unsigned char>(content[0])];
  if (root < 0) root = append(static_cast<unsigned char>(content[0]), -1);
  int32_t at = root;
  for (const char c : content.substr(1)) {
    const auto byte = static_cast<unsigned char>(c);
    int32_t next = child(at, byte);
    if (next < 0) {
      next = append(byte, nodes_[static_cast<size_t>(at)].first_child);
      nodes_[static_cast<size_t>(at)].first_child = next;
    }
    at = next;
  }
  Node& end = nodes_[static_cast<size_t>(at)];
  if (end.token < 0) end.token = token;
}

AddedTokens::Found AddedTokens::longest_at(std::string_view text, size_t at) const {
  Found found{-1, 0};
  int32_t node = roots_[static_cast<unsigned char>(text[at])];
  for (size_t end = at + 1; node >= 0; ++end) {
    const int32_t token = nodes_[static_cast<size_t>(node)].token;
    if (token >= 0) found = {token, end - at};
    if (end == text.size()) break;
    node = child(node, static_cast<unsigned char>(text[end]));
  }
  return found;
}

std::vector<AddedTokens::Segment> AddedTokens::split(std::string_view text, bool parse_special,
                                                     std::span<const TextRange> literal) const {
  std::vector<Segment> segments;
  auto range = literal.begin();  // the first that does not end before `at`
  size_t done = 0;               // everything before is in a segment
  size_t at = 0;
  size_t stripped = 0;  // end of the whitespace that rstrip looked through last
  while (at < text.size() && !tokens_.empty()) {
    while (at < text.size() && roots_[static_cast<unsigned char>(text[at])] < 0) ++at;
    if (at == text.size()) break;
    const Found found = longest_at(text, at);
    if (found.token < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(found.token)];
    size_t begin = at;
    size_t end = at + found.length;
    // The search goes on behind the match itself, so a token may be found in the whitespace
    // that rstrip has just taken; it then counts as well, as in the reference.
    at = end;
    if (token.special) {
      while (range != literal.end() && range->end <= begin) ++range;
      const bool is_literal = range != literal.end() && range->begin < end;
      if (is_literal || !parse_special) continue;
    }
    if (token.single_word && touches_word(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(skip_space_left(text, begin, done), done);
    if (token.rstrip) end = stripped = skip_space_right(text, std::max(end, stripped));
    end = std::max(end, begin);
    if (done < begin) segments.push_back({-1, text.substr(done, begin - done)});
    segments.push_back({token.id, text.substr(begin, end - begin)});
    done = end;
  }
  if (done < text.size()) segments.push_back({-1, text.substr(done)});
  return segments;
}

}  // namespace bittern::text
