#include "serve/batch/batch_line.h"

#include <charconv>

#include "base/digest.h"
#include "serve/limits.h"
#include "serve/openai/error.h"

namespace bittern::serve {
namespace {

constexpr int kOk = 200;

using openai::error_code::kUnsupported;
using openai::error_code::kValue;

}  // namespace

BatchRequest read_batch_request(std::string_view line) {
  const auto document = json::Document::parse(line, "request");
  openai::Fields fields(document->root(), "");
  BatchRequest request;
  request.custom_id = openai::text_of(fields.require("custom_id"), "custom_id");
  const std::string method = openai::text_of(fields.require("method"), "method");
  if (method != "POST")
    openai::refuse("method", kValue, "POST expected, got \"{}\"", printable(method));
  const std::string url = openai::text_of(fields.require("url"), "url");
  const json::Value body = fields.require("body");
  fields.finish();
  if (url == "/v1/chat/completions") {
    request.body = openai::read_chat_request(body);
  } else if (url == "/v1/completions") {
    request.body = openai::read_completion_request(body);
  } else if (url == "/v1/embeddings") {
    request.body = openai::read_embedding_request(body);
  } else {
    openai::refuse("url", kUnsupported,
                   "/v1/chat/completions, /v1/completions and /v1/embeddings are supported, got "
                   "\"{}\"",
                   printable(url));
  }
  const auto* chat = std::get_if<openai::ChatRequest>(&request.body);
  const auto* completion = std::get_if<openai::CompletionRequest>(&request.body);
  if ((chat != nullptr && chat->text.stream) || (completion != nullptr && completion->text.stream))
    openai::refuse("stream", kUnsupported, "not in a batch");
  return request;
}

std::string read_custom_id(std::string_view line) {
  const auto document = json::Document::parse(line, "request");
  return std::string(document->root().get_string("custom_id").value_or(""));
}

BatchIds batch_ids(std::string_view input_sha256, int64_t line_number) {
  constexpr size_t kDigits = 32;
  const std::string name = fmt::format("{}:{}", input_sha256, line_number);
  const std::string line = sha256_hex("line:" + name), response = sha256_hex("response:" + name);
  return {.line = "batch_req_" + line.substr(0, kDigits),
          .request = line.substr(kDigits),
          .response = response.substr(0, kDigits)};
}

uint64_t batch_seed(uint64_t seed, std::string_view custom_id) {
  constexpr size_t kDigits = 16;
  const std::string hex = sha256_hex(fmt::format("{}:{}", seed, custom_id));
  uint64_t value = 0;
  std::from_chars(hex.data(), hex.data() + kDigits, value, 16);
  return value;
}

std::string batch_output(const BatchIds& ids, const std::string& custom_id, int status,
                         JsonBuilder body) {
  const JsonBuilder line = {
      {"id", ids.line},
      {"custom_id", custom_id},
      {"response",
       {{"status_code", status}, {"request_id", ids.request}, {"body", std::move(body)}}},
      {"error", nullptr}};
  return to_text(line);
}

BatchOutcome read_batch_output(std::string_view line, const std::string& file) {
  const auto document = json::Document::parse(line, file);
  const json::Value root = document->root();
  if (!root.is(json::Kind::object)) bad_input("{}: an object expected", file);
  const auto id = root.get_string("id"), custom_id = root.get_string("custom_id");
  const auto response = root.get("response");
  const auto status = response ? response->get_integer("status_code") : std::nullopt;
  if (!id || !custom_id || !status || !response->get("body"))
    bad_input("{}: a line of output expected: id, custom_id, response", file);
  return {.id = std::string(*id), .custom_id = std::string(*custom_id), .is_error = *status != kOk};
}

}  // namespace bittern::serve
