#include "text/token_table.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <unordered_map>

#include "text/byte_alphabet.h"
#include "text/nfc.h"

namespace bittern::text {
namespace {

uint32_t hash_of(std::string_view bytes) {
  return static_cast<uint32_t>(std::hash<std::string_view>{}(bytes));
}

bool is_ordinary(TokenKind kind) {
  return kind == TokenKind::normal || kind == TokenKind::user_defined || kind == TokenKind::byte;
}

// What a token reads as where that is not its text: an added token that is matched after the
// normaliser is also decoded in its normalised form.
std::unordered_map<int32_t, std::string> normalised_texts(const VocabSpec& spec) {
  std::unordered_map<int32_t, std::string> texts;
  if (!spec.nfc) return texts;
  for (const AddedToken& token : spec.added) {
    if (token.normalized) texts.emplace(token.id, to_nfc(token.content));
  }
  return texts;
}

}  // namespace

TokenTable::TokenTable(const VocabSpec& spec) : index_(std::bit_ceil(spec.tokens.size() * 2 + 2)) {
  size_t total = 0;
  for (const std::string& token : spec.tokens) total += token.size();
  pool_.reserve(total);
  offsets_.reserve(spec.tokens.size() + 1);
  offsets_.push_back(0);
  const auto normalised = normalised_texts(spec);
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const auto it = normalised.empty() ? normalised.end() : normalised.find(id);
    const std::string& text = it == normalised.end() ? spec.tokens[i] : it->second;
    const size_t before = pool_.size();
    const bool spelled = append_bytes_of_alphabet(text, pool_);
    if (!spelled) pool_ += text;
    if (spec.kinds[i] == TokenKind::unused) pool_.resize(before);
    offsets_.push_back(pool_.size());
    longest_ = std::max(longest_, pool_.size() - before);
    if (spelled && pool_.size() > before && is_ordinary(spec.kinds[i])) insert(id);
  }
}

std::string_view TokenTable::bytes(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) + 1 >= offsets_.size()) return {};
  const size_t begin = offsets_[static_cast<size_t>(id)];
  const size_t end = offsets_[static_cast<size_t>(id) + 1];
  return std::string_view(pool_).substr(begin, end - begin);
}

int32_t TokenTable::find(std::string_view bytes_wanted) const {
  if (bytes_wanted.size() > longest_) return -1;
  const uint32_t hash = hash_of(bytes_wanted);
  const size_t mask = index_.size() - 1;
  for (size_t at = hash & mask; index_[at].id >= 0; at = (at + 1) & mask) {
    if (index_[at].hash == hash && bytes(index_[at].id) == bytes_wanted) return index_[at].id;
  }
  return -1;
}

void TokenTable::insert(int32_t id) {
  const std::string_view spelled = bytes(id);
  const uint32_t hash = hash_of(spelled);
  const size_t mask = index_.size() - 1;
  size_t at = hash & mask;
  for (; index_[at].id >= 0; at = (at + 1) & mask) {
    if (index_[at].hash == hash && bytes(index_[at].id) == spelled) return;
  }
  index_[at] = {hash, id};
}

}  // namespace bittern::text
