// What a model is asked: a conversation put into its chat template, or a text as it is, and the
// tokens of that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/conversation.h"
#include "chat/template.h"
#include "format/checkpoint.h"
#include "text/tokenizer.h"

namespace bittern::engine {

struct Prompt {
  std::string text;
  std::vector<text::TextRange> literal = {};  // what users wrote: never special tokens
  // A template writes the special tokens itself, the first one included.
  bool templated = false;
};

std::vector<int32_t> encode(const text::Tokenizer& tokenizer, const Prompt& prompt);

// A chat template, parsed, with the special tokens of the model that it writes. Used by any thread.
class ChatTemplate {
 public:
  // The checkpoint's own: the one for tools where `has_tools` and it has one. Nothing where it has
  // no template at all. Throws bad_input for one that cannot be read.
  static std::optional<ChatTemplate> of(const format::Checkpoint& checkpoint, bool has_tools);
  // Another one, from a file, for the same model.
  ChatTemplate(const std::string& source, const std::string& file,
               const format::Checkpoint& checkpoint);

  const std::string& name() const { return name_; }  // in messages
  const std::string& source() const { return template_.source(); }
  // Throws what chat::render throws. The conversation's special tokens are the model's.
  Prompt render(chat::Conversation conversation) const;

 private:
  std::string name_;
  chat::Template template_;
  std::vector<std::pair<std::string, std::string>> special_tokens_;
};

}  // namespace bittern::engine
