// What a user meets first: help, versions, wrong verbs, wrong files, exit statuses.
#include <gtest/gtest.h>

#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

const char* const kVerbs[] = {"run",  "show", "tokenize", "detokenize", "eval", "bench",  "embed",
                              "pull", "list", "rm",       "completion", "help", "version"};

// Nothing on stdout, one line on stderr.
void expect_refusal(const std::vector<std::string>& arguments, int status,
                    std::string_view message) {
  const Finished finished = run_program(arguments);
  EXPECT_EQ(finished.status, status);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(finished.err, std::string(message) + "\n");
}

TEST(Usage, HelpAndVersion) {
  const Finished help = run_program({"help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.err, "");
  for (const char* verb : kVerbs) {
    EXPECT_NE(help.out.find(std::string("\n  ") + verb + " "), std::string::npos) << verb;
    const Finished page = run_program({"help", verb});
    EXPECT_EQ(page.status, 0) << verb;
    EXPECT_LE(widest_line(page.out), 80u) << page.out;
    EXPECT_EQ(run_program({verb, "--help"}).out, page.out);
    EXPECT_EQ(run_program({verb, "-h"}).out, page.out);
  }
  EXPECT_LE(widest_line(help.out), 80u) << help.out;
  EXPECT_EQ(run_program({"--help"}).out, help.out);
  EXPECT_EQ(run_program({"version"}).out, run_program({"--version"}).out);
  EXPECT_EQ(run_program({"version"}).out.rfind("bittern ", 0), 0u);

  const Finished bare = run_program({});
  EXPECT_EQ(bare.status, 2);
  EXPECT_EQ(bare.out, "");
  EXPECT_NE(bare.err.find(help.out), std::string::npos);
}

TEST(Usage, WrongWordsAreNamedWithTheRightOnes) {
  expect_refusal({"rnu"}, 2, "bittern: unknown verb rnu; did you mean run?");
  expect_refusal(
      {"dance"}, 2,
      "bittern: unknown verb dance; the verbs are run, batch, show, tokenize, detokenize, "
      "eval, bench, embed, pull, list, rm, completion, help, version");
  expect_refusal({"--temp", "1"}, 2, "bittern: a verb comes first, got --temp; see: bittern help");
  expect_refusal({"help", "evla"}, 2, "bittern: unknown verb evla; did you mean eval?");
  expect_refusal({"run"}, 2, "bittern: run: MODEL is missing; see: bittern help run");
  expect_refusal({"run", "m", "p", "--tmep", "0"}, 2,
                 "bittern: run: unknown flag --tmep; did you mean --temp?");
  expect_refusal({"show", "m", "--quiet", "--verbose"}, 2,
                 "bittern: show: --quiet and --verbose exclude each other");
  expect_refusal({"eval", "m", "perplexty", "f"}, 2,
                 "bittern: eval: task perplexity expected, got \"perplexty\"");
  expect_refusal({"run", example_model(), "x", "--logprobs", "3"}, 2,
                 "bittern: run: --logprobs needs --json");
  expect_refusal({"run", example_model(), "x", "--stop", ""}, 2,
                 "bittern: run: --stop: a text expected, got \"\"");
  expect_refusal({"run", example_model(), "x", "-f", "y"}, 2,
                 "bittern: run: the prompt is given twice, as an argument and by -f");
}

TEST(Usage, WhatIsNotAModelIsSaidSo) {
  const TemporaryFolder folder;
  const std::string text = folder.write("notes.txt", "hello there").string();
  for (const char* verb : {"run", "show", "tokenize", "bench"}) {
    const std::vector<std::string> rest =
        verb == std::string("run") || verb == std::string("tokenize")
            ? std::vector<std::string>{"x"}
            : std::vector<std::string>{};
    const auto with = [&](std::string path) {
      std::vector<std::string> words{verb, std::move(path)};
      words.insert(words.end(), rest.begin(), rest.end());
      return words;
    };
    const Finished missing = run_program(with("/no/such/model.gguf"));
    EXPECT_EQ(missing.status, 3);
    EXPECT_EQ(missing.err, "bittern: /no/such/model.gguf: no such file\n");
    const Finished wrong = run_program(with(text));
    EXPECT_EQ(wrong.status, 3);
    EXPECT_NE(wrong.err.find("notes.txt: not a model: a GGUF file"), std::string::npos)
        << wrong.err;
    EXPECT_EQ(run_program(with(folder.path().string())).status, 3);
  }
}

TEST(Usage, AnUnknownArchitectureIsNamedWithTheKnownOnes) {
  const TemporaryFolder folder;
  const std::string path =
      changed_model(folder, "general.architecture", format::value_of("mamba9"));
  const Finished finished = run_program({"run", path, "x"});
  EXPECT_EQ(finished.status, 5);
  EXPECT_NE(finished.err.find("mamba9"), std::string::npos) << finished.err;
  for (const char* known : {"llama", "qwen3", "bitnet"})
    EXPECT_NE(finished.err.find(known), std::string::npos) << finished.err;

  const Finished shown = run_program({"show", path});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_NE(shown.out.find("cannot run here"), std::string::npos);
  EXPECT_NE(shown.out.find("TQ1_0"), std::string::npos);
  EXPECT_LE(widest_line(shown.out), 80u);
}

TEST(Usage, AContextThatCannotFitIsRefusedBeforeLoading) {
  const TemporaryFolder folder;
  constexpr uint32_t kHuge = 1u << 30;
  const std::string path =
      changed_model(folder, "bitnet-b1.58.context_length", format::value_of(kHuge));
  const Finished finished =
      run_program({"run", path, "x", "--context", std::to_string(kHuge), "-n", "1"});
  EXPECT_EQ(finished.status, 4);
  EXPECT_EQ(finished.out, "");
  for (const char* part : {"memory", "needs", "available", "context"})
    EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;

  // Without --context the model runs with what fits, and says so.
  const Finished cut = run_program({"run", path, "x", "-n", "1"});
  EXPECT_EQ(cut.status, 0) << cut.err;
  EXPECT_NE(cut.err.find("memory does not"), std::string::npos) << cut.err;

  expect_refusal(
      {"run", example_model(), "x", "-c", "100000"}, 2,
      "bittern: " + example_model() + ": context: expected at most 512 (the model's), got 100000");
}

TEST(Usage, AFullDiskIsAnError) {
  const Finished finished = Program({"version"}, "/dev/full").finish();
  EXPECT_EQ(finished.status, 4);
  EXPECT_EQ(finished.err, "bittern: standard output: No space left on device\n");
}

}  // namespace
}  // namespace bittern::test
