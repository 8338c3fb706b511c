// The hub's protocol: references, listings, what is chosen, what refusals mean; and the package
// index.
#include "store/hub.h"

#include <gtest/gtest.h>

#include "hub_server.h"
#include "store/pypi.h"
#include "throws.h"

namespace bittern::model_store {
namespace {

using test::HubServer;
using test::message_of;
using test::thrown_by;

TEST(HubReferenceTest, IsReadAndWritten) {
  const HubReference plain = parse_hub_reference("hf:org/repo");
  EXPECT_EQ(plain.repo, "org/repo");
  EXPECT_EQ(plain.file, "");
  EXPECT_EQ(plain.revision, "main");
  const HubReference full = parse_hub_reference("hf:o-1/r.2:sub/a b.gguf@refs/pr/1");
  EXPECT_EQ(full.file, "sub/a b.gguf");
  EXPECT_EQ(full.revision, "refs/pr/1");
  EXPECT_EQ(full.text(), "hf:o-1/r.2:sub/a b.gguf@refs/pr/1");
  for (const char* bad : {"org/repo", "hf:", "hf:repo", "hf:a/b/c", "hf:a/..", "hf:../b", "hf:a/",
                          "hf:a/b:../c", "hf:a/b:/etc/x", "hf:a/b@", "hf:a/b:c@../x", "hf:a\\b/c"})
    EXPECT_EQ(thrown_by([&] { parse_hub_reference(bad); })->kind, ErrorKind::usage) << bad;
}

TEST(HubTree, HostileListingsAreRefused) {
  const auto refused = [](const std::string& text) {
    std::vector<HubFile> files;
    return message_of([&] { parse_tree(text, "listing", files); });
  };
  for (const char* text :
       {"", "{}", "[", "[1]", "[{\"type\":\"file\"}]", "{\"error\":\"x\"}",
        R"([{"type":"file","path":"a","size":-1}])", R"([{"type":"file","path":3,"size":1}])",
        R"([{"type":"file","path":"a","size":1,"lfs":{"oid":"xyz","size":1}}])",
        R"([{"type":"file","path":"a","size":1e30}])"})
    EXPECT_NE(refused(text), "(nothing thrown)") << text;
  for (const char* path : {"../a", "a/../../b", "/etc/passwd", "a//b", "a/./b", "C:\\\\x",
                           "a\\u0000b", "a\\nb", "", "..", "a/.."})
    EXPECT_NE(refused(fmt::format(R"([{{"type":"file","path":"{}","size":1}}])", path))
                  .find("a plain relative path expected"),
              std::string::npos)
        << path;
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += '[';
  EXPECT_NE(refused(deep), "(nothing thrown)");
}

std::vector<std::string> chosen(const std::vector<std::string>& paths, const std::string& file) {
  HubListing listing;
  for (const std::string& path : paths) listing.files.push_back({path, 1'000'000, "", ""});
  HubReference reference;
  reference.repo = "o/r";
  reference.file = file;
  std::vector<std::string> names;
  for (const HubFile& one : choose_files(listing, reference)) names.push_back(one.path);
  return names;
}

using Names = std::vector<std::string>;

TEST(HubChoice, OneGgufOrAQuestion) {
  EXPECT_EQ(chosen({"README.md", "a.gguf", "mmproj-f16.gguf"}, ""), Names{"a.gguf"});
  EXPECT_EQ(chosen({"q-00001-of-00002.gguf", "q-00002-of-00002.gguf"}, ""),
            (Names{"q-00001-of-00002.gguf", "q-00002-of-00002.gguf"}));
  EXPECT_EQ(message_of([] {
              chosen({"a-Q4_0.gguf", "a-Q8_0.gguf"}, "");
            }),
            "hf:o/r: one file expected after the colon; there are: a-Q4_0.gguf (1.00 MB), "
            "a-Q8_0.gguf (1.00 MB)");
  EXPECT_EQ(chosen({"a-Q4_0.gguf", "a-Q8_0.gguf"}, "a-Q8_0.gguf"), Names{"a-Q8_0.gguf"});
  EXPECT_EQ(chosen({"a-Q4_0.gguf", "a-Q8_0.gguf"}, "q4_0"), Names{"a-Q4_0.gguf"});
  EXPECT_EQ(chosen({"x/b-00001-of-00002.gguf", "x/b-00002-of-00002.gguf", "c.gguf"},
                   "x/b-00001-of-00002.gguf"),
            (Names{"x/b-00001-of-00002.gguf", "x/b-00002-of-00002.gguf"}));
  EXPECT_EQ(message_of([] { chosen({"a.bin"}, "b"); }), "hf:o/r:b: no such file in the repository");
}

TEST(HubChoice, SafeTensorsWithWhatBelongsToThem) {
  EXPECT_EQ(chosen({"README.md", "config.json", "model.safetensors", "pytorch_model.bin",
                    "tokenizer.json", "onnx/model.onnx", "LICENSE"},
                   ""),
            (Names{"config.json", "model.safetensors", "tokenizer.json", "LICENSE"}));
  EXPECT_EQ(
      chosen({"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
              "model.safetensors.index.json", "consolidated.safetensors"},
             ""),
      (Names{"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
             "model.safetensors.index.json"}));
  EXPECT_NE(message_of([] { chosen({"model.safetensors"}, ""); }).find("got neither"),
            std::string::npos);
}

class HubTest : public testing::Test {
 protected:
  HubServer server;
  std::vector<double> waits;
  Http http{HttpOptions{1, 1, "", [this](double seconds) { waits.push_back(seconds); }}};
  HubReference reference = parse_hub_reference("hf:o/r");

  Hub hub(const std::string& token = "") { return {http, server.url(), token}; }
  std::string refusal(JsonBuilder route, const std::string& token = "") {
    server.route("/o/r/resolve/main/a.gguf", std::move(route));
    return message_of([&] { hub(token).look_up(reference, "a.gguf"); });
  }
  static JsonBuilder coded(int status, const std::string& code) {
    return {{"status", status}, {"headers", {{"X-Error-Code", code}}}};
  }
};

TEST_F(HubTest, LooksAFileUpWithoutGoingToTheOtherHost) {
  server.lfs_file("o/r", "a.gguf", "weights");
  const HubListing found = hub("secret").look_up(reference, "a.gguf");
  EXPECT_EQ(found.commit, "0123456789abcdef");
  EXPECT_EQ(found.files[0].bytes, 7);
  EXPECT_EQ(found.files[0].sha256, test::sha256_of("weights"));
  const auto log = server.log();
  ASSERT_EQ(log.size(), 1u);
  EXPECT_EQ(log[0]["method"], "HEAD");
  EXPECT_EQ(log[0]["Authorization"], "Bearer secret");
}

TEST_F(HubTest, FollowsRedirectsOfItsOwnToSmallFiles) {
  server.git_file("o/r", "config.json", "hello\n");
  const HubFile file = hub().look_up(reference, "config.json").files[0];
  EXPECT_EQ(file.bytes, 6);
  EXPECT_EQ(file.sha256, "");
  EXPECT_EQ(file.git_sha1, "ce013625030ba8dba906f756967f9e9ca394464a");  // git hash-object
}

TEST_F(HubTest, TheTokenGoesToNoOtherHost) {
  server.lfs_file("o/r", "a.gguf", "weights");
  Request request;
  request.url = server.url("/o/r/resolve/main/a.gguf");
  request.token = "secret";
  const Response response = http.exchange(request);
  EXPECT_EQ(response.body, "weights");
  EXPECT_EQ(response.header("x-linked-size"), "7");  // of the redirect
  const auto log = server.log();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[0]["Authorization"], "Bearer secret");
  EXPECT_TRUE(log[1]["Authorization"].is_null()) << log[1];
  EXPECT_TRUE(log[1]["Host"].get<std::string>().starts_with("localhost:"));
}

TEST_F(HubTest, RefusalsSayWhatToDo) {
  EXPECT_EQ(refusal({{"gated", true}}), "hf:o/r:a.gguf: 401: gated: accept the licence at " +
                                            server.url() + "/o/r, then set HF_TOKEN");
  EXPECT_EQ(refusal({{"gated", true}}, "bad"),
            "hf:o/r:a.gguf: 403: gated: accept the licence at " + server.url() +
                "/o/r, then set HF_TOKEN (the token that is set has no access)");
  EXPECT_EQ(refusal(coded(401, "RepoNotFound")),
            "hf:o/r:a.gguf: 401: no such repository, or a private one: set HF_TOKEN where it is "
            "yours");
  EXPECT_EQ(refusal({{"status", 403}}),
            "hf:o/r:a.gguf: 403: access is refused; with a token, HF_TOKEN lacks the right");
  EXPECT_EQ(refusal(coded(404, "EntryNotFound")),
            "hf:o/r:a.gguf: 404: no such file in the repository");
  EXPECT_EQ(refusal(coded(404, "RevisionNotFound")),
            "hf:o/r:a.gguf: 404: no such revision in the repository");
  EXPECT_TRUE(waits.empty());
  EXPECT_EQ(refusal({{"status", 429}, {"headers", {{"Retry-After", "5"}}}}),
            "hf:o/r:a.gguf: 429: " + server.url() + " asks to come back in 5 s");
  EXPECT_EQ(waits.size(), static_cast<size_t>(kTriesMax - 1));
  EXPECT_EQ(refusal({{"gated", true}}, "good"), "(nothing thrown)");
}

TEST_F(HubTest, RedirectsThatLeadNowhere) {
  EXPECT_NE(refusal({{"status", 302}, {"headers", {{"Location", "/o/r/resolve/main/a.gguf"}}}})
                .find("more than 10 redirects"),
            std::string::npos);
  EXPECT_NE(refusal({{"status", 302}, {"headers", {{"Location", "file:///etc/passwd"}}}})
                .find("a redirect to what is no web address"),
            std::string::npos);
}

TEST_F(HubTest, ListsAllPages) {
  server.lfs_file("o/r", "a.gguf", "weights");
  const std::string second = "/api/models/o/r/tree/second";
  server.route(
      "/api/models/o/r/tree/main",
      {{"text", R"([{"type":"directory","path":"x"},{"type":"file","path":"a","size":1}])"},
       {"headers", {{"Link", "<" + server.url(second) + ">; rel=\"next\""}}}});
  server.route(second, {{"text", R"([{"type":"file","path":"b","size":2}])"}});
  const HubListing listing = hub("secret").list(reference);
  ASSERT_EQ(listing.files.size(), 2u);
  EXPECT_EQ(listing.files[1].path, "b");
  // A next page elsewhere would be handed the token.
  server.route("/api/models/o/r/tree/main",
               {{"text", "[]"},
                {"headers", {{"Link", "<" + server.other_host(second) + ">; rel=\"next\""}}}});
  EXPECT_NE(message_of([&] { hub("secret").list(reference); }).find("at another host"),
            std::string::npos);
}

TEST_F(HubTest, LicenceOfTheCard) {
  EXPECT_EQ(hub().licence(reference), "");
  server.card("o/r", {{"cardData", {{"license", "apache-2.0"}}}});
  EXPECT_EQ(hub().licence(reference), "apache-2.0");
  server.card("o/r", {{"cardData", {{"license", "other"}, {"license_name", "gemma"}}}});
  EXPECT_EQ(hub().licence(reference), "gemma");
  server.card("o/r", {{"cardData", {{"license", {1, 2}}}}});
  EXPECT_EQ(hub().licence(reference), "");
}

TEST(Pypi, BothFormsOfTheIndex) {
  const std::string sha(64, 'a');
  const std::string page = "https://user:pw@mirror.example/simple/pkg/";
  const auto html =
      wheel_in_html("<html><a data-x=1 href=\"../../files/pkg-1.0.tar.gz#sha256=" + sha +
                        "\">pkg-1.0.tar.gz</a>"
                        "<a href='../../files/pkg-1.0-py3-none-any.whl?a=1&amp;b=2#sha256=" +
                        sha + "'>x</a>",
                    page, "pkg-1.0-py3-none-any.whl");
  ASSERT_TRUE(html);
  EXPECT_EQ(html->url, "https://user:pw@mirror.example/files/pkg-1.0-py3-none-any.whl?a=1&b=2");
  EXPECT_EQ(html->sha256, sha);
  const auto json = wheel_in_json(R"({"files":[{"filename":"pkg-1.0-py3-none-any.whl",
      "url":"https://files.example/pkg-1.0-py3-none-any.whl","hashes":{"sha256":")" +
                                      sha + R"("}}]})",
                                  page, "pkg-1.0-py3-none-any.whl");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->url, "https://files.example/pkg-1.0-py3-none-any.whl");
  EXPECT_EQ(json->sha256, sha);
}

TEST(Pypi, WhatIsNotThereOrMakesNoSense) {
  const std::string page = "https://mirror.example/simple/pkg/";
  EXPECT_FALSE(wheel_in_html("", page, "x.whl"));
  EXPECT_FALSE(wheel_in_html("<a <a href= <a href=\"x.whl <a href='", page, "x.whl"));
  EXPECT_FALSE(wheel_in_html("<a href=\"xx.whl\">", page, "x.whl"));
  EXPECT_FALSE(wheel_in_json("{}", page, "x.whl"));
  EXPECT_EQ(wheel_in_html("<a href=\"x.whl#sha256=zz\">", page, "x.whl")->sha256, "");
  EXPECT_TRUE(thrown_by([&] { wheel_in_json("[", page, "x.whl"); }));
  EXPECT_TRUE(thrown_by([&] { wheel_in_json(R"({"files":3})", page, "x.whl"); }));
  EXPECT_TRUE(thrown_by([&] { wheel_in_html("<a href=\"file:///x.whl\">", page, "x.whl"); }));
}

TEST(Urls, ArePutTogetherAndShownWithoutSecrets) {
  EXPECT_EQ(resolve_url("https://a.example/x/y", "../z"), "https://a.example/z");
  EXPECT_EQ(resolve_url("https://u:p@a.example/x", "https://b.example/z"), "https://b.example/z");
  EXPECT_EQ(origin_of("HTTPS://A.example/x"), "https://a.example:443");
  EXPECT_EQ(shown_url("https://u:p@a.example/x?signature=1"), "https://a.example/x");
  EXPECT_EQ(encode_path("a b/c%\xc3\xa9"), "a%20b/c%25%C3%A9");
}

}  // namespace
}  // namespace bittern::model_store
