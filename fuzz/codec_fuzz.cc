// Number formats: any bytes as the codes of a tensor, and any floats as its values. Decoding a row
// alone is decoding it with the others; what has been encoded can be decoded. The first three bytes
// choose the format and the shape; bytes that are missing are zeros.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "codec/codec.h"
#include "fuzz/target.h"

using namespace bittern;

namespace {

struct Shape {
  int64_t rows, columns;
  size_t elements() const { return static_cast<size_t>(rows * columns); }
};

bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

std::vector<float> decode(const codec::Codec& codec, const std::vector<std::byte>& data,
                          Shape shape) {
  std::vector<float> values(shape.elements());
  codec.decode(data.data(), shape.rows, shape.columns, 0, shape.rows, values.data());
  std::vector<float> row(static_cast<size_t>(shape.columns));
  for (int64_t r = 0; r < shape.rows; ++r) {
    codec.decode(data.data(), shape.rows, shape.columns, r, 1, row.data());
    for (size_t c = 0; c < row.size(); ++c) {
      const size_t at = static_cast<size_t>(r * shape.columns) + c;
      BITTERN_CHECK(same(row[c], values[at]), "{}: row {}, column {}", codec.name, r, c);
    }
  }
  return values;
}

void encode(const codec::Codec& codec, const std::vector<float>& values, Shape shape) {
  if (codec.encode == nullptr) return;
  std::vector<std::byte> data(
      static_cast<size_t>(codec.tensor_bytes(shape.rows, shape.columns).value()));
  codec.encode(values.data(), shape.rows, shape.columns, data.data());
  decode(codec, data, shape);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHead = 3;
  if (size < kHead) return 0;
  const codec::Codec& codec = codec::table()[data[0] % codec::table().size()];
  const Shape shape{4 * (1 + data[1] % 2), 256 * (1 + data[2] % 2)};
  std::vector<std::byte> coded(
      static_cast<size_t>(codec.tensor_bytes(shape.rows, shape.columns).value()));
  std::vector<float> values(shape.elements());
  std::memcpy(coded.data(), data + kHead, std::min(coded.size(), size - kHead));
  std::memcpy(values.data(), data + kHead, std::min(values.size() * sizeof(float), size - kHead));
  return fuzz::accept_errors([&] { encode(codec, decode(codec, coded, shape), shape); }) |
         fuzz::accept_errors([&] { encode(codec, values, shape); });
}
