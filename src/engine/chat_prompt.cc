#include "engine/chat_prompt.h"

#include <fmt/format.h>

#include "base/error.h"
#include "format/chat_template.h"

namespace bittern::engine {

std::vector<int32_t> encode(const text::Tokenizer& tokenizer, const Prompt& prompt) {
  return tokenizer.encode(
      prompt.text,
      {.add_special = !prompt.templated, .parse_special = true, .literal = prompt.literal});
}

std::optional<ChatTemplate> ChatTemplate::of(const format::Checkpoint& checkpoint, bool has_tools) {
  const std::vector<format::ChatTemplateSource> templates = format::read_chat_templates(checkpoint);
  const auto* source = format::choose_chat_template(templates, std::nullopt, has_tools);
  if (source == nullptr) return std::nullopt;
  return ChatTemplate(source->text, source->file, checkpoint);
}

ChatTemplate::ChatTemplate(const std::string& source, const std::string& file,
                           const format::Checkpoint& checkpoint)
    : name_(fmt::format("{}: chat template", file)),
      template_(chat::Template::parse(source, name_)),
      special_tokens_(format::read_special_tokens(checkpoint)) {}

Prompt ChatTemplate::render(chat::Conversation conversation) const {
  conversation.special_tokens = special_tokens_;
  chat::Rendered rendered = chat::render(template_, std::move(conversation));
  return {
      .text = std::move(rendered.text), .literal = std::move(rendered.literal), .templated = true};
}

}  // namespace bittern::engine
