// Masks, matchers and the caches behind them. A mask is compared with the slow way to it: every
// token of the vocabulary tried as text.
#include <gtest/gtest.h>

#include "base/random.h"
#include "chat/grammar/grammar.h"
#include "chat/grammar/limits.h"
#include "chat/grammar_support.h"
#include "throws.h"

namespace bittern::test {
namespace {

using namespace chat::grammar;

std::vector<int32_t> tried(const Matcher& matcher, const TokenTrie& trie) {
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < trie.vocab_size(); ++id) {
    Matcher copy = matcher;
    if (copy.accept(id)) ids.push_back(id);
  }
  return ids;
}

std::vector<Grammar> sample_grammars() {
  return {
      json_object(),
      json_object({.space = JsonSpace::none}),
      compile_json_schema(R"({"type": "object", "properties": {"name": {"type": "string"},
        "size": {"type": "string", "maxLength": 9}, "long": {"type": "string", "maxLength": 200},
        "n": {"type": "integer", "minimum": -3, "maximum": 250}}, "required": ["name"]})"),
      compile_json_schema(R"({"type": "array", "items": {"type": "string", "pattern": "^[a-z ]+$"},
        "contains": {"const": "the"}, "maxItems": 4})"),
      compile_json_schema(R"({"not": {"type": ["object", "integer"]}})"),
      compile_regex("(The|A) [a-z]{2,7}( [a-z]+)*\\.|.*once.*"),
      compile_gbnf("root ::= (word \" \")* word\nword ::= [a-z]+ | \"(\" root \")\""),
      compile_gbnf("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"\""),
      compile_choice(std::vector<std::string>{"yes", "no", "not at all", "caf\xc3\xa9"}),
  };
}

// Random walks; every mask on the way is checked.
void compare(const Grammar& grammar, const std::shared_ptr<const TokenTrie>& trie, uint64_t seed,
             size_t steps) {
  const auto constraint = std::make_shared<Constraint>(grammar, trie);
  random::Sequence random(seed);
  Matcher matcher(constraint);
  for (size_t step = 0; step < steps; ++step) {
    const std::vector<int32_t> ids = allowed(matcher, *trie);
    ASSERT_EQ(ids, tried(matcher, *trie)) << "seed " << seed << ", step " << step;
    if (ids.empty()) return;
    ASSERT_TRUE(matcher.accept(ids[random.below(ids.size())]));
    if (matcher.is_finished()) matcher = Matcher(constraint);
  }
}

TEST(GrammarMasks, EveryByteTriedGivesTheMask) {
  const auto trie = byte_vocabulary();
  uint64_t seed = 100;
  for (const Grammar& grammar : sample_grammars()) compare(grammar, trie, ++seed, 120);
}

TEST(GrammarMasks, EveryTokenTriedGivesTheMask) {
  const auto trie = trained_vocabulary("gpt2.tokenizer.json");
  uint64_t seed = 200;
  for (const Grammar& grammar : sample_grammars()) compare(grammar, trie, ++seed, 25);
}

// Tokens that cross from one rule to others, and more than the longest bucket; some twice.
TEST(GrammarMasks, LongAndRepeatedTokens) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* text :
       {"{\"name\":\"", "\",\"size\":\"", "\"}", "{\"name\": \"a\", \"size\": \"b\"}", "the same",
        "the same", "caf\xc3", "\xa9 ok", "\\u00", "\\\"", "                              ",
        "a sentence that is longer than any bucket of tokens\"}", "[\"the\",\"the\"]", "\"\"", ""})
    tokens.emplace_back(text);
  tokens.emplace_back(80, 'x');
  tokens.emplace_back(600, 'y');  // past kTokenBytesMax
  const auto trie = std::make_shared<const TokenTrie>(tokens, std::vector<int32_t>{270});
  uint64_t seed = 300;
  for (const Grammar& grammar : sample_grammars()) compare(grammar, trie, ++seed, 60);
}

// Plain tokens are not walked in strings: at every length of a string, and over the blocks that a
// large count is made of, the mask must end where the count does.
TEST(GrammarMasks, StringsEndWhereTheirLengthDoes) {
  std::vector<std::string> tokens;
  for (size_t length = 1; length <= 60; ++length) tokens.emplace_back(length, 'a');
  for (const char* text : {"\xc3\xa9", "\xc3\xa9\xc3\xa9\xc3\xa9", "aa\"", "\"", "a\"]", "\\n",
                           "aa\\naa", "\xc3", "\xa9",
                           "\xa9"
                           "a"})
    tokens.emplace_back(text);
  const auto trie = std::make_shared<const TokenTrie>(tokens, std::vector<int32_t>{});
  for (const char* schema :
       {R"({"type":"string","maxLength":5})", R"({"type":"string","minLength":3,"maxLength":50})",
        R"({"type":"string","minLength":70,"maxLength":150})", R"({"type":"string"})",
        R"({"type":"array","items":{"type":"string","maxLength":30}})"}) {
    const auto constraint = std::make_shared<Constraint>(compile_json_schema(schema), trie);
    Matcher matcher(constraint);
    matcher.accept_text("[");  // of the array; refused by the others
    ASSERT_TRUE(matcher.accept_text("\""));
    for (int length = 0; length < 160; ++length) {
      ASSERT_EQ(allowed(matcher, *trie), tried(matcher, *trie)) << schema << " " << length;
      if (!matcher.accept_text("a")) break;
    }
  }
}

TEST(GrammarMasks, SpecialTokensMatchNoText) {
  const auto trie = trained_vocabulary("gpt2.tokenizer.json");
  Matcher matcher(std::make_shared<Constraint>(compile_regex("(.|\\n)*"), trie));
  size_t special = 0;
  for (int32_t id = 0; id < trie->vocab_size(); ++id) special += trie->token(id).empty();
  EXPECT_GE(special, 1u);
  for (const int32_t id : allowed(matcher, *trie)) {
    const auto ends = trie->end_of_generation();
    EXPECT_TRUE(!trie->token(id).empty() || std::ranges::find(ends, id) != ends.end()) << id;
  }
}

TEST(GrammarMasks, EndsExactlyWhereTheTextMayEnd) {
  const auto trie = byte_vocabulary();
  Matcher matcher(std::make_shared<Constraint>(compile_regex("ab?"), trie));
  EXPECT_FALSE(matcher.accept(256));
  EXPECT_TRUE(matcher.accept('a'));
  EXPECT_TRUE(matcher.is_complete());
  EXPECT_EQ(allowed(matcher, *trie), (std::vector<int32_t>{'b', 256}));
  EXPECT_FALSE(matcher.is_finished());
  EXPECT_TRUE(matcher.accept(256));
  EXPECT_TRUE(matcher.is_finished());
  EXPECT_TRUE(allowed(matcher, *trie).empty());
  EXPECT_FALSE(matcher.accept('b'));
  EXPECT_FALSE(matcher.accept_text("b"));
  EXPECT_EQ(matcher.forced(), "");
  matcher.rollback(1);
  EXPECT_FALSE(matcher.is_finished());
  EXPECT_TRUE(matcher.accept('b'));
}

TEST(GrammarMasks, WordsBehindTheVocabularyAreCleared) {
  const auto trie = byte_vocabulary();
  Matcher matcher(std::make_shared<Constraint>(compile_regex("a"), trie));
  std::vector<uint64_t> bits(trie->mask_words() + 3, ~uint64_t{0});
  EXPECT_TRUE(matcher.mask(bits));
  for (size_t at = 0; at < bits.size(); ++at) EXPECT_EQ(bits[at], at == 1 ? 1ull << 33 : 0) << at;
}

TEST(GrammarMasks, AVocabularyWithoutTheBytesIsSaidSo) {
  const auto trie =
      std::make_shared<const TokenTrie>(std::vector<std::string>{"a", ""}, std::vector<int32_t>{1});
  Matcher matcher(std::make_shared<Constraint>(compile_regex("ab"), trie));
  std::vector<uint64_t> bits(trie->mask_words());
  EXPECT_TRUE(matcher.mask(bits));
  EXPECT_TRUE(matcher.accept(0));
  EXPECT_FALSE(matcher.mask(bits));
}

TEST(GrammarMatcher, RollsBackToEveryPlace) {
  const auto trie = trained_vocabulary("gpt2.tokenizer.json");
  const auto constraint = std::make_shared<Constraint>(json_object(), trie);
  random::Sequence random(7);
  Matcher matcher(constraint);
  std::vector<std::vector<int32_t>> masks{allowed(matcher, *trie)};
  for (int step = 0; step < 30 && !masks.back().empty(); ++step) {
    ASSERT_TRUE(matcher.accept(masks.back()[random.below(masks.back().size())]));
    masks.push_back(allowed(matcher, *trie));
  }
  const Matcher end = matcher;
  for (size_t back = 0; back <= end.length(); ++back) {
    Matcher copy = end;
    copy.rollback(back);
    ASSERT_EQ(allowed(copy, *trie), masks[masks.size() - 1 - back]) << back;
  }
}

TEST(GrammarMatcher, CopiesGoTheirOwnWay) {
  const auto constraint = std::make_shared<Constraint>(compile_regex("a(b|c)d"), byte_vocabulary());
  Matcher one(constraint);
  EXPECT_TRUE(one.accept('a'));
  Matcher two = one;
  EXPECT_TRUE(one.accept('b'));
  EXPECT_TRUE(two.accept('c'));
  EXPECT_TRUE(one.accept_text("d"));
  EXPECT_FALSE(two.is_complete());
  EXPECT_TRUE(one.is_complete());
}

TEST(GrammarMatcher, ATextIsTakenWholeOrNotAtAll) {
  Matcher matcher(std::make_shared<Constraint>(compile_regex("abc"), byte_vocabulary()));
  EXPECT_FALSE(matcher.accept_text("abd"));
  EXPECT_EQ(matcher.length(), 0u);
  EXPECT_TRUE(matcher.accept_text("ab"));
  EXPECT_EQ(matcher.length(), 1u);
  matcher.rollback(1);
  EXPECT_TRUE(matcher.accept_text("abc"));
}

TEST(GrammarMatcher, SaysWhatIsForced) {
  const auto forced = [](const Grammar& grammar, std::string_view text) {
    Matcher matcher(std::make_shared<Constraint>(grammar, byte_vocabulary()));
    EXPECT_TRUE(matcher.accept_text(text));
    return matcher.forced(40);
  };
  const Grammar object = compile_json_schema(
      R"({"type": "object", "properties": {"answer": {"enum": ["yes", "yesterday"]}},
          "required": ["answer"], "additionalProperties": false})",
      {.space = JsonSpace::none});
  EXPECT_EQ(forced(object, ""), "{\"answer\":\"yes");
  EXPECT_EQ(forced(object, "{\"answer\":\"yes\""), "}");
  EXPECT_EQ(forced(object, "{\"answer\":\"yes\"}"), "");
  EXPECT_EQ(forced(compile_regex("ab?"), ""), "a");  // behind it the text may end
  EXPECT_EQ(forced(compile_gbnf("root ::= \"a\" root"
                                " | \"a\" \"b\""),
                   ""),
            "a");
  EXPECT_EQ(forced(compile_regex("a{100}"), ""), std::string(40, 'a'));
}

// Caches that are emptied all the time change nothing.
TEST(GrammarMatcher, SmallCachesGiveTheSameMasks) {
  const auto trie = byte_vocabulary();
  for (const Grammar& grammar : sample_grammars()) {
    const auto small = std::make_shared<Constraint>(grammar, trie, 3000);
    const auto large = std::make_shared<Constraint>(grammar, trie);
    Matcher one(small), two(large);
    random::Sequence random(11);
    for (int step = 0; step < 80; ++step) {
      const std::vector<int32_t> ids = allowed(two, *trie);
      ASSERT_EQ(allowed(one, *trie), ids) << step;
      ASSERT_EQ(one.is_complete(), two.is_complete());
      ASSERT_EQ(one.forced(), two.forced());
      if (ids.empty()) break;
      const int32_t chosen = ids[random.below(ids.size())];
      ASSERT_TRUE(one.accept(chosen));
      ASSERT_TRUE(two.accept(chosen));
      if (step % 10 == 9) {
        one.rollback(4);
        two.rollback(4);
      }
    }
  }
}

TEST(GrammarMatcher, NestingHasABound) {
  Matcher matcher(std::make_shared<Constraint>(compile_json_schema("true"), byte_vocabulary()));
  size_t depth = 0;
  while (matcher.accept('[')) ++depth;
  EXPECT_GE(depth, 100u);
  EXPECT_LE(depth, static_cast<size_t>(kNestingMax));
  for (size_t i = 0; i < depth; ++i) ASSERT_TRUE(matcher.accept(']')) << i;
  EXPECT_TRUE(matcher.is_complete());
}

// An ambiguous grammar has a number of readings that doubles with every byte; the work does not.
TEST(GrammarMatcher, AmbiguityDoesNotMultiply) {
  const Grammar grammar =
      compile_gbnf("root ::= b | c | \"\"\nb ::= \"a\" root \"x\"\nc ::= \"a\" root \"y\"\n");
  Matcher matcher(std::make_shared<Constraint>(grammar, byte_vocabulary()));
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(matcher.accept('a'));
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(matcher.accept(i % 3 == 0 ? 'x' : 'y'));
  EXPECT_TRUE(matcher.is_complete());
  EXPECT_FALSE(matcher.accept('x'));
}

TEST(GrammarMatcher, RightRecursionIsNotNesting) {
  Matcher matcher(std::make_shared<Constraint>(
      compile_gbnf("root ::= item rest\nrest ::= \",\" item rest | \"\"\nitem ::= [a-z]+"),
      byte_vocabulary()));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(matcher.accept_text("abc,"));
  EXPECT_TRUE(matcher.accept_text("z"));
  EXPECT_TRUE(matcher.is_complete());
}

}  // namespace
}  // namespace bittern::test
