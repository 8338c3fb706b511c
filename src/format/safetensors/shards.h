// A set of SafeTensors files behind model.safetensors.index.json:
//
//   {"metadata": {"total_size": ...}, "weight_map": {tensor name: file name, ...}}
//
// Only the map is followed: a shard may hold more tensors than the map names, total_size is
// advisory. File names come from outside, so anything but a plain name beside the index is
// refused.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bittern::format::safetensors {

struct ShardIndex {
  std::vector<std::string> files;                       // in order of first mention, unique
  std::vector<std::pair<std::string, size_t>> tensors;  // name, position in `files`; unique names
};

// Throws bad_input naming the file, the field, expected and got.
ShardIndex parse_index(std::string_view text, std::string file_name);

}  // namespace bittern::format::safetensors
