// A conversation as a template sees it: what transformers' apply_chat_template does around the
// template itself. Messages are dictionaries ({"role": ..., "content": ..., "tool_calls": ...})
// and reach the template as they are, but for two things: reasoning is offered under each of the
// names templates know it by (reasoning_content, thinking), and roles of the usual names count as
// the template's own words, because templates spell special tokens with them ("<|user|>").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/template.h"
#include "chat/value.h"

namespace bittern::chat {

struct Conversation {
  List messages;
  Value tools;      // null, or a list of JSON schemas
  Value documents;  // null, or a list of {title, text}
  // The text ends where the assistant is to begin.
  bool add_generation_prompt = true;
  // The text ends inside the last message, which is to be continued: the field ("content",
  // "reasoning_content") that stays open. Instead of a generation prompt.
  std::optional<std::string> continue_final;
  std::vector<std::pair<std::string, std::string>> special_tokens;  // "bos_token" and its text
  Dict variables;  // anything else: enable_thinking, reasoning_effort, ...
};

// {"role": role, "content": content}
Value message(std::string_view role, std::string_view content);

// Throws bad_input: what Template::render throws, a message that is no dictionary, or a message
// to continue whose text the template leaves out.
Rendered render(const Template& chat_template, Conversation conversation,
                const RenderOptions& options = {});

}  // namespace bittern::chat
