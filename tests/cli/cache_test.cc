// --cache as a user meets it: the first load packs and keeps, the next one maps, the text is the
// same; and what list and rm do with packed weights.
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/program_support.h"
#include "hub_server.h"

namespace bittern::test {
namespace {

namespace fs = std::filesystem;

int64_t packs_in(const fs::path& folder, int64_t* bytes = nullptr) {
  int64_t count = 0;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() != ".pack") continue;
    ++count;
    if (bytes != nullptr) *bytes += static_cast<int64_t>(at->file_size());
  }
  return count;
}

class Cache : public testing::Test {
 protected:
  TemporaryFolder folder;
  const fs::path home = folder.path() / "store";
  const std::string packed = (home / "packed").string();

  Cache() { ::setenv("BITTERN_HOME", home.c_str(), 1); }
  ~Cache() override { ::unsetenv("BITTERN_HOME"); }

  static JsonBuilder run(const std::string& model, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", model, "Once", "-n", "8", "--seed", "1", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return json_of(run_program(words));
  }
  static std::string state_of(const JsonBuilder& document) {
    return document["statistics"]["packed_weights"];
  }
};

TEST_F(Cache, TheSecondLoadMapsAndSaysTheSame) {
  const std::string directory = (folder.path() / "mine").string();
  const JsonBuilder first = run(example_model(), {"--cache", directory});
  EXPECT_EQ(state_of(first), "packed");
  EXPECT_EQ(packs_in(directory), 1);
  for (const char* threads : {"1", "3"}) {
    const JsonBuilder next = run(example_model(), {"--cache", directory, "-t", threads});
    EXPECT_EQ(state_of(next), "mapped");
    EXPECT_EQ(next["token_ids"], first["token_ids"]);
  }
  const JsonBuilder without = run(example_model(), {"--cache", "off"});
  EXPECT_EQ(state_of(without), "off");
  EXPECT_EQ(without["token_ids"], first["token_ids"]);
  const Finished verbose =
      run_program({"run", example_model(), "x", "-n", "1", "--cache", directory, "--verbose"});
  EXPECT_NE(verbose.err.find("packed weights: mapped; "), std::string::npos) << verbose.err;
  EXPECT_FALSE(fs::exists(home));
}

// Small models get no file in the store.
TEST_F(Cache, OnIsTheDefaultAndKeepsWhatIsWorthIt) {
  EXPECT_EQ(state_of(run(example_model(), {})), "packed");
  EXPECT_EQ(state_of(run(example_model(), {"--cache", "on"})), "packed");
  EXPECT_EQ(packs_in(packed), 0);
  // What somebody has put there is used all the same.
  run(example_model(), {"--cache", packed});
  EXPECT_EQ(state_of(run(example_model(), {})), "mapped");
}

TEST_F(Cache, WithoutAHomeThereIsNoneUnlessOneIsAskedFor) {
  std::vector<std::pair<const char*, std::string>> former;
  for (const char* name : {"BITTERN_HOME", "XDG_DATA_HOME", "HOME"}) {
    if (const char* value = ::getenv(name)) former.emplace_back(name, value);
    ::unsetenv(name);
  }
  EXPECT_EQ(state_of(run(example_model(), {})), "off");
  const Finished asked = run_program({"run", example_model(), "x", "-n", "1", "--cache", "on"});
  EXPECT_EQ(asked.status, 2);
  EXPECT_NE(asked.err.find("BITTERN_HOME"), std::string::npos) << asked.err;
  for (const auto& [name, value] : former) ::setenv(name, value.c_str(), 1);
}

TEST_F(Cache, AFolderThatCannotBeWrittenIsAWarning) {
  const std::string below = folder.write("file", "x").string() + "/cache";
  const Finished finished = run_program({"run", example_model(), "x", "-n", "1", "--cache", below});
  EXPECT_EQ(finished.status, 0);
  EXPECT_NE(finished.err.find("bittern: warning: packed weights are not kept: "), std::string::npos)
      << finished.err;
}

TEST_F(Cache, EveryVerbThatLoadsUsesIt) {
  run(example_model(), {"--cache", packed});
  const std::string text =
      folder
          .write("text",
                 "Once upon a time there was a little bird who lived in a tall "
                 "tree near the river and sang all day.")
          .string();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"eval", example_model(), "perplexity", text, "-c", "8"},
        {"bench", example_model(), "--prompt", "4", "--generate", "1", "--depth", "0", "--batch",
         "1", "--repetitions", "1", "--limits", "off"},
        {"embed", example_model(), "x", "--pooling", "last"}}) {
    std::vector<std::string> verbose = words;
    verbose.push_back("--verbose");
    const Finished finished = run_program(verbose);
    EXPECT_EQ(finished.status, 0) << finished.err;
    EXPECT_NE(finished.err.find("packed weights: mapped"), std::string::npos) << words[0] << "\n"
                                                                              << finished.err;
  }
}

TEST_F(Cache, ListCountsPacksAndRmTakesThemAlong) {
  HubServer server;
  ::setenv("HF_ENDPOINT", server.url().c_str(), 1);
  server.lfs_file("org/Birds-GGUF", "Bird.gguf", read_text_file(example_model(), 1 << 24));
  EXPECT_EQ(run_program({"pull", "hf:org/Birds-GGUF"}).status, 0);
  ::unsetenv("HF_ENDPOINT");
  EXPECT_EQ(run_program({"list"}).err, "");

  run("bird", {"--cache", packed});
  int64_t bytes = 0;
  EXPECT_EQ(packs_in(packed, &bytes), 1);
  const Finished list = run_program({"list"});
  EXPECT_NE(list.err.find(" in 1 file; bittern rm --packed removes them"), std::string::npos)
      << list.err;
  EXPECT_EQ(run_program({"rm", "--packed", "bird"}).status, 0);
  EXPECT_EQ(packs_in(packed), 0);
  EXPECT_EQ(run_program({"list", "--names"}).out, "bird\n");

  run("bird", {"--cache", packed});
  EXPECT_EQ(run_program({"rm", "bird"}).status, 0);
  EXPECT_EQ(packs_in(packed), 0);

  const std::string other = changed_model(folder, "general.name", format::value_of("other"));
  run(other, {"--cache", packed});
  EXPECT_EQ(packs_in(packed), 1);
  EXPECT_EQ(run_program({"rm", "--packed"}).status, 0);
  EXPECT_EQ(packs_in(packed), 0);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BITTERN_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BITTERN_SANITIZED
#endif
#endif
// Sanitizers keep memory of their own.
#ifndef BITTERN_SANITIZED
// Packed or mapped, weights are in memory once: at most weights, keys and values, and 60 MiB.
TEST_F(Cache, WeightsAreInMemoryOnce) {
  constexpr int64_t kAllowance = int64_t{60} << 20;
  for (const auto& [shape, codec] : {std::pair{"bitnet-large", "tq2_0"}, {"qwen3-0.6b", "q4_0"}}) {
    const std::string model = (folder.path() / "model.gguf").string();
    const std::string directory = (folder.path() / shape).string();
    const Finished written =
        run_program({"bench", "--shape", shape, "--codec", codec, "--write-gguf", model, "--prompt",
                     "0", "--generate", "0"});
    ASSERT_EQ(written.status, 0) << written.err;
    int64_t bytes = 0;
    for (const char* load : {"packed", "mapped"}) {
      const JsonBuilder report = json_of(run_program(
          {"bench", model, "--cache", directory, "--prompt", "1", "--generate", "0", "--depth", "0",
           "--repetitions", "1", "--limits", "off", "--context", "64", "--json"}));
      if (bytes == 0) {
        EXPECT_EQ(packs_in(directory, &bytes), 1);
      }
      EXPECT_GT(bytes, int64_t{100} << 20);
      EXPECT_LT(report["peak_memory_bytes"].get<int64_t>(), bytes + kAllowance)
          << shape << ", " << load;
    }
  }
}
#endif

}  // namespace
}  // namespace bittern::test
