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
// Which element lies where in the codes is up to the build of bitnet.cpp that wrote the file; type
// id and size are the same, and nothing in the file tells:
//   I2_S        as above: x86 builds since ACT_PARALLEL, the official files, the Python converter
//   I2_S_ROWS4  other x86 builds: byte [r][c] holds rows 4 r .. 4 r + 3 of column c, the first in
//               the top bits
//   I2_S_ARM    ARM builds since 2025-11: as I2_S, but 16 bytes for every 64 values
// Groups of values run across row ends, so of I2_S (I2_S_ARM) n must be a multiple of 128 (64)
// while the columns need not be; of I2_S_ROWS4 the rows must be a multiple of 4.
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

constexpr int64_t kTailBytes = 32;

// Where an element lies: its byte, and the shift of its two bits.
struct Place {
  int64_t byte;
  int shift;
};

// Elements index .. index + run of consecutive index lie in consecutive bytes at one shift.
template <int64_t kRun>
struct Runs {
  static constexpr std::string_view kName = kRun == 32 ? "I2_S" : "I2_S_ARM";
  static bool fits(int64_t rows, int64_t columns) { return rows * columns % (4 * kRun) == 0; }
  static Place place_of(int64_t index, int64_t /*columns*/) {
    const int64_t within = index % (4 * kRun);
    return {index / (4 * kRun) * kRun + within % kRun, static_cast<int>(6 - 2 * (within / kRun))};
  }
  static int64_t run_from(int64_t index, int64_t /*columns*/) { return kRun - index % kRun; }
};

}  // namespace

struct I2SRuns32 : Runs<32> {};
struct I2SRuns16 : Runs<16> {};
struct I2SRows4 {
  static constexpr std::string_view kName = "I2_S_ROWS4";
  static bool fits(int64_t rows, int64_t /*columns*/) { return rows % 4 == 0; }
  static Place place_of(int64_t index, int64_t columns) {
    const int64_t row = index / columns;
    return {row / 4 * columns + index % columns, static_cast<int>(6 - 2 * (row % 4))};
  }
  static int64_t run_from(int64_t index, int64_t columns) { return columns - index % columns; }
};

template <typename Order>
std::optional<int64_t> I2S<Order>::tensor_bytes(int64_t rows, int64_t columns) {
  if (rows < 0 || columns < 0) return std::nullopt;
  const auto elements = checked_multiply(rows, columns);
  if (!elements || !Order::fits(rows, columns)) return std::nullopt;
  if (!checked_multiply(*elements, sizeof(float))) return std::nullopt;
  return *elements / 4 + kTailBytes;
}

template <typename Order>
float I2S<Order>::scale(const std::byte* data, int64_t rows, int64_t columns) {
  return load<float>(data + rows * columns / 4);
}

template <typename Order>
void I2S<Order>::decode(const std::byte* data, int64_t rows, int64_t columns, int64_t first_row,
                        int64_t row_count, float* out) {
  const float a = scale(data, rows, columns);
  const int64_t end = (first_row + row_count) * columns;
  // One run at a time: up to 32 consecutive elements with one shift, in consecutive bytes.
  for (int64_t index = first_row * columns; index < end;) {
    const int64_t run = std::min(Order::run_from(index, columns), end - index);
    const Place place = Order::place_of(index, columns);
    int greatest = 0;
    for (int64_t j = 0; j < run; ++j) {
      const int code = load<uint8_t>(data + place.byte + j) >> place.shift & 3;
      greatest = std::max(greatest, code);
      out[j] = static_cast<float>(code - 1) * a;
    }
    if (greatest == 3)
      bad_input("{}: elements {}..{} hold the invalid code 3", Order::kName, index,
                index + run - 1);
    out += run;
    index += run;
  }
}

template <typename Order>
void I2S<Order>::encode(const float* values, int64_t rows, int64_t columns, std::byte* data) {
  const int64_t elements = rows * columns;
  ExactTernary ternary;
  ternary.add({values, static_cast<size_t>(elements)});
  if (!ternary.scale()) {
    bad_input("{} codes only {{-a, 0, a}}: element {} is {}, expected 0 or +-{}", Order::kName,
              ternary.odd_index(), ternary.odd_value(), ternary.magnitude());
  }
  std::memset(data, 0, static_cast<size_t>(elements / 4 + kTailBytes));
  for (int64_t i = 0; i < elements; ++i) {
    const int code = values[i] > 0.0f ? 2 : values[i] < 0.0f ? 0 : 1;
    const Place place = Order::place_of(i, columns);
    data[place.byte] |= static_cast<std::byte>(code << place.shift);
  }
  store(data + elements / 4, *ternary.scale());
}

template <typename Order>
std::optional<int64_t> I2S<Order>::invalid_element(const std::byte* data, int64_t rows,
                                                   int64_t columns) {
  const int64_t elements = rows * columns;
  int seen = 0;  // an even bit is set where both bits of some code were
  for (int64_t i = 0; i < elements / 4; ++i) {
    const int byte = load<uint8_t>(data + i);
    seen |= byte & byte >> 1 & 0x55;
  }
  if (seen == 0) return std::nullopt;
  for (int64_t i = 0; i < elements; ++i) {
    const Place place = Order::place_of(i, columns);
    if ((load<uint8_t>(data + place.byte) >> place.shift & 3) == 3) return i;
  }
  return std::nullopt;
}

template struct I2S<I2SRuns32>;
template struct I2S<I2SRows4>;
template struct I2S<I2SRuns16>;

}  // namespace bittern::codec
