// bittern batch as a user runs it: the answers are the same however many run at once and however
// often the program is killed; what is refused, what is left alone, and how it goes on.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>

#include <map>

#include "base/file_map.h"
#include "base/random.h"
#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr const char* kTemplate =
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]";

std::string read_all(const fs::path& path) { return read_text_file(path, int64_t{1} << 26); }

std::string line(const std::string& id, const std::string& url, const JsonBuilder& body) {
  return to_text({{"custom_id", id}, {"method", "POST"}, {"url", "/v1/" + url}, {"body", body}}) +
         "\n";
}

std::string chat(const std::string& id, const std::string& text,
                 JsonBuilder more = JsonBuilder::object()) {
  JsonBuilder body = {
      {"model", "any"}, {"messages", {{{"role", "user"}, {"content", text}}}}, {"max_tokens", 8}};
  body.update(more);
  return line(id, "chat/completions", body);
}

std::string completion(const std::string& id, const std::string& text,
                       JsonBuilder more = JsonBuilder::object()) {
  JsonBuilder body = {{"model", "any"}, {"prompt", text}, {"max_tokens", 8}};
  body.update(more);
  return line(id, "completions", body);
}

// Lines by custom_id, without what tells of the moment and of what ran beside.
std::map<std::string, std::string> comparable(const std::string& file) {
  std::map<std::string, std::string> lines;
  for (size_t begin = 0; begin < file.size();) {
    const size_t end = file.find('\n', begin);
    EXPECT_NE(end, std::string::npos) << "a line without its end";
    JsonBuilder row = JsonBuilder::parse(file.substr(begin, end - begin));
    JsonBuilder& body = row["response"]["body"];
    body.erase("created");
    if (body.contains("usage")) body["usage"].erase("prompt_tokens_details");
    const std::string id = row["custom_id"];
    EXPECT_TRUE(lines.emplace(id, to_text(row)).second) << "twice: " << id;
    begin = end + 1;
  }
  return lines;
}

class Batch : public testing::Test {
 protected:
  Batch() : template_(folder_.write("chat.jinja", kTemplate).string()) {}

  fs::path input(const std::string& text) const { return folder_.write("in.jsonl", text); }
  fs::path output(const std::string& name = "out") const {
    return folder_.path() / (name + ".jsonl");
  }
  fs::path errors(const std::string& name = "out") const {
    return folder_.path() / (name + ".errors.jsonl");
  }
  fs::path partial(const std::string& name = "out") const {
    return folder_.path() / (name + ".jsonl.partial");
  }
  Words command(const std::string& name = "out", const Words& more = {}) const {
    Words words{"batch",
                example_model(),
                (folder_.path() / "in.jsonl").string(),
                output(name).string(),
                "--chat-template",
                template_,
                "--seed",
                "5"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Finished run(const std::string& name = "out", const Words& more = {}) const {
    return run_program(command(name, more));
  }

  // Requests of every kind, some of them refused.
  static std::string requests(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      const std::string id = fmt::format("request {}", i);
      const std::string prompt = fmt::format("Once upon a time there were {} birds", i);
      switch (i % 6) {
        case 0:
          text += chat(id, prompt, {{"max_tokens", 20}, {"n", 2}, {"temperature", 1.2}});
          break;
        case 1:
          text += completion(id, prompt, {{"max_tokens", 16}, {"logprobs", 2}, {"echo", true}});
          break;
        case 2:
          text += completion(id, prompt, {{"prompt", {"One", "Two"}}, {"temperature", 0}});
          break;
        case 3:
          text += chat(id, prompt, {{"response_format", {{"type", "json_object"}}}});
          break;
        case 4:
          text += completion(id, prompt, {{"best_of", 3}, {"seed", 7}, {"stop", {"bird"}}});
          break;
        default:
          text += chat(id, prompt, {{"colour", "red"}});
      }
    }
    return text;
  }

  TemporaryFolder folder_;
  std::string template_;
};

TEST_F(Batch, AnswersAndRefusalsInTheOrderOfTheInput) {
  input(requests(12));
  const Finished finished = run();
  EXPECT_EQ(finished.status, 1) << finished.err;  // some were refused
  EXPECT_EQ(finished.out, "");
  EXPECT_NE(finished.err.find("requests 10 answered, 2 refused"), std::string::npos)
      << finished.err;
  EXPECT_FALSE(fs::exists(partial()));
  Words answered, refused;
  const auto ids_of = [](const std::string& file, Words& ids, int status) {
    for (size_t begin = 0; begin < file.size(); begin = file.find('\n', begin) + 1) {
      const JsonBuilder row =
          JsonBuilder::parse(file.substr(begin, file.find('\n', begin) - begin));
      ids.push_back(row["custom_id"]);
      EXPECT_EQ(row["response"]["status_code"], status);
      EXPECT_TRUE(row["error"].is_null());
    }
  };
  ids_of(read_all(output()), answered, 200);
  ids_of(read_all(errors()), refused, 400);
  Words expected;
  for (int i = 0; i < 12; ++i)
    if (i % 6 != 5) expected.push_back(fmt::format("request {}", i));
  EXPECT_EQ(answered, expected);
  EXPECT_EQ(refused, (Words{"request 5", "request 11"}));
  EXPECT_NE(read_all(errors()).find(R"("param":"colour","code":"unknown_parameter")"),
            std::string::npos);
}

TEST_F(Batch, TheSameAnswersHoweverManyRunAtOnce) {
  input(requests(24));
  run("alone", {"--parallel", "1", "--threads", "1"});
  run("many", {"--parallel", "7", "--threads", "3"});
  run("more");
  const auto alone = comparable(read_all(output("alone")));
  EXPECT_EQ(alone.size(), 20u);
  EXPECT_EQ(alone, comparable(read_all(output("many"))));
  EXPECT_EQ(alone, comparable(read_all(output("more"))));
  EXPECT_EQ(read_all(errors("alone")), read_all(errors("many")));
}

// The engine's own program makes the same text of the same prompt.
TEST_F(Batch, AnswersAreThoseOfRun) {
  input(
      completion("a", "Once upon a time", {{"temperature", 0}, {"max_tokens", 12}}) +
      completion("b", "Once upon a time", {{"temperature", 0.9}, {"seed", 3}, {"max_tokens", 12}}));
  ASSERT_EQ(run().status, 0);
  const std::string file = read_all(output());
  const Words flags[] = {{"--temp", "0"}, {"--temp", "0.9", "--seed", "3"}};
  size_t begin = 0;
  for (const Words& more : flags) {
    const size_t end = file.find('\n', begin);
    const JsonBuilder row = JsonBuilder::parse(file.substr(begin, end - begin));
    Words words{"run", example_model(), "Once upon a time", "--raw", "-n", "12", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(row["response"]["body"]["choices"][0]["text"], json_of(run_program(words))["text"]);
    begin = end + 1;
  }
}

// Killed again and again when its journal has grown by some bytes, wherever that is.
TEST_F(Batch, KilledAtAnyMomentItLosesAndRepeatsNothing) {
  input(requests(48));
  run("whole");
  const auto whole = comparable(read_all(output("whole")));
  constexpr uint64_t kSeed = 20260;
  SCOPED_TRACE(fmt::format("seed {}", kSeed));
  random::Sequence random(kSeed);
  const Words parallel[] = {{"--parallel", "2"}, {"--parallel", "5"}, {}};
  int kills = 0;
  for (int round = 0; round < 200; ++round) {
    const auto grown = fs::exists(partial()) ? fs::file_size(partial()) : 0;
    const uint64_t wanted = grown + random.below(6000);
    Program program(command("out", parallel[random.below(3)]));
    program.write_input("");
    const auto is_over = [&] {
      std::error_code gone;
      const auto size = fs::file_size(partial(), gone);
      return fs::exists(output()) || (!gone && size > wanted);
    };
    while (!is_over()) ::sched_yield();
    program.send(SIGKILL);
    const Finished finished = program.finish();
    if (finished.signal != SIGKILL) break;  // it was faster
    ++kills;
    if (fs::exists(output())) {
      // Whole as soon as it is there.
      ASSERT_EQ(comparable(read_all(output())), whole);
    }
  }
  EXPECT_GE(kills, 3);
  RecordProperty("kills", kills);
  if (fs::exists(partial()) || !fs::exists(output())) {
    const Finished last = run();
    EXPECT_EQ(last.status, 1) << last.err;
  }
  EXPECT_EQ(comparable(read_all(output())), whole);
  EXPECT_EQ(comparable(read_all(errors())), comparable(read_all(errors("whole"))));
  EXPECT_FALSE(fs::exists(partial()));
}

// A run that cannot end by itself, stopped once its journal has a line.
class StoppedBatch : public Batch {
 protected:
  StoppedBatch() : model_(long_model(model_folder_)) {
    std::string text = completion("short", "Once", {{"max_tokens", 2}});
    for (const char* id : {"long", "longer"})
      text += completion(id, "Once", {{"max_tokens", 100'000}, {"ignore_eos", true}});
    input(text);
  }
  Words words(const Words& more = {}) const {
    Words words = command("out", more);
    words[1] = model_;
    words.insert(words.end(), {"--context", "100100"});
    return words;
  }
  Finished stop(int signal, const Words& more = {}) const {
    Program program(words(more));
    program.write_input("");
    while (!fs::exists(partial()) || read_all(partial()).find("\"short\"") == std::string::npos)
      ::sched_yield();
    program.send(signal);
    return program.finish();
  }

  TemporaryFolder model_folder_;
  std::string model_;
};

TEST_F(StoppedBatch, InterruptedItSaysHowToGoOn) {
  const Finished finished = stop(SIGINT);
  EXPECT_EQ(finished.status, 130);
  EXPECT_NE(finished.err.find("interrupted: 1 of 3 requests are done; the same command goes on"),
            std::string::npos)
      << finished.err;
  EXPECT_FALSE(fs::exists(output()));
  EXPECT_TRUE(fs::exists(partial()));
}

TEST_F(StoppedBatch, ItsJournalIsNotContinuedWithAnotherInputOrOtherFlags) {
  stop(SIGKILL);
  const std::string journal = read_all(partial());
  const Finished warmer = run_program(words({"--temp", "0.25"}));
  EXPECT_EQ(warmer.status, 3);
  EXPECT_NE(warmer.err.find(", now 0.25; give the same again"), std::string::npos) << warmer.err;
  input(requests(6));
  const Finished other = run_program(words());
  EXPECT_EQ(other.status, 3);
  EXPECT_NE(other.err.find("begun with another input"), std::string::npos) << other.err;
  EXPECT_EQ(read_all(partial()), journal);
  EXPECT_EQ(run_program(words({"--overwrite"})).status, 1);
  EXPECT_EQ(comparable(read_all(output())).size(), 5u);
  EXPECT_FALSE(fs::exists(partial()));
}

TEST_F(StoppedBatch, WhatItWasToReplaceIsThereUntilTheNewIsWhole) {
  folder_.write("out.jsonl", "old\n");
  folder_.write("out.errors.jsonl", "old errors\n");
  const auto expect_old = [&] {
    EXPECT_EQ(read_all(output()), "old\n");
    EXPECT_EQ(read_all(errors()), "old errors\n");
  };
  EXPECT_EQ(stop(SIGKILL, {"--overwrite"}).signal, SIGKILL);
  expect_old();
  // The same command goes on, the flag given or not: it cuts off what is torn.
  const std::string journal = read_all(partial());
  for (const Words& more : {Words{"--overwrite"}, Words{}}) {
    folder_.write(partial().filename(), journal + "{");
    Program program(words(more));
    program.write_input("");
    while (fs::file_size(partial()) > journal.size()) ::sched_yield();
    program.send(SIGINT);
    const Finished again = program.finish();
    EXPECT_EQ(again.status, 130);
    EXPECT_NE(again.err.find("going on: 1 of 3 requests are done"), std::string::npos) << again.err;
    expect_old();
  }
  // One that fails before it answers anything.
  EXPECT_EQ(run_program(words({"--overwrite", "--lora", "/no/such"})).status, 3);
  expect_old();
  input(completion("a", "Once"));
  EXPECT_EQ(run_program(words({"--overwrite"})).status, 0);
  EXPECT_EQ(comparable(read_all(output())).count("a"), 1u);
  EXPECT_FALSE(fs::exists(errors())) << "those of the old output";
}

TEST_F(Batch, WithoutASeedOneIsDrawnAndKept) {
  input(completion("a", "Once", {{"temperature", 1}}) +
        completion("b", "Once", {{"temperature", 1}}));
  Words words = command("out", {"--json"});
  words.erase(std::find(words.begin(), words.end(), "--seed"),
              std::find(words.begin(), words.end(), "--seed") + 2);
  const JsonBuilder first = json_of(run_program(words));
  const std::string file = read_all(output());
  words[3] = output("again").string();
  const std::string seed = first["settings"]["seed"];
  Words fixed = words;
  fixed.insert(fixed.end(), {"--seed", seed});
  json_of(run_program(fixed));
  EXPECT_EQ(comparable(read_all(output("again"))), comparable(file));
}

TEST_F(Batch, AnOutputThatIsThereStaysUnlessToldOtherwise) {
  input(completion("a", "Once"));
  folder_.write("out.jsonl", "precious\n");
  const Finished refused = run();
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("--overwrite"), std::string::npos) << refused.err;
  EXPECT_EQ(read_all(output()), "precious\n");
  EXPECT_EQ(run("out", {"--overwrite"}).status, 0);
  EXPECT_EQ(comparable(read_all(output())).size(), 1u);
  // What could not be written at the end is said at the beginning.
  Words nowhere = command("none/out");
  EXPECT_EQ(run_program(nowhere).status, 2);
  EXPECT_NE(run_program(nowhere).err.find("there is no folder "), std::string::npos);
  fs::create_directory(output("folder"));
  const Finished folder = run("folder", {"--overwrite"});
  EXPECT_EQ(folder.status, 2);
  EXPECT_NE(folder.err.find("a file expected, got a folder"), std::string::npos) << folder.err;
  // Two names for one file.
  Words same = command();
  same[3] = same[2];
  EXPECT_EQ(run_program(same).status, 2);
}

TEST_F(Batch, MistakesOfTheFileNameTheirLineBeforeAnythingRuns) {
  input(completion("a", "Once") + "\n" + completion("a", "Once"));
  const Finished twice = run();
  EXPECT_EQ(twice.status, 3);
  EXPECT_NE(twice.err.find("line 3: custom_id \"a\": that of line 1 too"), std::string::npos)
      << twice.err;
  input("{\n");
  EXPECT_NE(run().err.find("line 1: not valid JSON"), std::string::npos);
  EXPECT_FALSE(fs::exists(partial()));
  EXPECT_EQ(run_program({"batch", example_model(), "/no/such.jsonl", output().string()}).status, 3);
}

TEST_F(Batch, EmbeddingsEqualThoseOfEmbed) {
  input(line("a", "embeddings", {{"input", {"a bird", "a stone"}}}) +
        line("b", "embeddings", {{"input", "a bird"}, {"dimensions", 3}}) +
        completion("c", "Once"));
  const std::string encoder = std::string(BITTERN_TEST_DATA) + "/models/bert";
  for (const Words& flags : {Words{"--top-k", "3"}, Words{"--seed", "1"}, Words{"--parallel", "2"},
                             Words{"--speculation", "lookup"}}) {
    Words words{"batch", encoder, (folder_.path() / "in.jsonl").string(),
                (folder_.path() / "never.jsonl").string()};
    words.insert(words.end(), flags.begin(), flags.end());
    const Finished refused = run_program(words);
    EXPECT_EQ(refused.status, 2);
    EXPECT_NE(refused.err.find("batch: " + flags[0] + ": "), std::string::npos) << refused.err;
  }
  const Finished finished = run_program({"batch", encoder, (folder_.path() / "in.jsonl").string(),
                                         output().string(), "--activations", "f32"});
  EXPECT_EQ(finished.status, 1) << finished.err;
  const JsonBuilder row = JsonBuilder::parse(read_all(output()));
  const JsonBuilder expected = json_of(
      run_program({"embed", encoder, "a bird", "a stone", "--activations", "f32", "--json"}));
  const JsonBuilder& data = row["response"]["body"]["data"];
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(data[0]["embedding"], expected["texts"][0]["embedding"]);
  EXPECT_EQ(data[1]["embedding"], expected["texts"][1]["embedding"]);
  EXPECT_EQ(comparable(read_all(errors())).size(), 2u);
  EXPECT_NE(read_all(errors()).find("dimensions: 32, those of the model"), std::string::npos);
  EXPECT_NE(read_all(errors()).find("predicts no text"), std::string::npos);
  // A causal model is told how to pool.
  input(line("a", "embeddings", {{"input", "a bird"}}));
  const Finished causal = run("causal", {"--pooling", "last"});
  EXPECT_EQ(causal.status, 0) << causal.err;
  const JsonBuilder ours = JsonBuilder::parse(read_all(output("causal")));
  EXPECT_EQ(ours["response"]["body"]["data"][0]["embedding"],
            json_of(run_program({"embed", example_model(), "a bird", "--pooling", "last",
                                 "--json"}))["texts"][0]["embedding"]);
}

}  // namespace
}  // namespace bittern::test
