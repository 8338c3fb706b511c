// I2_S: the ternary format of Microsoft's bitnet.cpp. n = rows * columns values, row-major and
// flat, in n/4 + 32 bytes; one scale for the tensor.
//
//   0         32 bytes for every 128 values: byte j holds values j, j+32, j+64, j+96 of them,
//             the first in the TOP two bits (shift 6), the last at shift 0
//   n/4       f32 scale
//   n/4 + 4   28 bytes that nobody reads; undefined in files, zero when written here
//
//   value = scale * (code - 1); codes 0, 1, 2. No writer produces code 3; it is refused with
//   bad_input.
//
// This is the layout of x86 builds, of the official files and of the Python converter. Two more
// share its type id and size (4 interleaved rows; 64-value groups of ARM builds), and nothing in
// the file tells them apart. The blocks run across row ends, so n must be a multiple of 128 while
// the columns need not be.
//
// Encoding takes {-a, 0, a} only, for one a, and refuses anything else; bitnet.cpp instead keeps
// signs and the largest magnitude, which quietly ruins weights that are not ternary yet.
// Source: microsoft/BitNet, src/ggml-bitnet-mad.cpp, quantize_i2_s.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/checked_math.h"
#include "base/error.h"
#include "codec/formats.h"
#include "codec/ternary.h"

namespace bittern::codec {
namespace {

constexpr int64_t kBlock = 128;  // values
constexpr int64_t kBlockBytes = 32;
constexpr int64_t kRun = 32;  // values that share one shift
constexpr int64_t kTailBytes = 32;

// Where element `index` lies: its byte, and the shift of its two bits.
struct Place {
  int64_t byte;
  int shift;
};
Place place_of(int64_t index) {
  const int64_t within = index % kBlock;
  return {index / kBlock * kBlockBytes + within % kRun, static_cast<int>(6 - 2 * (within / kRun))};
}

}  // namespace

std::optional<int64_t> I2_S::tensor_bytes(int64_t rows, int64_t columns) {
  if (rows < 0 || columns < 0) return std::nullopt;
  const auto elements = checked_multiply(rows, columns);
  if (!elements || *elements % kBlock != 0) return std::nullopt;
  if (!checked_multiply(*elements, sizeof(float))) return std::nullopt;
  return *elements / 4 + kTailBytes;
}

float I2_S::scale(const std::byte* data, int64_t rows, int64_t columns) {
  return load<float>(data + rows * columns / 4);
}

void I2_S::decode(const std::byte* data, int64_t rows, int64_t columns, int64_t first_row,
                  int64_t row_count, float* out) {
  const float a = scale(data, rows, columns);
  const int64_t end = (first_row + row_count) * columns;
  // One run at a time: up to 32 consecutive elements with one shift, in consecutive bytes.
  for (int64_t index = first_row * columns; index < end;) {
    const int64_t run = std::min(kRun - index % kRun, end - index);
    const Place place = place_of(index);
    int greatest = 0;
    for (int64_t j = 0; j < run; ++j) {
      const int code = load<uint8_t>(data + place.byte + j) >> place.shift & 3;
      greatest = std::max(greatest, code);
      out[j] = static_cast<float>(code - 1) * a;
    }
    if (greatest == 3)
      bad_input("I2_S: elements {}..{} hold the invalid code 3", index, index + run - 1);
    out += run;
    index += run;
  }
}

void I2_S::encode(const float* values, int64_t rows, int64_t columns, std::byte* data) {
  const int64_t elements = rows * columns;
  ExactTernary ternary;
  ternary.add({values, static_cast<size_t>(elements)});
  if (!ternary.scale()) {
    bad_input("I2_S codes only {{-a, 0, a}}: element {} is {}, expected 0 or +-{}",
              ternary.odd_index(), ternary.odd_value(), ternary.magnitude());
  }
  std::memset(data, 0, static_cast<size_t>(elements / 4 + kTailBytes));
  for (int64_t i = 0; i < elements; ++i) {
    const int code = values[i] > 0.0f ? 2 : values[i] < 0.0f ? 0 : 1;
    const Place place = place_of(i);
    data[place.byte] |= static_cast<std::byte>(code << place.shift);
  }
  store(data + elements / 4, *ternary.scale());
}

std::optional<int64_t> I2_S::invalid_element(const std::byte* data, int64_t rows, int64_t columns) {
  const int64_t elements = rows * columns;
  int seen = 0;  // an even bit is set where both bits of some code were
  for (int64_t i = 0; i < elements / 4; ++i) {
    const int byte = load<uint8_t>(data + i);
    seen |= byte & byte >> 1 & 0x55;
  }
  if (seen == 0) return std::nullopt;
  for (int64_t i = 0; i < elements; ++i) {
    const Place place = place_of(i);
    if ((load<uint8_t>(data + place.byte) >> place.shift & 3) == 3) return i;
  }
  return std::nullopt;
}

}  // namespace bittern::codec
