#include "text/safe_cuts.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/vocab_index.h"

namespace bittern::text {
namespace {

constexpr std::string_view kSpace = "\xe2\x96\x81";  // U+2581

std::string_view last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return text.substr(at);
}

// Whether every byte has its token, so that no character is unknown.
bool has_every_byte(const VocabSpec& spec) {
  if (!spec.byte_fallback) return false;
  std::array<bool, 256> found{};
  for (const std::string& token : spec.tokens) {
    const int byte = byte_of_token(token);
    if (byte >= 0 && token == fmt::format("<0x{:02X}>", byte))
      found[static_cast<size_t>(byte)] = true;
  }
  return std::ranges::find(found, false) == found.end();
}

bool is_text(TokenKind kind) {
  return kind == TokenKind::normal || kind == TokenKind::user_defined;
}

}  // namespace

SafeCuts::SafeCuts(const VocabSpec& spec) {
  bool proven = false;
  if (spec.model == TokenizerModel::bpe) proven = read_merges(spec);
  if (spec.model == TokenizerModel::sentencepiece_bpe) proven = read_pieces(spec);
  if (proven)
    allow_cuts(spec);
  else
    joined_.fill(1);
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
    size_t at = token.empty() ? 0 : code_at(token, 0).length;
    for (; at < token.size(); at += code_at(token, at).length)
      join(token.substr(0, at), token.substr(at));
  }
  return true;
}

void SafeCuts::join(std::string_view left, std::string_view right) {
  const size_t left_code = code_at(last_character(left), 0).code;
  joined_[left_code * kCodes + code_at(right, 0).code] = 1;
}

// Until now `joined_` says which characters meet in merges; now also beside which there is no cut.
void SafeCuts::allow_cuts(const VocabSpec& spec) {
  std::array<bool, kCodes> known{};
  if (has_every_byte(spec)) {
    known.fill(true);
  } else {
    for (size_t i = 0; i < spec.tokens.size(); ++i) {
      if (spec.tokens[i].empty() || !is_text(spec.kinds[i])) continue;
      const Coded first = code_at(spec.tokens[i], 0);
      if (first.length == spec.tokens[i].size()) known[first.code] = true;
    }
  }
  known[kOtherCode] = false;
  for (size_t left = 0; left < kCodes; ++left) {
    for (size_t right = 0; right < kCodes; ++right) {
      if (!known[left] || !known[right]) joined_[left * kCodes + right] = 1;
    }
  }
}

SafeCuts::Coded SafeCuts::code_at(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1};
  if (text.substr(at).starts_with(kSpace)) return {kSpaceCode, kSpace.size()};
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return {kOtherCode, std::min(length, text.size() - at)};
}

size_t SafeCuts::first_part(std::string_view text, Packed& packed) const {
  constexpr char kPackedSpace = '\xff';
  packed.count = 0;
  const auto pack = [&](char byte) {
    if (packed.count < packed.bytes.size()) packed.bytes[packed.count] = byte;
    ++packed.count;
  };
  const uint8_t* joined = &joined_[kOtherCode * kCodes];  // the row of the character on the left
  size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto [code, length] = byte < 0x80 ? Coded{byte, 1} : code_at(text, at);
    if (at > 0 && joined[code] == 0) break;
    if (code == kSpaceCode) {
      pack(kPackedSpace);
    } else {
      for (size_t i = 0; i < length; ++i) pack(text[at + i]);
    }
    joined = &joined_[code * kCodes];
    at += length;
  }
  return at;
}

}  // namespace bittern::text
