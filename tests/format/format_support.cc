#include "format/format_support.h"

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "format/gguf/reader.h"
#include "format/safetensors/reader.h"

namespace bittern::test {

std::filesystem::path golden(std::string_view name) {
  return std::filesystem::path(BITTERN_TEST_DATA) / "format" / name;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("no such test file: " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string read_golden(std::string_view name) { return read_file(golden(name)); }

std::vector<float> values_of(const TensorView& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  decode_rows(tensor, 0, tensor.rows(), values.data());
  return values;
}

const TensorView& tensor_of(const format::Checkpoint& checkpoint, std::string_view name) {
  const TensorView* tensor = checkpoint.find(name);
  if (tensor == nullptr) throw std::runtime_error("no such tensor: " + std::string(name));
  return *tensor;
}

format::Checkpoint open_gguf(std::string_view bytes, std::string dialect) {
  return format::gguf::read(bytes_of(bytes), "x.gguf", {.gguf_dialect = std::move(dialect)});
}

format::Checkpoint open_safetensors(std::string_view bytes) {
  return format::safetensors::read(bytes_of(bytes), "x.safetensors");
}

}  // namespace bittern::test
