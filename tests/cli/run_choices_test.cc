// bittern run with several texts for one prompt, and what is said about tokens and prompts.
#include <gtest/gtest.h>
#include <signal.h>

#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;

Finished run(Words more) {
  more.insert(more.begin(), {"run", example_model(), "Once upon a time"});
  return run_program(more);
}

JsonBuilder document(Words more) {
  more.push_back("--json");
  return json_of(run(std::move(more)));
}

TEST(RunChoices, EachIsTheRunOfItsSeed) {
  const JsonBuilder json = document({"-n", "20", "--seed", "7", "--num-choices", "3"});
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_EQ(keys, (Words{"model", "prompt", "prompt_ids", "choices", "sampling", "statistics"}));
  ASSERT_EQ(json["choices"].size(), 3u);
  std::string shown;
  for (size_t index = 0; index < 3; ++index) {
    const JsonBuilder one = document({"-n", "20", "--seed", std::to_string(7 + index)});
    for (const char* key : {"text", "token_ids", "finish_reason", "stop", "log_probabilities"})
      EXPECT_EQ(json["choices"][index][key], one[key]) << index << key;
    const std::string text = one["text"];
    shown += "--- choice " + std::to_string(index + 1) + " ---\n" + text;
    if (!text.ends_with('\n')) shown += '\n';
  }
  EXPECT_NE(json["choices"][0]["text"], json["choices"][1]["text"]);
  EXPECT_EQ(json["statistics"]["text_tokens"], 60);
  const Finished streamed = run({"-n", "20", "--seed", "7", "--num-choices", "3"});
  EXPECT_EQ(streamed.out, shown);
  EXPECT_NE(streamed.err.find("60 tokens in 3 choices"), std::string::npos) << streamed.err;
}

TEST(RunChoices, TheBestAreTheLikeliest) {
  const auto mean = [](const JsonBuilder& choice) {
    double sum = 0.0;
    for (const JsonBuilder& row : choice["log_probabilities"])
      sum += row["log_probability"].get<double>();
    return sum / static_cast<double>(choice["log_probabilities"].size());
  };
  const Words words{"-n", "16", "--seed", "3", "--temp", "1.2", "--logprobs", "0"};
  Words all = words;
  all.insert(all.end(), {"--num-choices", "6"});
  std::vector<std::pair<double, std::string>> texts;
  const JsonBuilder several = document(all);
  for (const JsonBuilder& choice : several["choices"])
    texts.emplace_back(mean(choice), choice["text"].get<std::string>());
  std::sort(texts.rbegin(), texts.rend());

  Words best = words;
  best.insert(best.end(), {"--best-of", "6"});
  EXPECT_EQ(document(best)["text"], texts[0].second);
  best.insert(best.end(), {"--num-choices", "2"});
  const JsonBuilder two = document(best);
  ASSERT_EQ(two["choices"].size(), 2u);
  EXPECT_EQ(two["choices"][0]["text"], texts[0].second);
  EXPECT_EQ(two["choices"][1]["text"], texts[1].second);
  const Finished shown = run({"-n", "4", "--best-of", "3"});
  EXPECT_NE(shown.err.find("4 tokens, the best of 3 (12 tokens)"), std::string::npos) << shown.err;
}

// More than run at once, each longer than a page.
TEST(RunChoices, ManyWaitForTheirTurn) {
  const JsonBuilder json =
      document({"-n", "80", "--seed", "1", "--num-choices", "20", "--ignore-eos", "-c", "100"});
  ASSERT_EQ(json["choices"].size(), 20u);
  EXPECT_EQ(json["choices"][19]["text"],
            document({"-n", "80", "--seed", "20", "--ignore-eos"})["text"]);
}

// None of these comes to an end by itself soon.
TEST(RunChoices, InterruptKeepsEveryText) {
  const TemporaryFolder folder;
  const Words words{"run",
                    long_model(folder),
                    "Once upon a time",
                    "--ignore-eos",
                    "--seed",
                    "1",
                    "--kv-type",
                    "int8",
                    "--num-choices",
                    "2"};
  Program streamed(words);
  streamed.read_output(30);
  streamed.send(SIGINT);
  const Finished finished = streamed.finish();
  EXPECT_EQ(finished.status, 130) << finished.err;
  EXPECT_TRUE(finished.out.starts_with("--- choice 1 ---\n"));
  EXPECT_NE(finished.out.find("\n--- choice 2 ---\n"), std::string::npos);
  EXPECT_NE(finished.err.find("in 2 choices"), std::string::npos) << finished.err;

  Words best = words;
  best.insert(best.end(), {"--best-of", "3", "--json"});
  Program quiet(best);
  quiet.wait_until_handling(SIGINT);
  quiet.send(SIGINT);
  const Finished ended = quiet.finish();
  EXPECT_EQ(ended.status, 130) << ended.err;
  const JsonBuilder json = JsonBuilder::parse(ended.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << ended.out;
  for (const JsonBuilder& choice : json["choices"])
    EXPECT_EQ(choice["finish_reason"], "interrupted");
}

TEST(RunChoices, MinTokensPutOffTheEnd) {
  const Words eager{"-n", "9", "--logit-bias", "0=1000"};
  EXPECT_EQ(document(eager)["token_ids"].size(), 1u);
  Words later = eager;
  later.insert(later.end(), {"--min-tokens", "4"});
  const JsonBuilder json = document(later);
  EXPECT_EQ(json["token_ids"].size(), 5u);
  EXPECT_EQ(json["finish_reason"], "stop_token");
}

// What the prompt's tokens are said to be is what they would be as text.
TEST(RunChoices, PromptLogProbabilitiesAreThoseOfTheSameText) {
  const JsonBuilder made = document({"-n", "12", "--temp", "0", "--logprobs", "2"});
  const std::string whole = made["prompt"].get<std::string>() + made["text"].get<std::string>();
  const JsonBuilder scored = json_of(
      run_program({"run", example_model(), whole, "-n", "0", "--prompt-logprobs", "2", "--json"}));
  const JsonBuilder& rows = scored["prompt_log_probabilities"];
  ASSERT_EQ(rows.size(), scored["prompt_ids"].size());
  EXPECT_TRUE(rows[0].is_null());
  const size_t first = made["prompt_ids"].size();
  size_t same = 0;  // tokens; the text may be cut otherwise when it is read again
  while (first + same < rows.size() &&
         scored["prompt_ids"][first + same] == made["token_ids"][same]) {
    EXPECT_EQ(rows[first + same], made["log_probabilities"][same]) << same;
    ++same;
  }
  EXPECT_GT(same, 0u);
  EXPECT_EQ(scored["token_ids"].size(), 0u);
  EXPECT_EQ(scored["finish_reason"], "max_tokens");
}

TEST(RunChoices, MistakesInOneLine) {
  const struct {
    Words words;
    const char* message;
  } cases[] = {
      {{"--num-choices", "0"}, "run: --num-choices: 1 to 128 expected, got 0"},
      {{"--choices", "2"}, "use --num-choices"},
      {{"--best-of", "2", "--num-choices", "3"}, "--best-of: at least --num-choices 3 expected"},
      {{"--min-tokens", "3", "-n", "2"}, "--min-tokens: at most --max-tokens 2 expected, got 3"},
      {{"--prompt-logprobs", "1"}, "--prompt-logprobs needs --json"},
      {{"--best-of", "2", "--head", "coarse"}, "--head coarse: not with --best-of, which needs"},
  };
  for (const auto& [words, message] : cases) {
    const Finished finished = run(words);
    EXPECT_EQ(finished.status, 2) << message;
    EXPECT_NE(finished.err.find(message), std::string::npos) << finished.err;
  }
}

}  // namespace
}  // namespace bittern::test
