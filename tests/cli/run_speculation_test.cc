// bittern run with guesses: the same text, bit for bit, with and without them.
#include <gtest/gtest.h>

#include "cli/program_support.h"
#include "format/checkpoint.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;

// It repeats itself, so there is something to look up.
constexpr const char* kPrompt =
    "The red bird sang to the blue bird. The blue bird sang to the red bird. The red bird";

JsonBuilder document(Words more) {
  more.insert(more.begin(), {"run", example_model(), kPrompt, "-n", "60", "--json"});
  return json_of(run_program(more));
}

TEST(RunSpeculation, ChangesNoText) {
  const Words samplings[] = {
      {"--seed", "0", "--temp", "0"},
      {"--seed", "1"},
      {"--seed", "2", "--temp", "1.5", "--top-k", "0"},
      {"--seed", "3", "--repeat-penalty", "1.2", "--dry-multiplier", "1"},
      {"--seed", "4", "--logprobs", "2"},
      {"--seed", "5", "--num-choices", "3"},
      {"--seed", "6", "--regex", "( bird[.!]){4,20}"},
      {"--seed", "7", "--stop", "bird", "--min-tokens", "5"},
      {"--seed", "8", "--kv-type", "int8", "--threads", "1", "--ignore-eos"},
  };
  int64_t accepted = 0;
  for (const Words& sampling : samplings) {
    JsonBuilder plain = document(sampling);
    EXPECT_FALSE(plain["statistics"].contains("guessed_tokens"));
    for (const Words& guessing :
         {Words{"--speculation", "lookup"}, Words{"-md", example_model()},
          Words{"--speculation", "draft", "--draft-model", example_model(), "--draft-max", "3"}}) {
      Words words = sampling;
      words.insert(words.end(), guessing.begin(), guessing.end());
      JsonBuilder guessed = document(words);
      EXPECT_GE(guessed["statistics"]["guessed_tokens"], guessed["statistics"]["accepted_guesses"]);
      accepted += guessed["statistics"]["accepted_guesses"].get<int64_t>();
      guessed.erase("statistics");
      JsonBuilder expected = plain;
      expected.erase("statistics");
      EXPECT_EQ(guessed, expected) << words[1] << " " << guessing[0];
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(RunSpeculation, SaysHowManyGuessesWereRight) {
  const Finished finished = run_program(
      {"run", example_model(), kPrompt, "-n", "20", "--temp", "0", "--speculation", "lookup"});
  EXPECT_NE(finished.err.find("guesses "), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find(" right\n"), std::string::npos) << finished.err;
  const Finished off = run_program(
      {"run", example_model(), kPrompt, "-n", "20", "--temp", "0", "--speculation", "off"});
  EXPECT_EQ(off.out, finished.out);
  EXPECT_EQ(off.err.find("guesses "), std::string::npos) << off.err;
}

TEST(RunSpeculation, ADraftModelHasTheSameTokens) {
  const TemporaryFolder folder;
  std::vector<std::string> tokens =
      *format::open_checkpoint(example_model()).metadata.get_strings("tokenizer.ggml.tokens");
  std::swap(tokens[400], tokens[401]);
  const std::string other =
      changed_model(folder, "tokenizer.ggml.tokens", format::value_of(tokens));
  const Finished finished = run_program({"run", example_model(), kPrompt, "-md", other});
  EXPECT_EQ(finished.status, 3);
  EXPECT_NE(finished.err.find(other + ": a draft model with the tokens of " + example_model()),
            std::string::npos)
      << finished.err;
  EXPECT_NE(finished.err.find("token 400"), std::string::npos) << finished.err;
  EXPECT_EQ(finished.out, "");
}

TEST(RunSpeculation, MistakesInOneLine) {
  const struct {
    Words words;
    int status;
    const char* message;
  } cases[] = {
      {{"--speculation", "draft"}, 2, "--speculation draft: needs --draft-model MODEL"},
      {{"--speculation", "off", "-md", "x"}, 2, "--draft-model: not with --speculation off"},
      {{"--speculation", "lookup", "-md", "x"}, 2, "--draft-model: not with --speculation lookup"},
      {{"--speculation", "guess"}, 2, "one of off, lookup, draft expected"},
      {{"--draft-max", "4"}, 2, "--draft-max: needs --speculation lookup or --draft-model"},
      {{"--draft-max", "0", "-md", "x"}, 2, "--draft-max: 1 to 64 expected"},
      {{"-md", "/no/such/model"}, 3, "/no/such/model: no such file"},
      {{"--spec-type", "ngram-simple"}, 2, "use --speculation off, lookup or draft"},
  };
  for (const auto& [more, status, message] : cases) {
    Words words{"run", example_model(), "x"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, status) << finished.err;
    EXPECT_NE(finished.err.find(message), std::string::npos) << finished.err;
  }
}

}  // namespace
}  // namespace bittern::test
