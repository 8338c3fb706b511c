// What the tests of grammars share: whole texts against a grammar, and small vocabularies.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/grammar/grammar.h"

namespace bittern::test {

// Tokens 0 to 255 are the bytes, 256 ends the text.
std::shared_ptr<const chat::grammar::TokenTrie> byte_vocabulary();
// A byte-level BPE vocabulary of tests/data/text.
std::shared_ptr<const chat::grammar::TokenTrie> trained_vocabulary(const std::string& name);
// The whole text is a match.
bool matches(const chat::grammar::Grammar& grammar, std::string_view text);
// Ids of the tokens that a mask of `matcher` has.
std::vector<int32_t> allowed(chat::grammar::Matcher& matcher, const chat::grammar::TokenTrie& trie);

}  // namespace bittern::test
