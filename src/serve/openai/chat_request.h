// POST /v1/chat/completions: a conversation to be answered.
//
// Messages reach the template as the request has them, with three changes: parts of text become one
// text, with a line end between; arguments of tool calls, a text of JSON in the API, become the
// object that templates expect; fields that are null are left out. Images, audio and files are
// refused. `tools` go into the template; what the model writes about them is plain content, and a
// choice of tool other than none or auto is refused.
// Source: OpenAI API 2.3.0 (CreateChatCompletionRequest); vLLM 0.33, llama.cpp's server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "chat/value.h"
#include "serve/openai/text_fields.h"

namespace bittern::serve::openai {

struct ChatRequest {
  TextFields text;
  chat::List messages;
  chat::Value tools;            // null: none, or not to be used
  chat::Value documents;        // null: none
  chat::Dict template_options;  // chat_template_kwargs, reasoning_effort
  bool add_generation_prompt = true;
  bool continue_final_message = false;
  std::optional<int64_t> top_log_probabilities;  // nothing: no log-probabilities
};

// Throws FieldError.
ChatRequest read_chat_request(const json::Value& body);

}  // namespace bittern::serve::openai
