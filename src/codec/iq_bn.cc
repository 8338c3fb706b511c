// IQ1_BN and IQ2_BN: the ternary formats of ik_llama.cpp, in blocks of 64, one scale per row.
//
//   IQ1_BN row: f16 scale, then 13 bytes a block    IQ2_BN row: f32 scale, then 16 bytes a block
//    0   u8 ql[12]                                   byte j: values j, j + 16, j + 32, j + 48
//   12   u8 extra                                    in bits 0, 2, 4, 6
//   value = scale * (digit - 1)                      value = scale * (code - 1)
//
//   Values 16 i + 0..14 of an IQ1_BN block are the digits of ql[3 i + 0..2], five a byte, value
//   16 i + 15 is digit i of extra. Bytes are base-3 fractions as in TQ1_0 (the ceiling of
//   256 v / 243), but here the first value is the LEAST significant digit of v.
//   Code 3 of IQ2_BN, which no writer makes, reads as 2; W1.58A8 refuses it.
//
// Encoding: scale = max|x| of the row; 0 where |x| is below half of it, else the sign. Rows of
// zeros get the code for +, at scale 0. Source: ik_llama.cpp, ggml/src/iqk/iqk_quantize.cpp.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"

namespace bittern::codec {
namespace {

constexpr int kDigits = 5;  // of a byte
constexpr int kRun = 16;    // values that share three bytes of ql and a digit of extra
constexpr int kExtra = 12;

// Digit 0 is the least significant.
int digit_of(int byte, int digit) {
  constexpr int kPowers[kDigits] = {81, 27, 9, 3, 1};
  return (byte * kPowers[digit] & 255) * 3 >> 8;
}

uint8_t byte_of(const int* digits, int count) {
  int v = 0;
  for (int i = count; i > 0; --i) v = 3 * v + digits[i - 1];
  return static_cast<uint8_t>((v * 256 + 242) / 243);
}

float greatest_magnitude(const float* values, int64_t count) {
  float greatest = 0.0f;
  for (int64_t i = 0; i < count; ++i) greatest = std::max(greatest, std::fabs(values[i]));
  return greatest;
}

int code_of(float value, float threshold) {
  if (std::fabs(value) < threshold) return 1;
  return value < 0.0f ? 0 : 2;
}

}  // namespace

void IQ1_BN::decode(const std::byte* row, int64_t count, float* values) {
  const float scale = f16_to_f32(load<uint16_t>(row));
  row += kRowBytes;
  for (; count > 0; --count, row += kBytes, values += kElements) {
    for (int j = 0; j < kElements; ++j) {
      const int run = j / kRun;
      const int within = j % kRun;
      const int digit =
          within == kRun - 1
              ? digit_of(load<uint8_t>(row + kExtra), run)
              : digit_of(load<uint8_t>(row + 3 * run + within / kDigits), within % kDigits);
      values[j] = scale * static_cast<float>(digit - 1);
    }
  }
}

void IQ1_BN::encode(const float* values, int64_t count, std::byte* row) {
  const float scale = greatest_magnitude(values, count * kElements);
  const float threshold = 0.5f * scale;
  store(row, f32_to_f16(scale));
  row += kRowBytes;
  for (; count > 0; --count, row += kBytes, values += kElements) {
    int extra[kElements / kRun];
    for (int run = 0; run < kElements / kRun; ++run) {
      int digits[kRun];
      for (int j = 0; j < kRun; ++j) digits[j] = code_of(values[kRun * run + j], threshold);
      for (int k = 0; k < 3; ++k) store(row + 3 * run + k, byte_of(digits + kDigits * k, kDigits));
      extra[run] = digits[kRun - 1];
    }
    store(row + kExtra, byte_of(extra, kElements / kRun));
  }
}

void IQ2_BN::decode(const std::byte* row, int64_t count, float* values) {
  const auto scale = load<float>(row);
  row += kRowBytes;
  for (; count > 0; --count, row += kBytes, values += kElements) {
    for (int j = 0; j < kElements; ++j) {
      const int code = load<uint8_t>(row + j % kBytes) >> (2 * (j / kBytes)) & 3;
      values[j] = scale * static_cast<float>(code - 1);
    }
  }
}

std::optional<int64_t> IQ2_BN::invalid_element(const std::byte* data, int64_t rows,
                                               int64_t columns) {
  for (int64_t row = 0; row < rows; ++row) {
    data += kRowBytes;
    for (int64_t c = 0; c < columns; c += kElements, data += kBytes) {
      for (int j = 0; j < kElements; ++j) {
        if ((load<uint8_t>(data + j % kBytes) >> (2 * (j / kBytes)) & 3) == 3)
          return row * columns + c + j;
      }
    }
  }
  return std::nullopt;
}

void IQ2_BN::encode(const float* values, int64_t count, std::byte* row) {
  const float scale = greatest_magnitude(values, count * kElements);
  const float threshold = 0.5f * scale;
  store(row, scale);
  row += kRowBytes;
  for (; count > 0; --count, row += kBytes, values += kElements) {
    std::memset(row, 0, kBytes);
    for (int j = 0; j < kElements; ++j)
      row[j % kBytes] |=
          static_cast<std::byte>(code_of(values[j], threshold) << (2 * (j / kBytes)));
  }
}

}  // namespace bittern::codec
