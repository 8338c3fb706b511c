// Batch files: what counts as a request, and the mistakes of a file with their lines.
#include "serve/batch/batch_input.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "serve/batch/batch_line.h"
#include "serve/limits.h"
#include "serve/refusal.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::serve {
namespace {

using bittern::test::TemporaryFolder;

std::string request(const std::string& id) { return R"({"custom_id":")" + id + R"("})"; }

TEST(BatchInput, LinesIdsAndTheHashOfTheFile) {
  const TemporaryFolder folder;
  const std::string text = request("b") + "\n\n  \r\n" + request("a") + "\r\n" + request("c");
  const BatchInput input = BatchInput::open(folder.write("in.jsonl", text));
  ASSERT_EQ(input.size(), 3);
  EXPECT_EQ(input.line(0), request("b"));
  EXPECT_EQ(input.line(1), request("a") + "\r");
  EXPECT_EQ(input.line(2), request("c"));
  EXPECT_EQ(input.line_number(0), 1);
  EXPECT_EQ(input.line_number(1), 4);
  EXPECT_EQ(input.line_number(2), 5);
  EXPECT_EQ(input.find("a"), 1);
  EXPECT_EQ(input.find("b"), 0);
  EXPECT_EQ(input.find("d"), std::nullopt);
  EXPECT_EQ(input.bytes(), std::ssize(text));
  Digest digest(Digest::Kind::sha256);
  digest.update(text);
  EXPECT_EQ(input.sha256(), digest.hex());
}

TEST(BatchInput, AFileOfManyPiecesIsHashedWhole) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 30'000; ++i)
    text += fmt::format(R"({{"custom_id":"request {}","filler":"{:040}"}})", i, i) + "\n";
  int64_t heard = 0;
  const BatchInput input =
      BatchInput::open(folder.write("in.jsonl", text), [&](int64_t bytes) { heard += bytes; });
  EXPECT_EQ(heard, std::ssize(text));
  EXPECT_EQ(input.size(), 30'000);
  EXPECT_EQ(input.find("request 29999"), 29'999);
  Digest digest(Digest::Kind::sha256);
  digest.update(text);
  EXPECT_EQ(input.sha256(), digest.hex());
}

TEST(BatchInput, MistakesNameTheirLine) {
  const std::string good = request("x") + "\n";
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {"", "at least one request expected"},
      {"\n \n", "at least one request expected"},
      {good + "\n{", "line 3: not valid JSON"},
      {good + "[1]\n", "line 2: a JSON object expected, got array"},
      {good + "{\"id\":\"y\"}\n", "line 2: custom_id: a text of 1 to 512 bytes expected, got none"},
      {good + "{\"custom_id\":7}\n", "line 2: custom_id: string expected, got 7"},
      {good + "{\"custom_id\":\"\"}\n", "line 2: custom_id: a text of 1 to 512 bytes expected"},
      {good + request(std::string(kCustomIdBytesMax + 1, 'x')), "line 2: custom_id: a text"},
      {request("a") + "\n" + good + good + request("a"), "line 3: custom_id \"x\": that of line 2"},
      {good + std::string(kBodyBytesMax + 1, 'x'), "line 2: 67108865 bytes, at most 67108864"},
  };
  for (const auto& [text, message] : cases) {
    const TemporaryFolder folder;
    const auto path = folder.write("in.jsonl", text);
    const std::string got = bittern::test::message_of([&] { BatchInput::open(path); });
    EXPECT_NE(got.find(message), std::string::npos) << got;
  }
  EXPECT_NE(bittern::test::message_of([] { BatchInput::open("/no/such/file"); }).find("/no/such"),
            std::string::npos);
}

TEST(BatchInput, AFileThatChangesMeanwhileIsNoticed) {
  const TemporaryFolder folder;
  const auto path = folder.write("in.jsonl", request("a") + "\n");
  const BatchInput input = BatchInput::open(path);
  folder.write("in.jsonl", request("a") + "\n" + request("b") + "\n");
  EXPECT_NE(bittern::test::message_of([&] { (void)input.line(0); }).find("changed while"),
            std::string::npos);
}

std::string line(const std::string& url, const std::string& body) {
  return fmt::format(R"({{"custom_id":"a","method":"POST","url":"{}","body":{}}})", url, body);
}

TEST(BatchLine, EachUrlHasItsBody) {
  const BatchRequest chat = read_batch_request(
      line("/v1/chat/completions", R"({"messages":[{"role":"user","content":"x"}]})"));
  EXPECT_EQ(chat.custom_id, "a");
  EXPECT_TRUE(std::holds_alternative<openai::ChatRequest>(chat.body));
  EXPECT_TRUE(std::holds_alternative<openai::CompletionRequest>(
      read_batch_request(line("/v1/completions", R"({"prompt":"x"})")).body));
  EXPECT_TRUE(std::holds_alternative<openai::EmbeddingRequest>(
      read_batch_request(line("/v1/embeddings", R"({"input":"x"})")).body));
}

TEST(BatchLine, RefusalsNameTheField) {
  const struct {
    std::string text;
    const char* param;
  } cases[] = {
      {line("/v1/responses", "{}"), "url"},
      {line("/v1/completions", R"({"prompt":"x","stream":true})"), "stream"},
      {line("/v1/chat/completions",
            R"({"messages":[{"role":"user","content":"x"}],"stream":true})"),
       "stream"},
      {line("/v1/completions", R"({"prompt":"x","colour":1})"), "colour"},
      {line("/v1/completions", "[]"), "body"},
      {R"({"custom_id":"a","method":"GET","url":"/v1/completions","body":{}})", "method"},
      {R"({"custom_id":"a","url":"/v1/completions","body":{}})", "method"},
      {R"({"custom_id":"a","method":"POST","body":{}})", "url"},
      {R"({"custom_id":"a","method":"POST","url":"/v1/completions"})", "body"},
      {R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":{},"x":1})", "x"},
  };
  for (const auto& [text, param] : cases)
    EXPECT_EQ(test::refusal_of([&] { read_batch_request(text); }).param, param) << text;
}

TEST(BatchLine, IdsAndSeedsFollowFromTheInput) {
  const BatchIds ids = batch_ids("abc", 7);
  EXPECT_EQ(batch_ids("abc", 7).line, ids.line);
  EXPECT_NE(batch_ids("abc", 8).line, ids.line);
  EXPECT_NE(batch_ids("abd", 7).response, ids.response);
  EXPECT_EQ(ids.line.size(), 10u + 32u);
  EXPECT_EQ(ids.request.size(), 32u);
  EXPECT_EQ(ids.response.size(), 32u);
  EXPECT_EQ(batch_seed(1, "a"), batch_seed(1, "a"));
  EXPECT_NE(batch_seed(1, "a"), batch_seed(2, "a"));
  EXPECT_NE(batch_seed(1, "a"), batch_seed(1, "b"));
}

TEST(BatchLine, OutputIsReadBack) {
  const BatchIds ids = batch_ids("abc", 7);
  const std::string good = batch_output(ids, "a \"b\"", 200, {{"x", 1}});
  EXPECT_EQ(good, fmt::format(R"({{"id":"{}","custom_id":"a \"b\"","response":)"
                              R"({{"status_code":200,"request_id":"{}","body":{{"x":1}}}},)"
                              R"("error":null}})",
                              ids.line, ids.request));
  const BatchOutcome outcome = read_batch_output(good, "file");
  EXPECT_EQ(outcome.id, ids.line);
  EXPECT_EQ(outcome.custom_id, "a \"b\"");
  EXPECT_FALSE(outcome.is_error);
  EXPECT_TRUE(read_batch_output(batch_output(ids, "a", 400, {{"x", 1}}), "file").is_error);
  for (const char* bad : {"", "[]", "{}", R"({"id":"x","custom_id":"a","response":{}})"})
    EXPECT_NE(bittern::test::message_of([&] { read_batch_output(bad, "file"); }),
              "(nothing thrown)");
}

}  // namespace
}  // namespace bittern::serve
