// Which container a path holds, decided by content: the literal table below is the list of what
// Bittern opens. A new container is a row here and a folder.
#include <array>

#include "base/error.h"
#include "base/float_mode.h"
#include "format/checkpoint.h"
#include "format/gguf/header.h"
#include "format/gguf/reader.h"
#include "format/hf/folder.h"
#include "format/limits.h"

namespace bittern::format {
namespace {

namespace fs = std::filesystem;

// What a probe may look at.
struct Probe {
  bool directory = false;
  Bytes file;  // the whole file, mapped
};

bool is_gguf(const Probe& probe) { return as_text(probe.file).starts_with(gguf::kMagic); }

// A header length that the format allows, then the start of a JSON object. White space is let
// through, so that the reader can say what is wrong with it.
bool is_safetensors(const Probe& probe) {
  constexpr size_t kLengthBytes = 8;
  if (probe.file.size() <= kLengthBytes ||
      load<uint64_t>(probe.file.data()) > kSafetensorsHeaderMax)
    return false;
  const auto first = as_text(probe.file)[kLengthBytes];
  return first == '{' || first == ' ' || first == '\n' || first == '\t' || first == '\r';
}

bool is_index(const Probe& probe) {
  const std::string_view text = as_text(probe.file);
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' &&
         text.find("\"weight_map\"") != std::string_view::npos;
}

bool is_folder(const Probe& probe) { return probe.directory; }

Checkpoint open_gguf(const fs::path& path, const OpenOptions& options) {
  return gguf::open(path, options);
}
Checkpoint open_safetensors(const fs::path& path, const OpenOptions&) {
  return hf::open_file(path);
}
Checkpoint open_index(const fs::path& path, const OpenOptions&) { return hf::open_index(path); }
Checkpoint open_folder(const fs::path& path, const OpenOptions&) { return hf::open_folder(path); }

struct ContainerRow {
  std::string_view description;
  bool (*probe)(const Probe&);
  Checkpoint (*open)(const fs::path&, const OpenOptions&);
};

constexpr std::array kContainers = {
    ContainerRow{"a GGUF file", is_gguf, open_gguf},
    ContainerRow{"a SafeTensors file", is_safetensors, open_safetensors},
    ContainerRow{"model.safetensors.index.json", is_index, open_index},
    ContainerRow{"a Hugging Face folder", is_folder, open_folder},
};

[[noreturn]] void reject(const fs::path& path, const Probe& probe) {
  std::string supported;
  for (const ContainerRow& row : kContainers) {
    if (!supported.empty()) supported += ", ";
    supported += row.description;
  }
  const std::string_view head = as_text(probe.file).substr(0, 8);
  bad_input("{}: not a model: {} expected, got {}", path.string(), supported,
            head.empty() ? std::string("an empty file")
                         : fmt::format("a file that begins with '{}'", printable(head)));
}

}  // namespace

Checkpoint open_checkpoint(const fs::path& path, const OpenOptions& options) {
  const DefaultFloatMode mode;  // numbers are read from text
  std::error_code error;
  Probe probe;
  probe.directory = fs::is_directory(path, error);
  FileMap map;
  if (!probe.directory) {
    map = FileMap::open(path);
    probe.file = map.bytes();
  }
  for (const ContainerRow& row : kContainers)
    if (row.probe(probe)) return row.open(path, options);
  reject(path, probe);
}

}  // namespace bittern::format
