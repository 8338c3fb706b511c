// The bytes of every token of a vocabulary as prefix trees, built once per tokenizer and shared by
// all grammars. Tokens are sorted into plain ones (whole characters that JSON's strings take as
// they are: most of any vocabulary) and the rest, and by length (program.h), one tree each; a tree
// lies in depth-first order in flat arrays, so walking it is one pass that skips dead subtrees:
//
//   node          0   1   2   3   4 ...      (0 is the root)
//   byte              a   b   c   ...
//   depth         0   1   2   2   1
//   subtree_end   n   4   3   4   ...        first node behind the subtree
//   token_begin   tokens that end at node i: token_begin[i] to token_begin[i + 1] in `tokens`, and
//                 of its subtree: to token_begin[subtree_end[i]]
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/grammar/characters.h"
#include "chat/grammar/program.h"
#include "text/tokenizer.h"

namespace bittern::chat::grammar {

// Characters of the longest token that counts as plain.
inline constexpr size_t kPlainCharactersMax = 48;
// A character of plain tokens: neither a control nor \" nor \\.
const Characters& plain_characters();

class TokenTrie {
 public:
  enum class Kind : uint8_t { rest, plain };
  struct Bucket {
    std::vector<uint8_t> byte;
    std::vector<uint16_t> depth;
    std::vector<int32_t> parent;
    std::vector<int32_t> subtree_end;
    std::vector<int32_t> token_begin;
    std::vector<int32_t> tokens;

    int32_t node_count() const { return static_cast<int32_t>(byte.size()); }
  };

  // Special, control, unused and unknown tokens match no text; neither do empty ones, and those
  // longer than kTokenBytesMax. Tokens that end a generation are kept apart.
  explicit TokenTrie(const text::Tokenizer& tokenizer);
  // Of plain token texts by id (empty: matches no text).
  TokenTrie(std::vector<std::string> tokens, std::vector<int32_t> end_of_generation);

  int32_t vocab_size() const { return static_cast<int32_t>(begin_.size()) - 1; }
  // Words of a mask: bit `id % 64` of word `id / 64`.
  size_t mask_words() const { return (begin_.size() - 1 + 63) / 64; }
  const Bucket& bucket(Kind kind, size_t index) const {
    return buckets_[static_cast<size_t>(kind)][index];
  }
  // The mask of the plain tokens of at most this many characters.
  std::span<const uint64_t> plain_up_to(size_t characters) const {
    return plain_[std::min(characters, kPlainCharactersMax)];
  }
  // Empty for a token that matches no text.
  std::string_view token(int32_t id) const {
    return std::string_view(bytes_).substr(begin_[id], begin_[id + 1] - begin_[id]);
  }
  std::span<const int32_t> end_of_generation() const { return end_of_generation_; }

 private:
  void build(const std::vector<std::string>& tokens);

  std::string bytes_;  // all tokens one after the other
  std::vector<uint32_t> begin_;
  std::vector<int32_t> end_of_generation_;
  std::array<std::array<Bucket, kBuckets>, 2> buckets_;
  std::vector<std::vector<uint64_t>> plain_;  // by number of characters
};

}  // namespace bittern::chat::grammar
