// Private to codec/: what each number format provides; table.cc gathers it into rows.
//
// A block format codes every run of kElements consecutive values of a row into kBytes bytes.
// Rows are whole runs of blocks and follow one another without a gap, so a range of rows is one
// run of blocks, and a format provides just
//   decode(blocks, count, values)   `count` blocks to count * kElements values
//   encode(values, count, blocks)   the other way; absent where there is no encoder yet.
// A row format starts every row with kRowBytes (a scale) and provides
//   decode(row, count, values)      one row of `count` blocks, its head included
//   encode(values, count, row)
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

template <int Elements, int Bytes>
struct Block {
  static constexpr int kElements = Elements;
  static constexpr int kBytes = Bytes;
};

struct F64 : Plain<double> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
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

// Eight-bit floats; see float8.cc for the five.
template <typename Spec>
struct Float8 : Plain<uint8_t> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};
struct E4M3;
struct E5M2;
struct E4M3Fnuz;
struct E5M2Fnuz;
using F8_E4M3 = Float8<E4M3>;
using F8_E5M2 = Float8<E5M2>;
using F8_E4M3FNUZ = Float8<E4M3Fnuz>;
using F8_E5M2FNUZ = Float8<E5M2Fnuz>;

struct F8_E8M0 : Plain<uint8_t> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

// Defined for the two's complement and unsigned integers of 8 to 64 bits. Encoding a value that
// is not an integer of the type throws bad_input: nothing is rounded in silence.
template <typename T>
struct Integer : Plain<T> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

// One byte: 0 is 0, anything else 1. Encoding takes 0 and 1 only.
struct Boolean : Plain<uint8_t> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q8_0 : Block<32, 34> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q4_0 : Block<32, 18> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q4_1 : Block<32, 20> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q5_0 : Block<32, 22> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q5_1 : Block<32, 24> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q2_K : Block<256, 84> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q3_K : Block<256, 110> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q4_K : Block<256, 144> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q5_K : Block<256, 176> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q6_K : Block<256, 210> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct IQ4_NL : Block<32, 18> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct IQ4_XS : Block<256, 136> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct IQ3_XXS : Block<256, 98> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct IQ3_S : Block<256, 110> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct IQ2_XXS : Block<256, 66> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct IQ2_XS : Block<256, 74> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct IQ2_S : Block<256, 82> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct IQ1_S : Block<256, 50> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct IQ1_M : Block<256, 56> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
};

struct MXFP4 : Block<32, 17> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct NVFP4 : Block<64, 36> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q1_0 : Block<128, 18> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct Q2_0 : Block<64, 18> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct PQ2_0 : Block<128, 34> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct STQ1_0 : Block<256, 42> {
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct TQ1_0 : Block<256, 54> {
  static constexpr int kScaleOffset = 52;  // of the block's f16 scale
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct TQ2_0 : Block<256, 66> {
  static constexpr int kScaleOffset = 64;
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct PTQ1_0 : Block<128, 28> {
  static constexpr int kScaleOffset = 26;
  static void decode(const std::byte* blocks, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* blocks);
};

struct IQ1_BN : Block<64, 13> {
  static constexpr int kRowBytes = 2;  // f16 scale
  static void decode(const std::byte* row, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* row);
};

struct IQ2_BN : Block<64, 16> {
  static constexpr int kRowBytes = 4;  // f32 scale
  static void decode(const std::byte* row, int64_t count, float* values);
  static void encode(const float* values, int64_t count, std::byte* row);
  // The first element of a tensor whose code is 3.
  static std::optional<int64_t> invalid_element(const std::byte* data, int64_t rows,
                                                int64_t columns);
};

// The three orders of the codes of an I2_S tensor; see i2_s.cc.
struct I2SRuns32;  // builds for x86, the official files, the Python converter
struct I2SRows4;
struct I2SRuns16;  // builds for ARM

template <typename Order>
struct I2S {
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
using I2_S = I2S<I2SRuns32>;
using I2_S_Rows4 = I2S<I2SRows4>;
using I2_S_Arm = I2S<I2SRuns16>;

struct HfTernary {
  static std::optional<int64_t> tensor_bytes(int64_t rows, int64_t columns);
  static void decode(const std::byte* data, int64_t rows, int64_t columns, int64_t first_row,
                     int64_t row_count, float* out);
  static void encode(const float* values, int64_t rows, int64_t columns, std::byte* data);
  static std::optional<int64_t> invalid_element(const std::byte* data, int64_t rows,
                                                int64_t columns);
};

}  // namespace bittern::codec
