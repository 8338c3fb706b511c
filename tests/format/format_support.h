// What the tests of this folder share: golden files, and opening bytes in memory.
#pragma once

#include <string>
#include <string_view>

#include "format/checkpoint.h"

namespace bittern::test {

// A file of tests/data/format.
std::filesystem::path golden(std::string_view name);
std::string read_golden(std::string_view name);
std::string read_file(const std::filesystem::path& path);

inline Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// All values of a tensor, by its codec.
std::vector<float> values_of(const TensorView& tensor);
// The tensor, which must be there.
const TensorView& tensor_of(const format::Checkpoint& checkpoint, std::string_view name);

// Opens bytes as a GGUF file named "x.gguf", or a SafeTensors file named "x.safetensors".
format::Checkpoint open_gguf(std::string_view bytes, std::string dialect = "");
format::Checkpoint open_safetensors(std::string_view bytes);

}  // namespace bittern::test
