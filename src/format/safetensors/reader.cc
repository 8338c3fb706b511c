#include "format/safetensors/reader.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

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

bool is_float8(codec::Id id) {
  using codec::Id;
  return id == Id::f8_e4m3 || id == Id::f8_e5m2 || id == Id::f8_e4m3fnuz || id == Id::f8_e5m2fnuz;
}

// An eight-bit float weight beside a tensor of scales means something only together with it, and
// nothing here multiplies the two yet: such a weight is listed, but never taken for its raw
// numbers. Names: `weight_scale` of compressed-tensors and ModelOpt, `weight_scale_inv` of Hugging
// Face and DeepSeek, `qscale_weight` of Mistral, `scale_weight` of ComfyUI.
void set_aside_scaled(Checkpoint& checkpoint) {
  std::unordered_set<std::string_view> names;
  for (const TensorView& tensor : checkpoint.tensors) names.insert(tensor.name);
  for (const OpaqueTensor& tensor : checkpoint.opaque) names.insert(tensor.name);
  const auto scale_of = [&](const TensorView& tensor) -> std::string {
    if (!is_float8(tensor.codec)) return "";
    const size_t stem = tensor.name.rfind('.') + 1;  // 0 where there is no dot
    for (const char* pattern : {"{}_scale", "{}_scale_inv", "qscale_{}", "scale_{}"}) {
      std::string last = fmt::format(fmt::runtime(pattern), tensor.name.substr(stem));
      if (names.contains(tensor.name.substr(0, stem) + last)) return last;
    }
    return "";
  };
  std::vector<TensorView> plain;
  std::vector<OpaqueTensor> scaled;
  for (TensorView& tensor : checkpoint.tensors) {
    const std::string scale = scale_of(tensor);
    if (scale.empty()) {
      plain.push_back(std::move(tensor));
      continue;
    }
    scaled.push_back({tensor.name,
                      fmt::format("{} with {}", codec::get(tensor.codec).name, printable(scale)),
                      tensor.shape, tensor.bytes});
  }
  checkpoint.tensors = std::move(plain);
  std::ranges::move(scaled, std::back_inserter(checkpoint.opaque));
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
  set_aside_scaled(checkpoint);
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
  set_aside_scaled(checkpoint);
  if (!shards.empty()) checkpoint.safetensors_metadata = std::move(shards[0].header.metadata);
}

Checkpoint read(Bytes file, std::string file_name) {
  Checkpoint checkpoint;
  checkpoint.container = Container::safetensors;
  checkpoint.path = file_name;
  checkpoint.dialect = "safetensors";
  add_header(checkpoint, parse_header(file, std::move(file_name)));
  set_aside_scaled(checkpoint);
  checkpoint.index();
  return checkpoint;
}

}  // namespace bittern::format::safetensors
