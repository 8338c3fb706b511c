// Bodies of OpenAI's API: any bytes as each kind of request. What is read keeps to the limits that
// say how much one request may ask for.
#include "base/check.h"
#include "fuzz/target.h"
#include "serve/limits.h"
#include "serve/openai/chat_request.h"
#include "serve/openai/completion_request.h"
#include "serve/openai/embedding_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bittern;
  using namespace bittern::serve;
  std::unique_ptr<json::Document> body;
  fuzz::accept_errors(
      [&] { body = json::Document::parse(as_text(fuzz::input(data, size)), "body"); });
  if (!body) return 0;
  fuzz::accept_errors([&] {
    const openai::ChatRequest request = openai::read_chat_request(body->root());
    BITTERN_CHECK(!request.messages.empty(), "no messages");
    BITTERN_CHECK(request.text.choices >= 1 && request.text.choices <= kChoicesMax, "{} choices",
                  request.text.choices);
  });
  fuzz::accept_errors([&] {
    const openai::CompletionRequest request = openai::read_completion_request(body->root());
    BITTERN_CHECK(!request.prompts.empty() && request.prompts.size() <= kPromptsMax, "{} prompts",
                  request.prompts.size());
    BITTERN_CHECK(request.text.stops.size() <= kStopsMax, "{} stops", request.text.stops.size());
  });
  return fuzz::accept_errors([&] { openai::read_embedding_request(body->root()); });
}
