#include "text/safe_cuts.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "text/marked_text.h"
#include "text/vocab_index.h"

namespace bittern::text {
namespace {

constexpr unsigned char kMarkByte = static_cast<unsigned char>(kMark);
// Stands for every character that is neither ASCII nor "▁".
constexpr unsigned char kOther = 0x80;
constexpr unsigned char kFirstLead = 0xc0;  // of the bytes that begin one; the ones before go on

// The first character of a text, not empty, as a byte of marked text.
struct Coded {
  unsigned char code;
  size_t length;
};

Coded first_code(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  if (text.starts_with(kMarkText)) return {kMarkByte, kMarkText.size()};
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return {kOther, std::min(length, text.size())};
}

std::string_view last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return text.substr(at);
}

// Whether every byte has its token, so that no character is unknown.
bool has_every_byte(const VocabSpec& spec) {
  if (!spec.byte_fallback) return false;
  const bool by_kind = spec.model == TokenizerModel::sentencepiece_bpe;
  std::array<bool, 256> found{};
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const TokenKind kind = spec.kinds[i];
    if (by_kind ? kind != TokenKind::byte : !VocabIndex::is_plain_text(kind)) continue;
    const int byte = byte_of_token(spec.tokens[i]);
    if (byte >= 0 && spec.tokens[i] == fmt::format("<0x{:02X}>", byte))
      found[static_cast<size_t>(byte)] = true;
  }
  return std::ranges::find(found, false) == found.end();
}

uint64_t bit(size_t byte) { return uint64_t{1} << byte % 64; }

bool is_text(TokenKind kind) {
  return kind == TokenKind::normal || kind == TokenKind::user_defined;
}

}  // namespace

SafeCuts::SafeCuts(const VocabSpec& spec) {
  bool proven = false;
  if (spec.model == TokenizerModel::bpe) proven = read_merges(spec);
  if (spec.model == TokenizerModel::sentencepiece_bpe) proven = read_pieces(spec);
  if (proven) {
    allow_cuts(spec);
  } else {
    for (auto& row : joined_) row.fill(~uint64_t{0});
  }
}

// False where there is no proof.
bool SafeCuts::read_merges(const VocabSpec& spec) {
  // Marks at the ends of pieces, and a look for whole pieces, see where a piece ends.
  if (spec.ignore_merges || !spec.continuing_prefix.empty() || !spec.end_of_word_suffix.empty())
    return false;
  const std::string_view unknown =
      spec.unknown < 0 ? "" : std::string_view(spec.tokens[static_cast<size_t>(spec.unknown)]);
  // Whether a token is not made of the characters that its text has.
  const auto is_stand_in = [&](std::string_view token) {
    return token.empty() || token == unknown || byte_of_token(token) >= 0;
  };
  for (const auto& merge : spec.merges) {
    const std::string_view left = merge.first, right = merge.second;
    if (is_stand_in(left) || is_stand_in(right)) return false;
    join(left, right);
  }
  return true;
}

bool SafeCuts::read_pieces(const VocabSpec& spec) {
  // How an unused piece comes apart again depends on how it was made last in the whole text.
  if (std::ranges::find(spec.kinds, TokenKind::unused) != spec.kinds.end()) return false;
  for (const std::string_view token : spec.tokens) {
    size_t at = token.empty() ? 0 : first_code(token).length;
    for (; at < token.size(); at += first_code(token.substr(at)).length)
      join(token.substr(0, at), token.substr(at));
  }
  return true;
}

void SafeCuts::join(std::string_view left, std::string_view right) {
  const unsigned char left_code = first_code(last_character(left)).code;
  const unsigned char right_code = first_code(right).code;
  joined_[left_code][right_code / 64] |= bit(right_code);
}

// Until now `joined_` says which characters meet in merges; now also beside which there is no cut.
void SafeCuts::allow_cuts(const VocabSpec& spec) {
  std::array<bool, 256> known{};
  if (has_every_byte(spec)) {
    known.fill(true);
  } else {
    for (size_t i = 0; i < spec.tokens.size(); ++i) {
      if (spec.tokens[i].empty() || !is_text(spec.kinds[i])) continue;
      const Coded first = first_code(spec.tokens[i]);
      if (first.length == spec.tokens[i].size()) known[first.code] = true;
    }
    known[kOther] = false;  // not all of them
  }
  for (size_t left = 0; left < known.size(); ++left) {
    if (left > kOther && left < kMarkByte) continue;
    for (size_t right = 0; right < known.size(); ++right) {
      if (!known[left] || !known[right]) joined_[left][right / 64] |= bit(right);
    }
  }
  spread_other();
  any_ = std::ranges::any_of(joined_, [](const Row& row) {
    return std::ranges::any_of(row, [](uint64_t bits) { return ~bits != 0; });
  });
}

// From kOther to the bytes of all those characters, none of which is cut inside.
void SafeCuts::spread_other() {
  for (Row& row : joined_) {
    const bool other = (row[kOther / 64] & bit(kOther)) != 0;
    row[kOther / 64] = ~uint64_t{0};  // bytes that go on: 0x80 to 0xbf
    row[kFirstLead / 64] |= other ? ~bit(kMarkByte) : 0;
  }
  const Row other = joined_[kOther];
  for (size_t left = kOther; left < kFirstLead; ++left) joined_[left] = other;
  for (size_t left = kFirstLead; left < kMarkByte; ++left) joined_[left].fill(~uint64_t{0});
}

uint64_t SafeCuts::cuts_of_block(std::string_view text, size_t from, size_t count) const {
  uint64_t cuts = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto left = static_cast<unsigned char>(text[from + i - 1]);
    const auto right = static_cast<unsigned char>(text[from + i]);
    cuts |= (~(joined_[left][right / 64] >> right % 64) & 1) << i;
  }
  return cuts;
}

size_t SafeCuts::cut(std::string_view marked, std::span<std::string_view> parts) const {
  if (marked.empty()) return 0;
  size_t count = 0;
  size_t begin = 0;  // of the part that has not ended
  size_t at = 1;
  while (at < marked.size() && parts.size() - count > kBlock) {
    const size_t size = std::min(kBlock, marked.size() - at);
    // Which places are cuts is decided for all of them without a branch.
    for (uint64_t cuts = cuts_of_block(marked, at, size); cuts != 0; cuts &= cuts - 1) {
      const size_t place = at + static_cast<size_t>(std::countr_zero(cuts));
      parts[count++] = marked.substr(begin, place - begin);
      begin = place;
    }
    at += size;
  }
  if (at >= marked.size()) parts[count++] = marked.substr(begin);
  return count;
}

}  // namespace bittern::text
