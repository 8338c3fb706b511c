#include "chat/grammar/token_trie.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "chat/grammar/limits.h"

namespace bittern::chat::grammar {
namespace {

std::vector<std::string> matching_texts(const text::Tokenizer& tokenizer) {
  const text::VocabSpec& spec = tokenizer.spec();
  std::vector<bool> special(spec.tokens.size());
  for (size_t id = 0; id < special.size(); ++id) {
    const text::TokenKind kind = spec.kinds[id];
    special[id] = kind == text::TokenKind::control || kind == text::TokenKind::unknown ||
                  kind == text::TokenKind::unused ||
                  tokenizer.is_end_of_generation(static_cast<int32_t>(id));
  }
  for (const text::AddedToken& added : spec.added)
    if (added.special) special[static_cast<size_t>(added.id)] = true;
  std::vector<std::string> texts(spec.tokens.size());
  for (size_t id = 0; id < texts.size(); ++id)
    if (!special[id]) texts[id] = tokenizer.token_bytes(static_cast<int32_t>(id));
  return texts;
}

std::vector<int32_t> ending_tokens(const text::Tokenizer& tokenizer) {
  std::vector<int32_t> found;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
    if (tokenizer.is_end_of_generation(id)) found.push_back(id);
  return found;
}

size_t bucket_of(size_t length) {
  size_t bucket = 0;
  while (bucket < kBucketBytes.size() && length > static_cast<size_t>(kBucketBytes[bucket]))
    ++bucket;
  return bucket;
}

// Characters of a plain token, 0 of any other.
size_t plain_length(std::string_view token) {
  size_t count = 0;
  for (; !token.empty(); ++count) {
    const utf8::Decoded decoded = utf8::decode(token);
    if (!decoded.valid || !contains(plain_characters(), decoded.code_point)) return 0;
    token.remove_prefix(decoded.length);
  }
  return count <= kPlainCharactersMax ? count : 0;
}

void add_node(TokenTrie::Bucket& bucket, uint8_t byte, size_t depth, int32_t parent) {
  bucket.byte.push_back(byte);
  bucket.depth.push_back(static_cast<uint16_t>(depth));
  bucket.parent.push_back(parent);
  bucket.subtree_end.push_back(0);
  bucket.token_begin.push_back(static_cast<int32_t>(bucket.tokens.size()));
}

// `sorted`: texts in byte order with their ids.
TokenTrie::Bucket tree_of(const std::vector<std::pair<std::string_view, int32_t>>& sorted) {
  TokenTrie::Bucket bucket;
  std::vector<int32_t> path{0};  // the nodes of the current text
  std::string_view before;
  add_node(bucket, 0, 0, -1);
  const auto close_to = [&](size_t depth) {
    while (path.size() > depth + 1) {
      bucket.subtree_end[path.back()] = bucket.node_count();
      path.pop_back();
    }
  };
  for (const auto& [text, id] : sorted) {
    const size_t shared =
        static_cast<size_t>(std::ranges::mismatch(before, text).in1 - before.begin());
    close_to(shared);
    for (size_t at = shared; at < text.size(); ++at) {
      add_node(bucket, static_cast<uint8_t>(text[at]), at + 1, path.back());
      path.push_back(bucket.node_count() - 1);
    }
    bucket.tokens.push_back(id);
    before = text;
  }
  close_to(0);
  bucket.subtree_end[0] = bucket.node_count();
  bucket.token_begin.push_back(static_cast<int32_t>(bucket.tokens.size()));
  return bucket;
}

}  // namespace

const Characters& plain_characters() {
  static const Characters made = tidied({{0x20, 0x21}, {0x23, 0x5b}, {0x5d, kLastCharacter}});
  return made;
}

TokenTrie::TokenTrie(const text::Tokenizer& tokenizer)
    : TokenTrie(matching_texts(tokenizer), ending_tokens(tokenizer)) {}

TokenTrie::TokenTrie(std::vector<std::string> tokens, std::vector<int32_t> end_of_generation)
    : end_of_generation_(std::move(end_of_generation)) {
  for (std::string& token : tokens)
    if (token.size() > kTokenBytesMax) token.clear();
  build(tokens);
}

void TokenTrie::build(const std::vector<std::string>& tokens) {
  using Sorted = std::vector<std::pair<std::string_view, int32_t>>;
  std::array<std::array<Sorted, kBuckets>, 2> sorted;
  plain_.resize(kPlainCharactersMax + 1, std::vector<uint64_t>((tokens.size() + 63) / 64));
  begin_.push_back(0);
  for (size_t id = 0; id < tokens.size(); ++id) {
    bytes_ += tokens[id];
    begin_.push_back(static_cast<uint32_t>(bytes_.size()));
    if (tokens[id].empty()) continue;
    const size_t plain = plain_length(tokens[id]);
    sorted[plain > 0][bucket_of(tokens[id].size())].emplace_back(tokens[id],
                                                                 static_cast<int32_t>(id));
    for (size_t length = plain; plain > 0 && length <= kPlainCharactersMax; ++length)
      plain_[length][id / 64] |= uint64_t{1} << (id % 64);
  }
  for (size_t kind = 0; kind < sorted.size(); ++kind) {
    for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
      std::ranges::sort(sorted[kind][bucket]);
      buckets_[kind][bucket] = tree_of(sorted[kind][bucket]);
    }
  }
}

}  // namespace bittern::chat::grammar
