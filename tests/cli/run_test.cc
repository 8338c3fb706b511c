// bittern run on the example model. The model may be trained anew, so nothing here knows its
// words: runs are compared with runs.
#include <gtest/gtest.h>
#include <signal.h>

#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kPrompt = "Once upon a time";

Words run_words(const Words& more, const std::string& prompt = kPrompt) {
  Words words{"run", example_model(), prompt};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Finished run(const Words& more) { return run_program(run_words(more)); }

// Text without the newline that ends it.
std::string text_of(const Words& more) {
  const Finished finished = run(more);
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_TRUE(finished.out.ends_with('\n'));
  return finished.out.substr(0, finished.out.size() - 1);
}

JsonBuilder document(Words more) {
  more.push_back("--json");
  return json_of(run(more));
}

TEST(Run, SameSeedSameTextWhateverTheThreads) {
  const std::string text = text_of({"-n", "40", "--seed", "1"});
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text_of({"-n", "40", "--seed", "1", "--threads", "1"}), text);
  EXPECT_EQ(text_of({"-n", "40", "--seed", "1", "--threads", "3"}), text);
  EXPECT_NE(text_of({"-n", "40", "--seed", "2"}), text);
}

TEST(Run, PromptFromArgumentFileAndInput) {
  const TemporaryFolder folder;
  const std::string file = folder.write("prompt.txt", std::string(kPrompt) + "\n").string();
  const Words rest{"-n", "8", "--temp", "0"};
  const std::string expected = run(rest).out;
  EXPECT_EQ(run_program({"run", example_model(), "-f", file, "-n", "8", "--temp", "0"}).out,
            expected);
  EXPECT_EQ(run_program({"run", example_model(), "-n", "8", "--temp", "0"}, kPrompt).out, expected);
  EXPECT_EQ(run_program(run_words(rest, "-"), std::string(kPrompt) + "\n").out, expected);
  EXPECT_EQ(run_program({"run", example_model(), "-f", folder.path() / "none"}).status, 3);
}

TEST(Run, QuietLeavesTheTextAlone) {
  const Finished loud = run({"-n", "8", "--seed", "5"});
  const Finished quiet = run({"-n", "8", "--seed", "5", "--quiet"});
  const Finished verbose = run({"-n", "8", "--seed", "5", "--verbose"});
  EXPECT_EQ(quiet.out, loud.out);
  EXPECT_EQ(verbose.out, loud.out);
  EXPECT_EQ(quiet.err, "");
  for (const char* part : {"load ", "prompt ", "text ", "kernel ", "seed 5", "tokens/s"})
    EXPECT_NE(loud.err.find(part), std::string::npos) << loud.err;
  EXPECT_LT(loud.err.size(), verbose.err.size());
  EXPECT_NE(verbose.err.find("memory plan"), std::string::npos) << verbose.err;
}

TEST(Run, JsonHasItsKeysAndAgreesWithTheText) {
  const JsonBuilder json =
      document({"-n", "12", "--seed", "3", "--logprobs", "2", "--temp", "0.7", "--top-k", "30"});
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_EQ(keys, (Words{"model", "prompt", "prompt_ids", "text", "token_ids", "finish_reason",
                         "stop", "log_probabilities", "sampling", "statistics"}));
  keys.clear();
  for (const auto& [key, value] : json["statistics"].items()) keys.push_back(key);
  EXPECT_EQ(keys, (Words{"load_seconds", "prompt_tokens", "prefill_tokens_per_second",
                         "text_tokens", "decode_tokens_per_second", "peak_memory_bytes", "context",
                         "kv_type", "backend", "packed_weights", "kernels"}));
  EXPECT_EQ(json["prompt"], kPrompt);
  EXPECT_EQ(json["token_ids"].size(), 12u);
  EXPECT_EQ(json["statistics"]["prompt_tokens"], json["prompt_ids"].size());
  EXPECT_EQ(json["sampling"]["temperature"], 0.7);
  EXPECT_EQ(json["sampling"]["top_k"], 30);
  EXPECT_EQ(json["finish_reason"], "max_tokens");
  EXPECT_EQ(json["text"], text_of({"-n", "12", "--seed", "3", "--temp", "0.7", "--top-k", "30"}));

  ASSERT_EQ(json["log_probabilities"].size(), 12u);
  for (size_t index = 0; index < 12; ++index) {
    const JsonBuilder& row = json["log_probabilities"][index];
    EXPECT_EQ(row["token_id"], json["token_ids"][index]);
    EXPECT_LT(row["log_probability"], 0.0);
    ASSERT_EQ(row["top"].size(), 2u);
    EXPECT_GE(row["top"][0]["log_probability"], row["top"][1]["log_probability"]);
    EXPECT_GE(row["top"][0]["log_probability"], row["log_probability"]);
  }
  EXPECT_TRUE(document({"-n", "1"})["log_probabilities"].is_null());
}

TEST(Run, GreedyTakesTheLikeliestToken) {
  const JsonBuilder json = document({"-n", "10", "--temp", "0", "--logprobs", "1"});
  for (const JsonBuilder& row : json["log_probabilities"])
    EXPECT_EQ(row["token_id"], row["top"][0]["token_id"]);
  // The same choice by each of the narrowest filters.
  const std::string text = json["text"];
  EXPECT_EQ(text_of({"-n", "10", "--top-k", "1", "--seed", "8"}), text);
  EXPECT_EQ(text_of({"-n", "10", "--top-p", "0", "--seed", "8"}), text);
  EXPECT_EQ(text_of({"-n", "10", "--min-p", "1", "--seed", "8"}), text);
}

TEST(Run, StopStringEndsTheTextBeforeIt) {
  const std::string text = text_of({"-n", "30", "--temp", "0"});
  const std::string stop = text.substr(text.size() / 2, 3);
  const JsonBuilder json = document({"-n", "30", "--temp", "0", "--stop", "@@@", "--stop", stop});
  EXPECT_EQ(json["finish_reason"], "stop_string");
  EXPECT_EQ(json["stop"], stop);
  EXPECT_EQ(json["text"], text.substr(0, text.find(stop)));
}

TEST(Run, LogitBiasBansAndForces) {
  const JsonBuilder free = document({"-n", "1", "--temp", "0"});
  const auto first = free["token_ids"][0].get<int>();
  const JsonBuilder banned =
      document({"-n", "1", "--temp", "0", "--logit-bias", std::to_string(first) + "-inf"});
  EXPECT_NE(banned["token_ids"][0], first);
  EXPECT_EQ(banned["sampling"]["logit_bias"][0]["bias"], "-inf");
  const JsonBuilder forced = document({"-n", "4", "--temp", "0", "--logit-bias", "77=1000"});
  EXPECT_EQ(forced["token_ids"], JsonBuilder({77, 77, 77, 77}));
  EXPECT_EQ(run({"--logit-bias", "999999=1"}).status, 2);
}

TEST(Run, DryEndsARepeatUnlessItMayGoOn) {
  const Words forced{"-n", "6", "--temp", "0", "--logit-bias", "77=40", "--dry-multiplier", "60"};
  EXPECT_NE(document(forced)["token_ids"], JsonBuilder({77, 77, 77, 77, 77, 77}));
  for (const Words& more : {Words{"--dry-allowed-length", "9"}, Words{"--dry-penalty-last-n", "0"},
                            Words{"--samplers", "top_k"}}) {
    Words words = forced;
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(document(words)["token_ids"], JsonBuilder({77, 77, 77, 77, 77, 77})) << more[0];
  }
}

TEST(Run, PenaltiesChangeWhatRepeats) {
  // A forced token repeats for ever; each penalty alone ends that.
  const Words forced{"-n", "6", "--temp", "0", "--logit-bias", "77=40"};
  EXPECT_EQ(document(forced)["token_ids"], JsonBuilder({77, 77, 77, 77, 77, 77}));
  for (const Words& penalty :
       {Words{"--frequency-penalty", "60"}, Words{"--presence-penalty", "60"},
        Words{"--repeat-penalty", "50"}}) {
    Words words = forced;
    words.insert(words.end(), penalty.begin(), penalty.end());
    EXPECT_NE(document(words)["token_ids"][1], 77) << penalty[0];
    words.insert(words.end(), {"--repeat-last-n", "0"});
    EXPECT_EQ(document(words)["token_ids"][1], 77) << penalty[0];
    words.back() = "-1";
    EXPECT_NE(document(words)["token_ids"][1], 77) << penalty[0];
  }
}

TEST(Run, TheContextEndsTheTextAndIgnoreEosKeepsItGoing) {
  const JsonBuilder json = document({"--context", "24", "--ignore-eos", "--seed", "1"});
  EXPECT_EQ(json["finish_reason"], "context_full");
  EXPECT_EQ(json["prompt_ids"].size() + json["token_ids"].size(), 24u);
  EXPECT_EQ(json["statistics"]["context"], 24);
  const Finished tight = run({"--context", "2"});
  EXPECT_EQ(tight.status, 2);
  for (const char* part :
       {"the prompt has ", " tokens, the context 2: shorten it or raise --context"})
    EXPECT_NE(tight.err.find(part), std::string::npos) << tight.err;

  // Token 0 is the model's end of text: forced, it ends at once, unless it is ignored.
  const JsonBuilder ended = document({"-n", "5", "--logit-bias", "0=1000"});
  EXPECT_EQ(ended["finish_reason"], "stop_token");
  EXPECT_EQ(ended["text"], "");
  EXPECT_EQ(ended["token_ids"].size(), 1u);
  EXPECT_EQ(document({"-n", "5", "--logit-bias", "0=1000", "--ignore-eos"})["finish_reason"],
            "max_tokens");
}

TEST(Run, AnEmptyPromptNeedsATokenToBeginWith) {
  const TemporaryFolder folder;
  const std::string model =
      changed_model(folder, "tokenizer.ggml.add_bos_token", format::value_of(false));
  const Finished empty = run_program({"run", model, "", "-n", "2"});
  EXPECT_EQ(empty.status, 2);
  EXPECT_EQ(empty.err, "bittern: the prompt is empty and the model has no token to begin with\n");
}

// What cannot go on says why, behind the text so far.
TEST(Run, WhereNoTokenCanBeDrawnItSaysSo) {
  Words banned{"-n", "3", "--top-k", "0"};
  const size_t count = format::open_checkpoint(example_model())
                           .metadata.get_strings("tokenizer.ggml.tokens")
                           ->size();
  for (size_t token = 0; token < count; ++token)
    banned.insert(banned.end(), {"--logit-bias", std::to_string(token) + "-inf"});
  const Finished finished = run(banned);
  EXPECT_EQ(finished.status, 3);
  EXPECT_EQ(finished.out, "");
  EXPECT_NE(finished.err.find("no token can be chosen"), std::string::npos) << finished.err;
}

TEST(Run, KvTypesAllSpeak) {
  for (const char* type : {"f32", "f16", "int8"}) {
    const JsonBuilder json = document({"-n", "4", "--kv-type", type});
    EXPECT_EQ(json["statistics"]["kv_type"], type);
    EXPECT_EQ(json["token_ids"].size(), 4u);
  }
}

TEST(Run, EchoAndRaw) {
  const std::string text = text_of({"-n", "4", "--temp", "0"});
  EXPECT_EQ(text_of({"-n", "4", "--temp", "0", "--raw"}), text);
  EXPECT_EQ(text_of({"-n", "4", "--temp", "0", "--echo"}), kPrompt + text);
}

Words endless(const TemporaryFolder& folder) {
  return {"run", long_model(folder), kPrompt, "--ignore-eos", "--seed", "1", "--kv-type", "int8"};
}

// That text had come at all shows that it is streamed: this run never reaches its end.
TEST(Run, InterruptKeepsTheTextAndSaysSo) {
  const TemporaryFolder folder;
  const Words words = endless(folder);
  Program program(words);
  program.read_output(8);
  program.send(SIGINT);
  const Finished finished = program.finish();
  EXPECT_EQ(finished.status, 130) << finished.err;
  EXPECT_TRUE(finished.out.ends_with('\n'));
  EXPECT_NE(finished.err.find("end: interrupted"), std::string::npos) << finished.err;
  // What was written is how the text begins.
  Words short_words = words;
  short_words.insert(short_words.end(), {"-n", "20"});
  const std::string beginning = run_program(short_words).out;
  const size_t common = std::min(beginning.size(), finished.out.size()) - 1;
  EXPECT_EQ(finished.out.substr(0, common), beginning.substr(0, common));
}

TEST(Run, InterruptedJsonIsWhole) {
  const TemporaryFolder folder;
  Words words = endless(folder);
  words.push_back("--json");
  Program program(words);
  // No text comes before the end, so ask until the handler is there to answer.
  program.wait_until_handling(SIGINT);
  program.send(SIGINT);
  const Finished finished = program.finish();
  EXPECT_EQ(finished.status, 130) << finished.err;
  const JsonBuilder json = JsonBuilder::parse(finished.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << finished.out;
  EXPECT_EQ(json["finish_reason"], "interrupted");
}

TEST(Run, InterruptWhileWaitingForThePrompt) {
  Program program({"run", example_model(), "--quiet"});
  program.wait_until_handling(SIGINT);
  program.send(SIGINT);
  const Finished finished = program.finish();
  EXPECT_EQ(finished.status, 130) << finished.err;
}

TEST(Run, AReaderThatGoesAwayEndsItQuietly) {
  const TemporaryFolder folder;
  Program program(endless(folder));
  program.read_output(4);
  program.close_output();
  const Finished finished = program.finish();
  EXPECT_EQ(finished.signal, SIGPIPE);
  EXPECT_EQ(finished.err, "");
}

}  // namespace
}  // namespace bittern::test
