#include "text/vocab_index.h"

#include <fmt/format.h>

#include <bit>
#include <functional>

namespace bittern::text {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

VocabIndex::VocabIndex(const VocabSpec& spec, bool (*wanted)(TokenKind))
    : spec_(spec), index_(std::bit_ceil(spec.tokens.size() * 2 + 2)) {
  const size_t mask = index_.size() - 1;
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!wanted(spec.kinds[i])) continue;
    const uint32_t hash = hash_of(spec.tokens[i]);
    size_t at = hash & mask;
    bool known = false;
    for (; index_[at].id >= 0 && !known; at = (at + 1) & mask) {
      known = index_[at].hash == hash &&
              spec.tokens[static_cast<size_t>(index_[at].id)] == spec.tokens[i];
    }
    all_differ_ = all_differ_ && !known;
    if (!known) index_[at] = {hash, static_cast<int32_t>(i)};
  }
}

uint32_t VocabIndex::hash_of(std::string_view token) {
  return static_cast<uint32_t>(std::hash<std::string_view>{}(token));
}

int32_t VocabIndex::find(std::string_view token, uint32_t hash) const {
  const size_t mask = index_.size() - 1;
  for (size_t at = hash & mask; index_[at].id >= 0; at = (at + 1) & mask) {
    if (index_[at].hash == hash && spec_.tokens[static_cast<size_t>(index_[at].id)] == token)
      return index_[at].id;
  }
  return -1;
}

std::array<int32_t, 256> VocabIndex::byte_tokens() const {
  std::array<int32_t, 256> ids;
  for (size_t byte = 0; byte < ids.size(); ++byte)
    ids[byte] = find(fmt::format("<0x{:02X}>", byte));
  return ids;
}

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  // Rust's from_str_radix, which the reference uses, takes a sign.
  if (token[3] == '+') return low;
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace bittern::text
