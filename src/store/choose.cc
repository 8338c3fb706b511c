// Which files of a repository a pull fetches. Only names are looked at: the rules are those that
// repositories of the hub follow, and what they leave open is asked, never guessed.
#include <algorithm>

#include "base/error.h"
#include "base/progress.h"
#include "store/hub.h"

namespace bittern::model_store {
namespace {

constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr size_t kChoicesShown = 40;

// What a SafeTensors model needs beside its weights, as far as the repository has it.
constexpr std::string_view kCompanions[] = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "quantize_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

bool is_gguf(const HubFile& file) { return lower(file.path).ends_with(".gguf"); }

// A split file's name without "-00001-of-00003.gguf"; nothing for one that stands alone.
std::optional<std::string> split_stem(std::string_view path) {
  constexpr std::string_view kPattern = "-#####-of-#####.gguf";
  if (path.size() <= kPattern.size()) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kPattern.size());
  for (size_t i = 0; i < kPattern.size(); ++i)
    if (kPattern[i] == '#' ? tail[i] < '0' || tail[i] > '9' : tail[i] != kPattern[i])
      return std::nullopt;
  return std::string(path.substr(0, path.size() - kPattern.size()));
}

// GGUF files that belong together.
struct Choice {
  std::string name;  // what a user writes after the colon
  std::vector<HubFile> parts;
  int64_t bytes = 0;
};

std::vector<Choice> gguf_choices(const HubListing& listing) {
  std::vector<Choice> choices;
  for (const HubFile& file : listing.files) {
    // Projectors for pictures are no models.
    if (!is_gguf(file) || lower(file.path).find("mmproj") != std::string::npos) continue;
    const auto stem = split_stem(file.path);
    auto found = choices.end();
    if (stem)
      found = std::find_if(choices.begin(), choices.end(),
                           [&](const Choice& choice) { return split_stem(choice.name) == stem; });
    if (found == choices.end()) found = choices.insert(choices.end(), Choice{file.path, {}, 0});
    found->parts.push_back(file);
    found->bytes += file.bytes;
  }
  return choices;
}

[[noreturn]] void ask_for_one(const HubReference& reference, const std::vector<Choice>& choices) {
  std::string list;
  for (size_t i = 0; i < std::min(choices.size(), kChoicesShown); ++i)
    list += fmt::format("{}{} ({})", i == 0 ? "" : ", ", printable(choices[i].name),
                        format_bytes(static_cast<double>(choices[i].bytes)));
  if (choices.size() > kChoicesShown) list += ", ...";
  bad_input("hf:{}: one file expected after the colon; there are: {}", reference.repo, list);
}

std::vector<HubFile> choose_safetensors(const HubListing& listing, const HubReference& reference) {
  const auto has = [&](std::string_view path) {
    return std::any_of(listing.files.begin(), listing.files.end(),
                       [&](const HubFile& file) { return file.path == path; });
  };
  const bool whole = has(kWeights);
  if ((!whole && !has(kIndex)) || !has("config.json"))
    bad_input(
        "{}: a GGUF file, or config.json with {} or its index, expected in the repository, "
        "got neither",
        reference.text(), kWeights);
  std::vector<HubFile> files;
  for (const HubFile& file : listing.files) {
    const bool companion = std::find(std::begin(kCompanions), std::end(kCompanions), file.path) !=
                           std::end(kCompanions);
    const bool shard = !whole && file.path.find('/') == std::string::npos &&
                       file.path.starts_with("model-") && file.path.ends_with(".safetensors");
    const bool weights = file.path == (whole ? kWeights : kIndex);
    if (companion || shard || weights) files.push_back(file);
  }
  return files;
}

}  // namespace

std::vector<HubFile> choose_files(const HubListing& listing, const HubReference& reference) {
  const std::vector<Choice> choices = gguf_choices(listing);
  if (reference.file.empty()) {
    if (choices.empty()) return choose_safetensors(listing, reference);
    if (choices.size() > 1) ask_for_one(reference, choices);
    return choices.front().parts;
  }
  for (const Choice& choice : choices)
    for (const HubFile& part : choice.parts)
      if (part.path == reference.file) return choice.parts;
  for (const HubFile& file : listing.files)
    if (file.path == reference.file) return {file};
  // "Q4_K_M" stands for the one file whose name has it.
  std::vector<Choice> matching;
  for (const Choice& choice : choices)
    if (lower(choice.name).find(lower(reference.file)) != std::string::npos)
      matching.push_back(choice);
  if (matching.size() == 1) return matching.front().parts;
  if (matching.size() > 1) ask_for_one(reference, matching);
  if (choices.empty()) bad_input("{}: no such file in the repository", reference.text());
  ask_for_one(reference, choices);
}

}  // namespace bittern::model_store
