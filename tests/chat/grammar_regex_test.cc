// Regular expressions as automata: against std::regex where both have a construct, and by cases.
#include "chat/grammar/regex.h"

#include <gtest/gtest.h>

#include <regex>

#include "base/random.h"
#include "chat/grammar/grammar.h"
#include "chat/grammar_support.h"
#include "throws.h"

namespace bittern::test {
namespace {

using namespace chat::grammar;

struct Case {
  std::string expression;
  std::vector<std::string> yes, no;
};

TEST(GrammarRegex, WholeTexts) {
  const std::vector<Case> cases{
      {"", {""}, {"a"}},
      {"abc", {"abc"}, {"", "ab", "abcd"}},
      {"a|b|", {"a", "b", ""}, {"ab"}},
      {"(ab)*c+d?", {"c", "ababccd"}, {"abab", "d"}},
      {"a{2}b{1,3}c{2,}", {"aabcc", "aabbbcccc"}, {"abcc", "aabbbbcc", "aabc"}},
      {"a{0}b", {"b"}, {"ab"}},
      {"(a{2}){2}", {"aaaa"}, {"aaa", "aaaaa"}},
      {"a*?b+?c??", {"b", "aabbc"}, {"a"}},
      {"(a*)*b", {"b", "aaab"}, {"a"}},
      {"[a-cx]+", {"abcx"}, {"d", ""}},
      {"[^a-c]", {"d", "\xc3\xa9", "\n"}, {"a", "", "dd"}},
      {"[]", {}, {"", "a", "]"}},
      {"[\\]a-]+", {"]-a"}, {"b"}},
      {"[^]", {"a", "\n"}, {""}},
      {".", {"a", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}, {"\n", "\r", "\xe2\x80\xa8", "", "ab"}},
      {"\\d\\D\\w\\W\\s\\S", {"1a_- x"}, {"aa_- x", "1a_-\xc3\xa9x"}},
      {"\\s", {" ", "\t", "\xc2\xa0", "\xe3\x80\x80"}, {"a", "\xe2\x80\x8b"}},
      {"\\t\\n\\r\\f\\v\\0", {std::string("\t\n\r\f\v\0", 6)}, {""}},
      {"\\x41\\u0042\\u{43}\\cJ", {"ABC\n"}, {"ABC"}},
      {"\\ud83d\\ude00", {"\xf0\x9f\x98\x80"}, {"\xf0\x9f\x98\x81"}},
      {"\\u{1F600}", {"\xf0\x9f\x98\x80"}, {}},
      {"\\.\\*\\$\\^\\(\\)\\[\\]\\{\\}\\|\\/\\\\", {".*$^()[]{}|/\\"}, {}},
      {"[\\d\\-_.]+", {"1-_."}, {"a"}},
      {"[\\b]", {"\b"}, {"b"}},
      {"(?:a)(?<n>b)(?P<m>c)", {"abc"}, {}},
      {"^a$|^b$", {"a", "b"}, {"ab"}},
      {"a^b", {}, {"ab"}},
      {"(^|x)a", {"a", "xa"}, {"ya"}},
      {"\\p{L}+", {"a\xc3\xa9\xce\xb1"}, {"1"}},
      {"\\P{L}", {"1"}, {"a"}},
      {"\xc3\xa9+", {"\xc3\xa9\xc3\xa9"}, {"\xc3\xa9\xa9"}},
      {"[\xc3\xa0-\xe2\x82\xac]", {"\xc3\xa9", "\xe2\x82\xac"}, {"a", "\xe2\x82\xad"}},
  };
  for (const Case& each : cases) {
    const Automaton automaton = regular_language(each.expression, Anchored::whole, "t");
    for (const std::string& text : each.yes)
      EXPECT_TRUE(accepts(automaton, text)) << each.expression << " " << text;
    for (const std::string& text : each.no)
      EXPECT_FALSE(accepts(automaton, text)) << each.expression << " " << text;
  }
}

TEST(GrammarRegex, Search) {
  const std::vector<Case> cases{
      {"a",
       {"a", "xay",
        "\xe2\x82\xac"
        "a"},
       {"", "b"}},
      {"^a", {"a", "ab"}, {"ba"}},
      {"a$", {"a", "ba"}, {"ab"}},
      {"^$", {""}, {"a"}},
      {"^a|b$", {"ax", "xb"}, {"xa", "bx"}},
      {"x*", {"", "anything"}, {}},
      {"a.b",
       {"xxacb",
        "a\xe2\x82\xac"
        "b"},
       {"ab", "a\nb"}},
  };
  for (const Case& each : cases) {
    const Automaton automaton = regular_language(each.expression, Anchored::search, "t");
    for (const std::string& text : each.yes)
      EXPECT_TRUE(accepts(automaton, text)) << each.expression << " " << text;
    for (const std::string& text : each.no)
      EXPECT_FALSE(accepts(automaton, text)) << each.expression << " " << text;
  }
  // Never a text that is not UTF-8.
  EXPECT_FALSE(accepts(regular_language("a", Anchored::search, "t"), "a\xff"));
}

std::string random_expression(random::Sequence& random, int depth) {
  static const std::vector<std::string> kAtoms{"a",    "b",   "c", ".", "[ab]",
                                               "[^a]", "\\d", "1", "^", "$"};
  std::string out;
  for (uint64_t i = 0, n = 1 + random.below(3); i < n; ++i) {
    const bool group = depth < 3 && random.below(3) == 0;
    const std::string atom = group ? "(" + random_expression(random, depth + 1) + ")"
                                   : kAtoms[random.below(kAtoms.size())];
    out += atom;
    static const std::vector<std::string> kCounts{"",  "",    "",      "*",   "+",
                                                  "?", "{2}", "{0,2}", "{1,}"};
    if (atom != "^" && atom != "$") out += kCounts[random.below(kCounts.size())];
    if (random.below(5) == 0) out += "|";
  }
  return out;
}

TEST(GrammarRegex, AgreesWithTheStandardLibrary) {
  random::Sequence random(42);
  for (int i = 0; i < 300; ++i) {
    const std::string expression = random_expression(random, 0);
    const std::regex reference(expression, std::regex::ECMAScript);
    const Automaton whole = regular_language(expression, Anchored::whole, "t");
    const Automaton search = regular_language(expression, Anchored::search, "t");
    for (int j = 0; j < 40; ++j) {
      std::string text;
      for (uint64_t k = 0, n = random.below(6); k < n; ++k) text += "abc1"[random.below(4)];
      EXPECT_EQ(accepts(whole, text), std::regex_match(text, reference))
          << expression << " " << text;
      EXPECT_EQ(accepts(search, text), std::regex_search(text, reference))
          << expression << " " << text;
    }
  }
}

TEST(GrammarRegex, RefusesByName) {
  const auto error = [](std::string_view expression) {
    return thrown_by([&] { compile_regex(expression); }).value_or(Thrown{});
  };
  for (const auto& [expression, part] :
       std::vector<std::pair<std::string, std::string>>{{"a(?=b)", "look-ahead"},
                                                        {"a(?!b)", "look-ahead"},
                                                        {"(?<=a)b", "look-behind"},
                                                        {"(?<!a)b", "look-behind"},
                                                        {"(a)\\1", "a reference"},
                                                        {"(?<n>a)\\k<n>", "a reference"},
                                                        {"a\\b", "\\b"},
                                                        {"\\Ba", "\\B"},
                                                        {"\\Aa", "\\A"},
                                                        {"\\p{Greek}", "\\p{Greek}"},
                                                        {"(?i)a", "a group of this kind"},
                                                        {"(?>a)", "a group of this kind"},
                                                        {"a++", "a possessive quantifier"},
                                                        {"[[:alpha:]]", "a POSIX class"}}) {
    const Thrown thrown = error(expression);
    EXPECT_EQ(thrown.kind, ErrorKind::unsupported) << expression;
    EXPECT_NE(thrown.message.find(part), std::string::npos) << thrown.message;
  }
  for (const std::string expression : {"(",
                                       ")",
                                       "a)",
                                       "[a",
                                       "*a",
                                       "a**",
                                       "a{2,1}",
                                       "{2}",
                                       "a{x}",
                                       "\\",
                                       "\\q",
                                       "[b-a]",
                                       "[\\d-z]",
                                       "\\x4",
                                       "\\u12",
                                       "\\u{110000}",
                                       "\\ud800",
                                       "(?<a",
                                       "a{99999999999}",
                                       "^*",
                                       "\xff"}) {
    EXPECT_EQ(error(expression).kind, ErrorKind::bad_input) << expression;
  }
}

TEST(GrammarRegex, HostileExpressionsEndInALimit) {
  const auto ends = [](const std::string& expression) {
    const auto thrown = thrown_by([&] { compile_regex(expression); });
    return thrown && thrown->kind == ErrorKind::bad_input &&
           thrown->message.find("limit") != std::string::npos;
  };
  EXPECT_TRUE(ends("(a|b)*a(a|b){30}"));
  EXPECT_TRUE(ends("((a{1000}){1000}){1000}"));
  EXPECT_TRUE(ends(std::string(200, '(') + std::string(200, ')')));
  EXPECT_TRUE(ends(std::string(2'000'000, 'a')));
  EXPECT_TRUE(ends("(.*a.*b.*c.*d.*e.*f.*g.*h){40}x{5000}"));
  std::string stars = "a";
  for (int i = 0; i < 60; ++i) stars = "(" + stars + ")*";
  EXPECT_TRUE(matches(compile_regex(stars), "aaa"));
}

TEST(GrammarChoice, ExactlyTheTexts) {
  const Grammar grammar =
      compile_choice(std::vector<std::string>{"red", "green", "re", "\xe2\x82\xac"});
  for (const char* text : {"red", "green", "re", "\xe2\x82\xac"})
    EXPECT_TRUE(matches(grammar, text)) << text;
  for (const char* text : {"", "r", "redd", "blue"}) EXPECT_FALSE(matches(grammar, text)) << text;
  EXPECT_EQ(message_of([] { compile_choice({}); }), "choices: the list is empty");
  EXPECT_NE(message_of([] { compile_choice(std::vector<std::string>{"\xff"}); }).find("UTF-8"),
            std::string::npos);
}

}  // namespace
}  // namespace bittern::test
