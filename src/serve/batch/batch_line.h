// A line of a batch file, in and out. An answer goes to the output file, a refusal to the file of
// errors, as with OpenAI, both as
//   {"id": "batch_req_...", "custom_id": "a",
//    "response": {"status_code": 200, "request_id": "...", "body": {...}}, "error": null}
// Ids are hashes of the input and the line, so that the same file gives the same ones.
// Source: OpenAI API 2.3.0 (BatchRequestOutput), and what the service writes for a bad request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/json_write.h"
#include "serve/openai/chat_request.h"
#include "serve/openai/completion_request.h"
#include "serve/openai/embedding_request.h"

namespace bittern::serve {

struct BatchRequest {
  std::string custom_id;
  std::variant<openai::ChatRequest, openai::CompletionRequest, openai::EmbeddingRequest> body;
};

// Throws openai::FieldError: the body's fields without a prefix, the line's own (url, method) by
// their names; Error{bad_input} for what is no JSON.
BatchRequest read_batch_request(std::string_view line);
// Only that; empty where there is none.
std::string read_custom_id(std::string_view line);

struct BatchIds {
  std::string line;      // "batch_req_" and 32 digits
  std::string request;   // 32 digits
  std::string response;  // 32 digits, to be put behind "chatcmpl-" or "cmpl-"
};
BatchIds batch_ids(std::string_view input_sha256, int64_t line_number);

// What choices of a request draw with where it has no seed of its own.
uint64_t batch_seed(uint64_t seed, std::string_view custom_id);

// The line without its end.
std::string batch_output(const BatchIds& ids, const std::string& custom_id, int status,
                         JsonBuilder body);

// What a line of an output file is: whose, and whether it belongs among the errors. Throws
// Error{bad_input} for any other text.
struct BatchOutcome {
  std::string id, custom_id;
  bool is_error = false;
};
BatchOutcome read_batch_output(std::string_view line, const std::string& file);

}  // namespace bittern::serve
