#include "format/safetensors/reader.h"

#include <unordered_map>

#include "base/error.h"
#include "format/limits.h"
#include "format/safetensors/header.h"
#include "format/safetensors/shards.h"

namespace bittern::format::safetensors {
namespace {

// Where there is a codec for the dtype the tensor can be computed with; else it is listed.
void add_tensor(Checkpoint& checkpoint, const Header& header, const Entry& entry) {
  const Bytes bytes = bytes_of(header, entry);
  if (!entry.dtype->codec) {
    checkpoint.opaque.push_back({entry.name, std::string(entry.dtype->name), entry.shape, bytes});
    return;
  }
  TensorView view;
  view.name = entry.name;
  view.codec = *entry.dtype->codec;
  view.shape = entry.shape;
  view.bytes = bytes;
  checkpoint.tensors.push_back(std::move(view));
}

void add_header(Checkpoint& checkpoint, Header header) {
  for (const Entry& entry : header.entries) add_tensor(checkpoint, header, entry);
  checkpoint.safetensors_metadata = std::move(header.metadata);
}

// One shard and its tensors by name.
struct Shard {
  Header header;
  std::unordered_map<std::string_view, const Entry*> entries;
};

Shard open_shard(Checkpoint& checkpoint, const std::filesystem::path& path) {
  checkpoint.maps.push_back(FileMap::open(path));
  Shard shard{parse_header(checkpoint.maps.back().bytes(), path.string()), {}};
  for (const Entry& entry : shard.header.entries) shard.entries.emplace(entry.name, &entry);
  return shard;
}

}  // namespace

void add_file(Checkpoint& checkpoint, const std::filesystem::path& path) {
  checkpoint.maps.push_back(FileMap::open(path));
  add_header(checkpoint, parse_header(checkpoint.maps.back().bytes(), path.string()));
}

void add_shards(Checkpoint& checkpoint, const std::filesystem::path& path) {
  const ShardIndex index = parse_index(read_text_file(path, kIndexBytesMax), path.string());
  std::vector<Shard> shards;
  for (const std::string& file : index.files)
    shards.push_back(open_shard(checkpoint, path.parent_path() / file));
  for (const auto& [name, position] : index.tensors) {
    const Shard& shard = shards[position];
    const auto found = shard.entries.find(name);
    if (found == shard.entries.end())
      bad_input("{}: tensor '{}': expected in this file by {}, got none", shard.header.file_name,
                printable(name), path.filename().string());
    add_tensor(checkpoint, shard.header, *found->second);
  }
  if (!shards.empty()) checkpoint.safetensors_metadata = std::move(shards[0].header.metadata);
}

Checkpoint read(Bytes file, std::string file_name) {
  Checkpoint checkpoint;
  checkpoint.container = Container::safetensors;
  checkpoint.path = file_name;
  checkpoint.dialect = "safetensors";
  add_header(checkpoint, parse_header(file, std::move(file_name)));
  checkpoint.index();
  return checkpoint;
}

}  // namespace bittern::format::safetensors
