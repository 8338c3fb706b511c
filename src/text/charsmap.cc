#include "text/charsmap.h"

#include <cstring>

#include "base/bytes.h"
#include "base/error.h"

namespace bittern::text {
namespace {

constexpr uint32_t kHasLeaf = 1u << 8, kLeaf = 1u << 31;

uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
uint32_t label_of(uint32_t unit) { return unit & (kLeaf | 0xff); }

}  // namespace

Charsmap::Charsmap(std::string_view blob, std::string_view source) {
  if (blob.empty()) return;
  uint32_t trie_bytes = 0;
  if (blob.size() <= sizeof trie_bytes)
    bad_input("{}: precompiled charsmap: more than {} bytes expected, got {}", source,
              sizeof trie_bytes, blob.size());
  trie_bytes = load<uint32_t>(reinterpret_cast<const std::byte*>(blob.data()));
  blob.remove_prefix(sizeof trie_bytes);
  if (trie_bytes >= blob.size() || trie_bytes % sizeof(uint32_t) != 0 || trie_bytes == 0)
    bad_input("{}: precompiled charsmap: a trie of 4 n bytes, fewer than {}, expected, got {}",
              source, blob.size(), trie_bytes);
  units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(units_.data(), blob.data(), trie_bytes);
  replacements_ = blob.substr(trie_bytes);
}

Charsmap::Match Charsmap::find(std::string_view text, bool longest) const {
  Match match;
  if (units_.empty()) return match;
  size_t node = offset_of(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label_of(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if ((unit & kHasLeaf) == 0) continue;
    if (node >= units_.size()) break;
    const size_t place = units_[node] & ~kLeaf;
    if (place >= replacements_.size()) break;
    const std::string_view rest = std::string_view(replacements_).substr(place);
    match = {i + 1, rest.substr(0, rest.find('\0'))};
    if (!longest) break;
  }
  return match;
}

}  // namespace bittern::text
