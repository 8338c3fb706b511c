// bittern run with a text that must match: each kind of grammar, and what is said where there is a
// mistake in it. What grammars allow is the business of tests/chat.
#include <gtest/gtest.h>

#include <regex>

#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;

Finished run(Words more) {
  more.insert(more.begin(), {"run", example_model(), "Once upon a time"});
  return run_program(more);
}

constexpr const char* kSchema =
    R"({"type": "object", "properties": {"size": {"enum": ["big", "small"]}, "ok": {"type": "boolean"}},
        "required": ["size", "ok"], "additionalProperties": false})";

// Every seed: hot sampling finds what a mask would let through.
TEST(RunGrammar, EveryKindHoldsTheText) {
  const TemporaryFolder folder;
  const std::string schema = folder.write("schema.json", kSchema).string();
  const std::string gbnf = "root ::= (\"no \" | \"yes \"){2} \"end\"";
  const std::string grammar = folder.write("rules.gbnf", gbnf + "\n").string();
  const std::string object = R"re(\{\s*"size":\s*"(big|small)",\s*"ok":\s*(true|false)\s*\})re";
  const std::pair<Words, std::string> cases[] = {
      {{"--json-schema", kSchema}, object},
      {{"-j", kSchema}, object},
      {{"--json-schema-file", schema}, object},
      {{"-jf", schema}, object},
      {{"--regex", "[ab]{3}|c+d"}, "[ab]{3}|c+d"},
      {{"--regex", "[ab]"}, "[ab]"},
      {{"--choice", "red", "--choice", "[a,b]"}, "red|\\[a,b\\]"},
      {{"--grammar", gbnf}, "((no|yes) ){2}end"},
      {{"--grammar-file", grammar}, "((no|yes) ){2}end"},
  };
  for (const auto& [flag, expected] : cases) {
    for (const char* seed : {"1", "2"}) {
      Words words = flag;
      words.insert(words.end(), {"--seed", seed, "--temp", "2", "--json"});
      const JsonBuilder json = json_of(run(words));
      EXPECT_TRUE(std::regex_match(json["text"].get<std::string>(), std::regex(expected)))
          << flag[0] << " " << json["text"];
      EXPECT_EQ(json["finish_reason"], "stop_token");
    }
  }
}

TEST(RunGrammar, AnyObject) {
  const JsonBuilder json = json_of(run({"--json-object", "--seed", "5", "-n", "60", "--json"}));
  const std::string text = json["text"];
  ASSERT_TRUE(text.starts_with('{')) << text;
  if (json["finish_reason"] == "stop_token") {
    EXPECT_TRUE(JsonBuilder::parse(text, nullptr, false).is_object()) << text;
  }
}

TEST(RunGrammar, EveryChoiceOfSeveralTextsMatches) {
  const JsonBuilder json = json_of(
      run({"--choice", "one", "--choice", "two", "--num-choices", "4", "--temp", "3", "--json"}));
  for (const JsonBuilder& choice : json["choices"])
    EXPECT_TRUE(choice["text"] == "one" || choice["text"] == "two") << choice["text"];
}

TEST(RunGrammar, MistakesInOneLineBeforeTheModelIsOpened) {
  const TemporaryFolder folder;
  const std::string broken = folder.write("broken.json", "{\"type\": ").string();
  const struct {
    Words words;
    int status;
    const char* message;
  } cases[] = {
      {{"-j", "{\"type\": \"objekt\"}"}, 3, "run: --json-schema: JSON Schema: /type: \"objekt\""},
      {{"-j", "{\"maxLenght\": 3}"}, 5, "run: --json-schema: JSON Schema: /maxLenght"},
      {{"-j", ""}, 3, "run: --json-schema: JSON Schema: not valid JSON"},
      {{"-jf", broken}, 3, "run: --json-schema-file: JSON Schema: not valid JSON"},
      {{"-jf", "/none"}, 3, "run: --json-schema-file: /none: no such file"},
      {{"--regex", "(a"}, 3, "run: --regex: regular expression: expected )"},
      {{"--regex", "a(?=b)"}, 5, "run: --regex: "},
      {{"--grammar", "root ::= thing"}, 3, "run: --grammar: GBNF grammar: rule \"thing\""},
      {{"--grammar-file", "/none"}, 3, "run: --grammar-file: /none: no such file"},
      {{"--regex", "a", "--json-object"}, 2, "run: --regex: not with --json-object; one grammar"},
      {{"-j", "{}", "-jf", "x"}, 2, "run: --json-schema-file: not with --json-schema"},
      {{"--choice", "a", "--ignore-eos"}, 2, "run: --ignore-eos: not with --choice"},
      {{"--choice", "a", "--head", "coarse"}, 2, "run: --head coarse: not with --choice"},
      {{"--guided-json", "{}"}, 2, "use --json-schema"},
  };
  for (const auto& [more, status, message] : cases) {
    Words words{"run", "/no/such/model", "x"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, status) << finished.err;
    EXPECT_NE(finished.err.find(message), std::string::npos) << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    EXPECT_EQ(finished.out, "");
  }
}

}  // namespace
}  // namespace bittern::test
