// llama.cpp's grammar language.
#include <gtest/gtest.h>

#include "base/error.h"
#include "chat/grammar/grammar.h"
#include "chat/grammar_support.h"
#include "throws.h"

namespace bittern::test {
namespace {

using namespace chat::grammar;

TEST(GrammarGbnf, Cases) {
  struct Case {
    std::string grammar;
    std::vector<std::string> yes, no;
  };
  const std::vector<Case> cases{
      {"root ::= \"a\"", {"a"}, {"", "b"}},
      {"root ::= \"\"", {""}, {"a"}},
      {"root  ::= \"a\" \"b\" | \"c\"\n", {"ab", "c"}, {"a", "abc"}},
      {"# a comment\n\nroot ::= x # another\nx ::= \"1\"", {"1"}, {}},
      {"root ::= (\"a\" |\n  \"b\")\n", {"a", "b"}, {}},
      {"root ::=\n  \"a\" |\n  \"b\"\nx ::= \"c\"", {"a", "b"}, {"c"}},
      {"root ::= [a-c] [^a-c] [x-] [-y] [\\]] [\\x41-\\u0043]",
       {"adx-]B", "a\xe2\x82\xac-y]A"},
       {"aax-]B", "adx-]D"}},
      {"root ::= \"\\t\\r\\n\\\\\\\"\\x41\\u00e9\\U0001F600\"",
       {"\t\r\n\\\"A\xc3\xa9\xf0\x9f\x98\x80"},
       {}},
      {"root ::= . .", {"ab", "\n\xc3\xa9"}, {"a", "abc"}},
      {"root ::= \"ab\"* \"c\"+ \"d\"?", {"c", "ababccd"}, {"abab", "abc b"}},
      {"root ::= \"ab\"{2} [0-9]{1,2} \"c\"{2,} \"d\"{0,1} \"e\"{,2}", {}, {}},
      {"root ::= [a]{2} [b]{1,2} [c]{2,} [d]{0,2}", {"aabcc", "aabbcccdd"}, {"abcc", "aabc"}},
      {"root ::= ([a] [b]){2}", {"abab"}, {"ab", "aab"}},
      {"root ::= \"(\" root \")\" | \"\"", {"", "(())"}, {"(", "())"}},
      {"root ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= [0-9]+ | \"(\" expr \")\"",
       {"1+(2+3)+44"},
       {"1+", "(1"}},
      {"root ::= other-rule\nother-rule ::= \"x\" | \"\" other-rule2\nother-rule2 ::= \"y\"",
       {"x", "y"},
       {""}},
      {"root ::= [^\\n]+ \"\\n\"", {"a line\n"}, {"\n", "a\nb\n"}},
  };
  for (const Case& each : cases) {
    if (each.yes.empty() && each.no.empty()) {
      EXPECT_EQ(thrown_by([&] { compile_gbnf(each.grammar); })->kind, ErrorKind::bad_input);
      continue;
    }
    const Grammar grammar = compile_gbnf(each.grammar);
    for (const std::string& text : each.yes)
      EXPECT_TRUE(matches(grammar, text)) << each.grammar << "\n" << text;
    for (const std::string& text : each.no)
      EXPECT_FALSE(matches(grammar, text)) << each.grammar << "\n" << text;
  }
}

// The published grammar of JSON of llama.cpp, in our words: objects, arrays, strings, numbers.
TEST(GrammarGbnf, Json) {
  const Grammar grammar = compile_gbnf(R"(
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws     ::= | " " | "\n" [ \t]{0,20}
)");
  EXPECT_TRUE(matches(grammar, "{\"a\": [1, -2.5e3, \"x\\u00e9\"],\n  \"b\": {}}"));
  EXPECT_FALSE(matches(grammar, "{\"a\": [1, }"));
  EXPECT_FALSE(matches(grammar, "[1]"));
}

TEST(GrammarGbnf, Errors) {
  const auto message = [](std::string_view grammar) {
    return message_of([&] { compile_gbnf(grammar); });
  };
  EXPECT_EQ(message("a ::= \"x\""), "GBNF grammar: it has no rule \"root\"");
  EXPECT_EQ(message("root ::= b"), "GBNF grammar: rule \"b\" is not defined");
  EXPECT_EQ(message("root ::= \"a\"\nroot ::= \"b\""),
            "GBNF grammar: rule \"root\" is defined twice");
  EXPECT_EQ(message("root ::= root \"a\" | \"b\""),
            "grammar: rule \"root\" calls itself before it reads anything (left recursion)");
  EXPECT_EQ(message("root ::= x root | \"b\"\nx ::= \"a\"?"),
            "grammar: rule \"root\" calls itself before it reads anything (left recursion)");
  EXPECT_EQ(message("root ::= \"a\" root"), "grammar: no text can match");
  EXPECT_NE(message("root ::= <think>").find("tokens by name"), std::string::npos);
  EXPECT_NE(message("root ::= \"a\n\"").find("does not end"), std::string::npos);
  for (const char* grammar :
       {"root", "root ::= (", "root ::= [a", "root ::= *", "root ::= \"\\q\"", "root ::= \"a\"{2",
        "root ::= \"a\"{3,2}", "root ::= )", "::= x", "root ::= [z-a]", "root ::= \"\\ud800\"",
        "\xff", "root ::= \"a\"{9999999}"}) {
    const auto thrown = thrown_by([&] { compile_gbnf(grammar); });
    ASSERT_TRUE(thrown) << grammar;
    EXPECT_EQ(thrown->kind, ErrorKind::bad_input) << grammar;
  }
}

TEST(GrammarGbnf, HostileGrammarsEndInALimit) {
  const auto ends = [](const std::string& grammar) {
    const auto thrown = thrown_by([&] { compile_gbnf(grammar); });
    return thrown && thrown->message.find("limit") != std::string::npos;
  };
  EXPECT_TRUE(ends("root ::= " + std::string(60'000, '(') + "\"a\"" + std::string(60'000, ')')));
  EXPECT_TRUE(ends("root ::= [ab]* \"a\" [ab]{60}"));
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 40; ++i) chain += fmt::format("r{} ::= r{} r{}\n", i, i + 1, i + 1);
  chain += "r40 ::= \"a\"\n";
  compile_gbnf(chain);  // doubling is no cost: rules are shared
  std::string rules = "root ::= r0\n";
  for (int i = 0; i < 60'000; ++i) rules += fmt::format("r{} ::= \"a\" r{}\n", i, i + 1);
  EXPECT_TRUE(ends(rules + "r60000 ::= \"a\""));
}

}  // namespace
}  // namespace bittern::test
