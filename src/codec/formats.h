// Private to codec/: what each number format provides; table.cc gathers it into rows.
//
// A block format codes every run of kElements consecutive values of a row into kBytes bytes.
// Rows are whole runs of blocks and follow one another without a gap, so a range of rows is one
// run of blocks, and a format provides just
//   decode(blocks, count, values)   `count` blocks to count * kElements values
//   encode(values, count, blocks)   the other way; absent where there is no encoder yet.
// A tensor format (i2_s, hf_ternary) spans the whole tensor and provides Codec's functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bittern::codec {

// One element per block: plain numbers.
template <typename T>
struct Plain {
  static constexpr int kElements = 1;
  static constexpr int kBytes = sizeof(T);
};

struct F32 : Plain<float> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct F16 : Plain<uint16_t> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct BF16 : Plain<uint16_t> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

// Defined for int8_t, int16_t, int32_t, int64_t and uint8_t. Encoding a value that is not an
// integer of the type throws bad_input: nothing is rounded in silence.
template <typename T>
struct Integer : Plain<T> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q8_0 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 34;
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q4_0 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 18;
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q4_1 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 20;
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q6_K {
  static constexpr int kElements = 256;
  static constexpr int kBytes = 210;
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct TQ1_0 {
  static constexpr int kElements = 256;
  static constexpr int kBytes = 54;
  static constexpr int kScaleOffset = 52;  // of the block's f16 scale
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct TQ2_0 {
  static constexpr int kElements = 256;
  static constexpr int kBytes = 66;
  static constexpr int kScaleOffset = 64;
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct I2_S {
  static std::optional<int64_t> tensor_bytes(int64_t rows, int64_t columns);
  static void decode(const std::byte* data, int64_t rows, int64_t columns, int64_t first_row,
                     int64_t row_count, float* out);
  static void encode(const float* values, int64_t rows, int64_t columns, std::byte* data);
  // The one scale of the tensor, as stored.
  static float scale(const std::byte* data, int64_t rows, int64_t columns);
  // Row-major index of the first element with the invalid code 3, if any.
  static std::optional<int64_t> invalid_element(const std::byte* data, int64_t rows,
                                                int64_t columns);
};

struct HfTernary {
  static std::optional<int64_t> tensor_bytes(int64_t rows, int64_t columns);
  static void decode(const std::byte* data, int64_t rows, int64_t columns, int64_t first_row,
                     int64_t row_count, float* out);
  static void encode(const float* values, int64_t rows, int64_t columns, std::byte* data);
  static std::optional<int64_t> invalid_element(const std::byte* data, int64_t rows,
                                                int64_t columns);
};

}  // namespace bittern::codec
