// A short walk through a compiled grammar for the fuzz targets: masks are the same twice, a token
// of the mask is accepted, another is not, and rollback leads back to the start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "chat/grammar/grammar.h"

namespace bittern::fuzz {

inline void walk(const chat::grammar::Grammar& grammar, uint64_t seed) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* text : {"", "ab", "\":", "{\"", "\"}", ", \"", "aaaaaaaa", "]]"})
    tokens.emplace_back(text);
  const auto trie =
      std::make_shared<const chat::grammar::TokenTrie>(tokens, std::vector<int32_t>{256});
  const auto constraint = std::make_shared<chat::grammar::Constraint>(grammar, trie);
  chat::grammar::Matcher matcher(constraint);
  random::Sequence random(seed);
  std::vector<uint64_t> bits(trie->mask_words()), again(bits), first;
  for (int step = 0; step < 24 && matcher.mask(bits); ++step) {
    if (step == 0) first = bits;
    matcher.mask(again);
    BITTERN_CHECK(bits == again, "step {}", step);
    auto token = static_cast<int32_t>(random.below(tokens.size()));
    for (int tries = 0; tries < 400; ++tries, token = (token + 1) % trie->vocab_size()) {
      chat::grammar::Matcher copy = matcher;
      const bool in_mask = (bits[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
      BITTERN_CHECK(copy.accept(token) == in_mask, "step {}, token {}", step, token);
      if (!in_mask) continue;
      matcher = copy;
      break;
    }
  }
  matcher.rollback(matcher.length());
  matcher.mask(again);
  BITTERN_CHECK(first.empty() || again == first, "{} words", again.size());
}

}  // namespace bittern::fuzz
