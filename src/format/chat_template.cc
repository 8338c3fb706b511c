#include "format/chat_template.h"

#include <algorithm>

#include "base/error.h"
#include "format/limits.h"

namespace bittern::format {
namespace {

namespace fs = std::filesystem;
using json::Kind;

constexpr std::string_view kDefault = "default";
constexpr std::string_view kJinja = ".jinja";
constexpr std::string_view kGgufKey = "tokenizer.chat_template";
constexpr size_t kAdditionalMax = 64;  // files in additional_chat_templates

fs::path folder_of(const Checkpoint& checkpoint) {
  std::error_code error;
  return fs::is_directory(checkpoint.path, error) ? checkpoint.path : checkpoint.path.parent_path();
}

void add_files(const fs::path& folder, std::vector<ChatTemplateSource>& out) {
  std::error_code error;
  const auto add = [&](std::string name, const fs::path& path) {
    out.push_back({std::move(name), read_text_file(path, kChatTemplateBytesMax), path.string()});
  };
  const fs::path main = folder / "chat_template.jinja";
  if (fs::is_regular_file(main, error)) add(std::string(kDefault), main);
  std::vector<fs::path> more;
  for (fs::directory_iterator entry(folder / "additional_chat_templates", error), end;
       !error && entry != end && more.size() < kAdditionalMax; entry.increment(error))
    if (entry->path().extension() == kJinja) more.push_back(entry->path());
  std::sort(more.begin(), more.end());
  for (const fs::path& path : more) add(path.stem().string(), path);
}

// "chat_template": a text, or a list of {name, template}.
void add_field(const json::Value& root, std::vector<ChatTemplateSource>& out) {
  constexpr std::string_view kField = "chat_template";
  const auto value = root.get(kField);
  if (!value) return;
  if (!value->is(Kind::array)) {
    out.push_back({std::string(kDefault), std::string(value->as_string(kField)), root.file_name()});
    return;
  }
  for (const json::Value& entry : value->elements(kField)) {
    const auto name = entry.get_string("name"), text = entry.get_string("template");
    if (!name || !text)
      bad_input("{}: chat_template: 'name' and 'template' expected in each entry",
                root.file_name());
    out.push_back({std::string(*name), std::string(*text), root.file_name()});
  }
}

std::vector<ChatTemplateSource> templates_from_gguf(const Metadata& metadata) {
  std::vector<ChatTemplateSource> found;
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(kGgufKey)) continue;
    const std::string_view rest = std::string_view(key).substr(kGgufKey.size());
    if (!rest.empty() && rest[0] != '.') continue;  // tokenizer.chat_templates: their names
    const auto text = metadata.get_string(key);
    if (text)
      found.push_back(
          {std::string(rest.empty() ? kDefault : rest.substr(1)), *text, metadata.file_name});
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> tokens_from_gguf(const Metadata& metadata) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"bos_token", "bos"},       {"eos_token", "eos"},     {"unk_token", "unknown"},
      {"sep_token", "seperator"}, {"pad_token", "padding"}, {"cls_token", "cls"},
      {"mask_token", "mask"}};
  std::vector<std::pair<std::string, std::string>> found;
  const auto* tokens = metadata.get_strings("tokenizer.ggml.tokens");
  if (tokens == nullptr) return found;
  for (const auto& [name, key] : kNames) {
    const auto id = metadata.get_integer(fmt::format("tokenizer.ggml.{}_token_id", key));
    if (id && *id >= 0 && *id < static_cast<int64_t>(tokens->size()))
      found.emplace_back(name, (*tokens)[static_cast<size_t>(*id)]);
  }
  return found;
}

}  // namespace

std::vector<ChatTemplateSource> read_chat_templates(const Checkpoint& checkpoint) {
  if (checkpoint.container == Container::gguf) return templates_from_gguf(checkpoint.metadata);
  std::vector<ChatTemplateSource> found;
  const fs::path folder = folder_of(checkpoint);
  add_files(folder, found);
  if (found.empty() && checkpoint.tokenizer_config != nullptr)
    add_field(checkpoint.tokenizer_config->root(), found);
  std::error_code error;
  const fs::path legacy = folder / "chat_template.json";
  if (found.empty() && fs::is_regular_file(legacy, error)) {
    const auto document =
        json::Document::parse(read_text_file(legacy, kConfigBytesMax), legacy.string());
    add_field(document->root(), found);
  }
  return found;
}

const ChatTemplateSource* choose_chat_template(const std::vector<ChatTemplateSource>& templates,
                                               const std::optional<std::string>& name,
                                               bool has_tools) {
  const auto find = [&](std::string_view wanted) -> const ChatTemplateSource* {
    const auto found =
        std::find_if(templates.begin(), templates.end(),
                     [&](const ChatTemplateSource& source) { return source.name == wanted; });
    return found == templates.end() ? nullptr : &*found;
  };
  const auto names = [&] {
    std::vector<std::string> all;
    for (const ChatTemplateSource& source : templates) all.push_back(printable(source.name, 40));
    return fmt::format("{}", fmt::join(all, ", "));
  };
  if (name) {
    if (const auto* found = find(*name)) return found;
    bad_input("chat template: one of {} expected, got '{}'", templates.empty() ? "none" : names(),
              printable(*name, 40));
  }
  if (templates.empty()) return nullptr;
  if (has_tools)
    if (const auto* found = find("tool_use")) return found;
  if (const auto* found = find(kDefault)) return found;
  if (templates.size() == 1) return templates.data();
  bad_input("{}: chat template: one called 'default' expected, got {}", templates[0].file, names());
}

std::vector<std::pair<std::string, std::string>> read_special_tokens(const Checkpoint& checkpoint) {
  if (checkpoint.container == Container::gguf) return tokens_from_gguf(checkpoint.metadata);
  std::vector<std::pair<std::string, std::string>> found;
  if (checkpoint.tokenizer_config == nullptr) return found;
  const json::Value root = checkpoint.tokenizer_config->root();
  for (const auto& [name, value] : root.members("tokenizer_config.json")) {
    if (!name.ends_with("_token")) continue;  // add_bos_token is a boolean and left out below
    if (value.is(Kind::string)) {
      found.emplace_back(name, value.as_string(name));
    } else if (value.is(Kind::object)) {
      if (const auto content = value.get_string("content")) found.emplace_back(name, *content);
    }
  }
  return found;
}

}  // namespace bittern::format
