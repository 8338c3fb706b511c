// pull, list, rm and models by name, as a user meets them, against a server of our own.
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/program_support.h"
#include "hub_server.h"

namespace bittern::test {
namespace {

namespace fs = std::filesystem;

class Store : public testing::Test {
 protected:
  HubServer server;
  TemporaryFolder folder;
  const std::string example = read_text_file(example_model(), 1 << 24);

  Store() {
    set("BITTERN_HOME", (folder.path() / "store").string());
    set("HF_ENDPOINT", server.url());
    set("PIP_INDEX_URL", server.url("/simple"));
    ::unsetenv("HF_TOKEN");
  }
  ~Store() override {
    for (const char* name : {"BITTERN_HOME", "HF_ENDPOINT", "PIP_INDEX_URL", "HF_TOKEN"})
      ::unsetenv(name);
  }
  static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
  std::string model_path() const {
    return (folder.path() / "store/models/bird/Bird.gguf").string();
  }
};

TEST_F(Store, PullListRunRm) {
  server.lfs_file("org/Birds-GGUF", "Bird.gguf", example);
  server.card("org/Birds-GGUF", {{"cardData", {{"license", "apache-2.0"}}}});
  const Finished pulled = run_program({"pull", "hf:org/Birds-GGUF"});
  EXPECT_EQ(pulled.status, 0) << pulled.err;
  EXPECT_EQ(pulled.out, model_path() + "\n");
  EXPECT_EQ(pulled.err,
            "bird: 2.63 MB from hf:org/Birds-GGUF; licence: apache-2.0\n"
            "bird: 2.63 MB, done\n");

  const Finished list = run_program({"list"});
  EXPECT_EQ(list.out,
            "name                          size  licence              source\n"
            "bird                       2.63 MB  apache-2.0           hf:org/Birds-GGUF\n");
  EXPECT_EQ(run_program({"list", "--names"}).out, "bird\n");
  const JsonBuilder document = json_of(run_program({"list", "--json"}));
  ASSERT_EQ(document.size(), 1u);
  for (const char* key :
       {"name", "bytes", "source", "revision", "licence", "licence_url", "date", "path", "files"})
    EXPECT_TRUE(document[0].contains(key)) << key;
  EXPECT_EQ(document[0]["files"][0]["sha256"], sha256_of(example));

  const Finished run = run_program({"run", "bird", "Once", "-n", "2", "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  const Finished again = run_program({"pull", "hf:org/Birds-GGUF", "--json"});
  EXPECT_EQ(json_of(again)["name"], "bird");
  EXPECT_NE(again.err.find("here already"), std::string::npos);

  const Finished removed = run_program({"rm", "bird"});
  EXPECT_EQ(removed.status, 0) << removed.err;
  EXPECT_EQ(removed.out, "");
  EXPECT_FALSE(fs::exists(folder.path() / "store/models/bird"));
  const Finished gone = run_program({"rm", "bird"});
  EXPECT_EQ(gone.status, 3);
  EXPECT_EQ(gone.err, "bittern: bird: no such model is installed\n");
}

TEST_F(Store, NamesThatAreNotHereSayHowTheyComeHere) {
  const Finished finished = run_program({"run", "smollm2-135m", "x"});
  EXPECT_EQ(finished.status, 3);
  EXPECT_EQ(finished.err,
            "bittern: smollm2-135m: not installed; bittern pull smollm2-135m fetches it (98.4 "
            "MB)\n");
  EXPECT_EQ(run_program({"show", "smollm2-135n"}).err,
            "bittern: smollm2-135n: no such file or model; did you mean smollm2-135m?\n");
  EXPECT_EQ(
      run_program({"show", "quantum"}).err,
      "bittern: quantum: no such file or model; bittern list shows the models that are here\n");
  EXPECT_EQ(run_program({"show", "quantum.gguf"}).err, "bittern: quantum.gguf: no such file\n");
  EXPECT_EQ(run_program({"run", "hf:o/r", "x"}).err,
            "bittern: hf:o/r: not here; bittern pull hf:o/r fetches it\n");
  EXPECT_EQ(run_program({"pull", "nothing-like-it"}).status, 2);
  EXPECT_EQ(run_program({"rm", "../x"}).status, 3);
  EXPECT_EQ(run_program({"rm"}).status, 2);
  EXPECT_EQ(run_program({"rm", "bittern-stories"}).status, 2);
}

TEST_F(Store, APathThatExistsWins) {
  fs::create_directories(folder.path() / "store/models");
  const fs::path here = fs::current_path();
  fs::current_path(folder.path());
  folder.write("smollm2-135m", example);
  const Finished finished = run_program({"show", "smollm2-135m"});
  fs::current_path(here);
  EXPECT_EQ(finished.status, 0) << finished.err;
}

TEST_F(Store, TheBundledModelHasAName) {
  // The test's program lies in its build folder, from which the source tree is not always seen.
  const Finished finished = run_program({"list", "--available"});
  EXPECT_EQ(finished.status, 0);
  EXPECT_LE(widest_line(finished.out), 80u) << finished.out;
  for (const char* name : {"bittern-stories", "smollm2-135m", "gemma3-270m", "minilm",
                           "bitnet-2b-4t", "Gemma Terms of Use", "digest as the hub says"})
    EXPECT_NE(finished.out.find(name), std::string::npos) << name;
}

TEST_F(Store, ShowReadsARemoteHeader) {
  server.lfs_file("org/Birds-GGUF", "Bird.gguf", example);
  const Finished remote = run_program({"show", "hf:org/Birds-GGUF", "--quiet"});
  EXPECT_EQ(remote.status, 0) << remote.err;
  const Finished local = run_program({"show", example_model()});
  const auto without_name = [](const std::string& text) { return text.substr(text.find('\n')); };
  EXPECT_EQ(without_name(remote.out), without_name(local.out));
  EXPECT_TRUE(remote.out.starts_with("model         hf:org/Birds-GGUF\n"));
  for (const auto& request : server.requests("/cdn/")) EXPECT_FALSE(request["Range"].is_null());
}

TEST_F(Store, CtrlCLeavesWhatTheNextPullGoesOnFrom) {
  server.lfs_file("org/Birds-GGUF", "Bird.gguf", example,
                  {{"steps", {{{"stall", 1'000'000}}, JsonBuilder::object()}}});
  Program program({"pull", "hf:org/Birds-GGUF"});
  program.wait_until_handling(SIGINT);
  const fs::path partial = folder.path() / "store/unfinished/bird/Bird.gguf.partial";
  std::error_code error;
  while (fs::file_size(partial, error) < 1'000'000 || error) ::sched_yield();
  program.send(SIGINT);
  const Finished stopped = program.finish();
  EXPECT_EQ(stopped.status, 130);
  EXPECT_EQ(stopped.out, "");
  EXPECT_FALSE(fs::exists(model_path()));
  const Finished pulled = run_program({"pull", "hf:org/Birds-GGUF"});
  EXPECT_EQ(pulled.status, 0) << pulled.err;
  EXPECT_NE(pulled.err.find("going on from 1.00 MB"), std::string::npos) << pulled.err;
  EXPECT_EQ(server.requests("/cdn/").back()["Range"], "bytes=1000000-");
  EXPECT_EQ(read_text_file(model_path(), 1 << 24), example);
}

TEST_F(Store, WhatServersRefuseIsOneLineAndAStatus) {
  const auto status_of = [&](JsonBuilder route) {
    server.route("/org/r/resolve/main/a.gguf", std::move(route));
    const Finished finished = run_program({"pull", "hf:org/r:a.gguf"});
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    return finished.status;
  };
  EXPECT_EQ(status_of({{"gated", true}}), 3);
  EXPECT_EQ(status_of({{"status", 404}}), 3);
  set("HF_ENDPOINT", "http://127.0.0.1:1");
  EXPECT_EQ(status_of({{"status", 200}}), 4);
  set("HF_ENDPOINT", "ftp://x");
  EXPECT_EQ(status_of({{"status", 200}}), 2);
}

TEST(Completion, KnowsEveryVerbAndFlag) {
  const JsonBuilder verbs = json_of(run_program({"help", "--json"}));
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Finished finished = run_program({"completion", shell});
    EXPECT_EQ(finished.status, 0) << finished.err;
    for (const JsonBuilder& verb : verbs) {
      EXPECT_NE(finished.out.find(verb["verb"].get<std::string>()), std::string::npos) << verb;
      for (const JsonBuilder& flag : verb["flags"]) {
        std::string name = flag["names"].get<std::string>();
        name = name.substr(name.rfind(',') + 1);
        if (shell == std::string("fish")) name = name.substr(name.find_first_not_of('-'));
        EXPECT_NE(finished.out.find(name), std::string::npos) << shell << " " << name;
      }
    }
  }
  EXPECT_EQ(run_program({"completion", "tcsh"}).status, 2);
}

// What bash itself makes of the script: its syntax, and what it offers.
TEST(Completion, WorksInBash) {
  const TemporaryFolder folder;
  const std::string script = run_program({"completion", "bash"}).out;
  const std::string path = folder.write("bittern.bash", script).string();
  const std::string command =
      "bash -c 'set -e; . " + path +
      "; COMP_WORDS=(bittern run --see); COMP_CWORD=2; _bittern; echo \"${COMPREPLY[*]}\"; "
      "COMP_WORDS=(bittern deto); COMP_CWORD=1; _bittern; echo \"${COMPREPLY[*]}\"' > " +
      (folder.path() / "out").string();
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read_text_file(folder.path() / "out", 1000), "--seed\ndetokenize\n");
}

TEST(ManPage, NamesEveryVerbFlagAndVariable) {
  const Finished page = run_program({"help", "--man"});
  EXPECT_EQ(page.status, 0);
  EXPECT_TRUE(page.out.starts_with(".\\\" Made by"));
  std::string plain;
  for (const char c : page.out)
    if (c != '\\') plain += c;
  const JsonBuilder verbs = json_of(run_program({"help", "--json"}));
  for (const JsonBuilder& verb : verbs) {
    EXPECT_NE(plain.find(".SS \"bittern " + verb["verb"].get<std::string>()), std::string::npos);
    for (const JsonBuilder& flag : verb["flags"]) {
      const std::string names = flag["names"].get<std::string>();
      EXPECT_NE(plain.find("fB" + names.substr(names.rfind(',') + 1) + "fR"), std::string::npos)
          << names;
    }
  }
  for (const char* variable : {"BITTERN_HOME", "HF_TOKEN", "PIP_INDEX_URL"})
    EXPECT_NE(plain.find(variable), std::string::npos) << variable;
}

}  // namespace
}  // namespace bittern::test
