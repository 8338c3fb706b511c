// From the text of a token to its id, for models whose tokens are plain text. Open addressing over
// ids; the texts stay where the VocabSpec has them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/vocab_spec.h"

namespace bittern::text {

class VocabIndex {
 public:
  // Tokens of the kinds that `wanted` says; the lowest id where a text occurs twice. `spec` must
  // outlive this.
  explicit VocabIndex(const VocabSpec& spec, bool (*wanted)(TokenKind) = is_plain_text);

  // Kinds that text can spell. Control and unknown tokens come from the vocabulary's added tokens
  // alone, so that no text turns into one behind the caller's back.
  static bool is_plain_text(TokenKind kind) {
    return kind == TokenKind::normal || kind == TokenKind::user_defined || kind == TokenKind::byte;
  }

  int32_t find(std::string_view token) const { return find(token, hash_of(token)); }  // -1: none

  // For many look-ups in a row, which wait for memory more than they work: `touch` the place of
  // each, then `touch_text`, then find.
  static uint32_t hash_of(std::string_view token);
  void touch(uint32_t hash) const { __builtin_prefetch(&index_[hash & (index_.size() - 1)]); }
  void touch_text(uint32_t hash) const {
    const int32_t id = index_[hash & (index_.size() - 1)].id;
    if (id >= 0) __builtin_prefetch(&spec_.tokens[static_cast<size_t>(id)]);
  }
  int32_t find(std::string_view token, uint32_t hash) const;

  bool all_differ() const { return all_differ_; }  // no text occurs twice
  // The token "<0xHH>" of each byte, -1 where there is none.
  std::array<int32_t, 256> byte_tokens() const;

 private:
  struct Entry {
    uint32_t hash = 0;
    int32_t id = -1;
  };
  const VocabSpec& spec_;
  bool all_differ_ = true;
  std::vector<Entry> index_;  // size a power of two, at most half full
};

// The byte that a token "<0xHH>" stands for, -1 for any other text. As tokenizers reads it: digits
// of either case.
int byte_of_token(std::string_view token);

}  // namespace bittern::text
