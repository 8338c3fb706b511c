// Golden files and small shorthands of the codec tests.
#include "codec/golden_support.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/file_map.h"

namespace bittern::test {

std::vector<std::byte> read_golden(const std::string& name) {
  const FileMap map = FileMap::open(std::filesystem::path(BITTERN_TEST_DATA "/codec") / name);
  return {map.bytes().begin(), map.bytes().end()};
}

std::vector<float> floats_of(std::span<const std::byte> bytes) {
  EXPECT_EQ(bytes.size() % sizeof(float), 0u);
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::vector<GoldenTensor> read_tensors(const std::string& name,
                                       int64_t (*rest_bytes)(int64_t rows, int64_t columns)) {
  const std::vector<std::byte> bytes = read_golden(name);
  ByteReader reader(bytes, name);
  std::vector<GoldenTensor> tensors;
  while (reader.remaining() > 0) {
    GoldenTensor tensor;
    tensor.rows = reader.read<uint32_t>("rows");
    tensor.columns = reader.read<uint32_t>("columns");
    tensor.scale = reader.read<float>("scale");
    const Bytes codes = reader.take(static_cast<uint64_t>(tensor.rows * tensor.columns), "codes");
    for (const std::byte code : codes) tensor.codes.push_back(std::to_integer<int8_t>(code));
    const auto rest_size = static_cast<uint64_t>(rest_bytes(tensor.rows, tensor.columns));
    const Bytes rest = reader.take(rest_size, "data");
    tensor.rest.assign(rest.begin(), rest.end());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

bool same_bits(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

std::vector<std::byte> encode(const codec::Codec& codec, std::span<const float> values,
                              int64_t rows, int64_t columns) {
  std::vector<std::byte> data(static_cast<size_t>(codec.tensor_bytes(rows, columns).value()));
  codec.encode(values.data(), rows, columns, data.data());
  return data;
}

std::vector<float> decode(const codec::Codec& codec, std::span<const std::byte> data, int64_t rows,
                          int64_t columns) {
  std::vector<float> values(static_cast<size_t>(rows * columns));
  codec.decode(data.data(), rows, columns, 0, rows, values.data());
  return values;
}

TensorView view_of(codec::Id id, int64_t rows, int64_t columns, std::span<const std::byte> bytes,
                   float scale) {
  return {.name = "w", .codec = id, .shape = {rows, columns}, .bytes = bytes, .scale = scale};
}

}  // namespace bittern::test
