// Which file of a folder is its vocabulary, and what a lone file is.
#include "format/vocab.h"

#include <algorithm>

#include "base/error.h"
#include "base/file_map.h"
#include "format/limits.h"

namespace bittern::format {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<json::Document> read_json(const fs::path& path, int64_t limit_bytes) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return nullptr;
  return json::Document::parse(read_text_file(path, limit_bytes), path.string());
}

// The files beside a vocabulary, kept as long as they are read.
struct Beside {
  std::unique_ptr<json::Document> tokenizer_config, config, generation_config;

  explicit Beside(const fs::path& folder)
      : tokenizer_config(read_json(folder / "tokenizer_config.json", kTokenizerBytesMax)),
        config(read_json(folder / "config.json", kConfigBytesMax)),
        generation_config(read_json(folder / "generation_config.json", kConfigBytesMax)) {}
  VocabFiles files() const {
    return {tokenizer_config.get(), config.get(), generation_config.get()};
  }
};

using Read = text::VocabSpec (*)(const fs::path& path, const VocabFiles& files);

text::VocabSpec read_ranks(const fs::path& path, const VocabFiles& files) {
  return vocab_from_tiktoken(read_text_file(path, kTokenizerBytesMax), path.string(), files);
}

text::VocabSpec read_word_list(const fs::path& path, const VocabFiles& files) {
  return vocab_from_word_list(read_text_file(path, kTokenizerBytesMax), path.string(), files);
}

text::VocabSpec read_sentencepiece(const fs::path& path, const VocabFiles& files) {
  const FileMap map = FileMap::open(path);
  return vocab_from_sentencepiece(map.bytes(), path.string(), files);
}

text::VocabSpec read_merge_list(const json::Document& vocab, const fs::path& path,
                                const VocabFiles& files) {
  const fs::path merges = path.parent_path() / "merges.txt";
  std::error_code error;
  if (!fs::is_regular_file(merges, error))
    bad_input("{}: merges.txt expected beside it, got none", path.string());
  return vocab_from_merge_list(vocab, read_text_file(merges, kTokenizerBytesMax), files);
}

// A rank file's first line: base64, one space, digits.
bool is_ranks(std::string_view text) {
  constexpr size_t kLineMax = 4096;  // weights may come without a line end for gigabytes
  const std::string_view head = text.substr(0, kLineMax);
  const std::string_view line = head.substr(0, head.find('\n'));
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == line.size()) return false;
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
  };
  return std::ranges::all_of(line.substr(0, space), is_base64) &&
         std::ranges::all_of(line.substr(space + 1),
                             [](char c) { return (c >= '0' && c <= '9') || c == '\r'; });
}

// Which reader a file that is no JSON needs by its content; null for none of them. A SentencePiece
// model begins with its first piece: field 1, counted bytes.
Read reader_of(const fs::path& path) {
  const FileMap map = FileMap::open(path);
  const std::string_view text = as_text(map.bytes());
  if (is_ranks(text)) return read_ranks;
  if (text.starts_with('\n') && path.extension() != ".txt") return read_sentencepiece;
  if (path.filename() == "vocab.txt") return read_word_list;
  return nullptr;
}

std::optional<text::VocabSpec> read_json_file(const fs::path& path, const VocabFiles& files) {
  const auto document = read_json(path, kTokenizerBytesMax);
  const json::Value root = document->root();
  const auto model = root.find("model");
  if (model && model->is(json::Kind::object)) return vocab_from_tokenizer_json(*document, files);
  if (root.find("config") && root.find("vocab")) return vocab_from_tekken(*document, files);
  if (path.filename() == "vocab.json") return read_merge_list(*document, path, files);
  return std::nullopt;
}

// The file of a folder that holds its vocabulary, in this order; empty where there is none.
fs::path vocab_file_of(const fs::path& folder) {
  std::error_code error;
  if (folder.empty()) return {};
  for (const char* name : {"tokenizer.json", "tokenizer.model", "spiece.model", "tekken.json"})
    if (fs::is_regular_file(folder / name, error)) return folder / name;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".tiktoken") return entry.path();
  const bool merges = fs::is_regular_file(folder / "merges.txt", error);
  if (merges && fs::is_regular_file(folder / "vocab.json", error)) return folder / "vocab.json";
  if (fs::is_regular_file(folder / "vocab.txt", error)) return folder / "vocab.txt";
  return {};
}

// Old folders keep the ids of added tokens in a file of their own, unless tokenizer_config.json has
// them. That file is not read: without it those tokens would be missing in silence.
void refuse_added_tokens_file(const fs::path& path, const VocabFiles& files) {
  std::error_code error;
  const fs::path added = path.parent_path() / "added_tokens.json";
  if (path.filename() == "tokenizer.json" || !fs::is_regular_file(added, error)) return;
  const json::Document* config = files.tokenizer_config;
  if (config != nullptr && config->root().get("added_tokens_decoder")) return;
  fail(ErrorKind::unsupported,
       "{}: not supported; save the tokenizer with transformers again (tokenizer.json)",
       printable(added.string(), 200));
}

std::optional<text::VocabSpec> read_file(const fs::path& path, const VocabFiles& files) {
  refuse_added_tokens_file(path, files);
  if (path.extension() == ".json") return read_json_file(path, files);
  const Read read = reader_of(path);
  if (read == nullptr) return std::nullopt;
  return read(path, files);
}

// The folder that a checkpoint is or lies in; empty for one that was built in memory.
fs::path folder_of(const Checkpoint& checkpoint) {
  if (checkpoint.path.empty()) return {};
  std::error_code error;
  if (fs::is_directory(checkpoint.path, error)) return checkpoint.path;
  const fs::path parent = checkpoint.path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

}  // namespace

bool has_vocab(const Checkpoint& checkpoint) {
  if (checkpoint.container == Container::gguf)
    return checkpoint.metadata.find("tokenizer.ggml.model") != nullptr;
  return checkpoint.tokenizer != nullptr || !vocab_file_of(folder_of(checkpoint)).empty();
}

text::VocabSpec read_vocab(const Checkpoint& checkpoint) {
  if (checkpoint.container == Container::gguf) return vocab_from_gguf(checkpoint.metadata);
  const VocabFiles files{checkpoint.tokenizer_config.get(), checkpoint.config.get(),
                         checkpoint.generation_config.get()};
  if (checkpoint.tokenizer) return vocab_from_tokenizer_json(*checkpoint.tokenizer, files);
  if (const fs::path path = vocab_file_of(folder_of(checkpoint)); !path.empty())
    if (auto spec = read_file(path, files)) return *std::move(spec);
  bad_input(
      "{}: tokenizer.json, tokenizer.model, tekken.json, *.tiktoken, vocab.json with merges.txt, "
      "or vocab.txt expected beside the weights, got none",
      checkpoint.path.string());
}

std::optional<text::VocabSpec> read_vocab_file(const fs::path& path) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  const fs::path file = is_folder ? vocab_file_of(path) : path;
  if (file.empty() || !fs::is_regular_file(file, error)) return std::nullopt;
  const fs::path folder = file.parent_path();
  const Beside beside(folder.empty() ? "." : folder);
  return read_file(file, beside.files());
}

}  // namespace bittern::format
