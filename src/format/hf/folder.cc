#include "format/hf/folder.h"

#include "base/error.h"
#include "format/limits.h"
#include "format/safetensors/reader.h"

namespace bittern::format::hf {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<json::Document> read_document(const fs::path& path, int64_t limit_bytes) {
  std::error_code error;
  if (!fs::exists(path, error)) return nullptr;
  auto document = json::Document::parse(read_text_file(path, limit_bytes), path.string());
  if (!document->root().is(json::Kind::object))
    bad_input("{}: an object expected, got {}", path.string(),
              json::kind_name(document->root().kind()));
  return document;
}

void read_documents(Checkpoint& checkpoint, const fs::path& folder) {
  checkpoint.config = read_document(folder / "config.json", kConfigBytesMax);
  checkpoint.generation_config = read_document(folder / "generation_config.json", kConfigBytesMax);
  checkpoint.tokenizer = read_document(folder / "tokenizer.json", kTokenizerBytesMax);
  checkpoint.tokenizer_config = read_document(folder / "tokenizer_config.json", kTokenizerBytesMax);
}

Checkpoint start(const fs::path& path, Container container) {
  Checkpoint checkpoint;
  checkpoint.container = container;
  checkpoint.path = path;
  checkpoint.dialect = "safetensors";
  return checkpoint;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

}  // namespace

Checkpoint open_folder(const fs::path& path) {
  Checkpoint checkpoint = start(path, Container::hf_folder);
  if (!is_file(path / "config.json"))
    bad_input("{}: config.json expected in a Hugging Face folder, got none", path.string());
  read_documents(checkpoint, path);
  if (is_file(path / kWeightsFile)) {
    safetensors::add_file(checkpoint, path / kWeightsFile);
  } else if (is_file(path / kIndexFile)) {
    safetensors::add_shards(checkpoint, path / kIndexFile);
  } else {
    bad_input("{}: {} or {} expected, got neither", path.string(), kWeightsFile, kIndexFile);
  }
  checkpoint.index();
  return checkpoint;
}

Checkpoint open_index(const fs::path& path) {
  Checkpoint checkpoint = start(path, Container::hf_folder);
  read_documents(checkpoint, path.parent_path());
  safetensors::add_shards(checkpoint, path);
  checkpoint.index();
  return checkpoint;
}

Checkpoint open_file(const fs::path& path) {
  Checkpoint checkpoint = start(path, Container::safetensors);
  read_documents(checkpoint, path.parent_path());
  safetensors::add_file(checkpoint, path);
  checkpoint.index();
  return checkpoint;
}

}  // namespace bittern::format::hf
