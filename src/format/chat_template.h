// Where a checkpoint keeps its chat templates and the special tokens that they write.
//
//   Hugging Face folder   chat_template.jinja ("default") and additional_chat_templates/NAME.jinja;
//                         without either, "chat_template" of tokenizer_config.json (a text, or a
//                         list of {name, template}); without that, of chat_template.json
//   GGUF                  tokenizer.chat_template ("default"), tokenizer.chat_template.NAME
// Source: transformers 5.23 (tokenization_utils_base.py), the GGUF specification.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/checkpoint.h"

namespace bittern::format {

struct ChatTemplateSource {
  std::string name;  // "default", "tool_use", ...
  std::string text;
  std::string file;  // where it comes from, for errors
};

// All of them; none where the checkpoint has none. Throws bad_input for a field of another kind.
std::vector<ChatTemplateSource> read_chat_templates(const Checkpoint& checkpoint);

// The one that `name` names; without a name "tool_use" where tools are given and it exists, else
// "default", else the only one. Null where there are none; throws bad_input where none fits.
const ChatTemplateSource* choose_chat_template(const std::vector<ChatTemplateSource>& templates,
                                               const std::optional<std::string>& name,
                                               bool has_tools);

// What templates know as bos_token, eos_token, ...: name and text, as far as the files say.
std::vector<std::pair<std::string, std::string>> read_special_tokens(const Checkpoint& checkpoint);

}  // namespace bittern::format
