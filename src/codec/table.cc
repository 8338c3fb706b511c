// The codec table: one row per format, in the order of Id. A new format is an Id, a file that
// implements it (declared in codec/formats.h), a row here and its golden test.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/checked_math.h"
#include "codec/codec.h"
#include "codec/formats.h"

namespace bittern::codec {
namespace {

// Bytes of a tensor of a block format; nothing where the columns are no whole number of blocks,
// or where the bytes, coded or decoded, overflow.
template <typename Format>
std::optional<int64_t> block_tensor_bytes(int64_t rows, int64_t columns) {
  if (rows < 0 || columns < 0 || columns % Format::kElements != 0) return std::nullopt;
  const auto elements = checked_multiply(rows, columns);
  if (!elements || !checked_multiply(*elements, sizeof(float))) return std::nullopt;
  return checked_multiply(*elements / Format::kElements, Format::kBytes);
}

template <typename Format>
void block_decode(const std::byte* data, int64_t /*rows*/, int64_t columns, int64_t first_row,
                  int64_t row_count, float* out) {
  const int64_t row_blocks = columns / Format::kElements;
  Format::decode(data + first_row * row_blocks * Format::kBytes, row_count * row_blocks, out);
}

template <typename Format>
void block_encode(const float* values, int64_t rows, int64_t columns, std::byte* data) {
  Format::encode(values, rows * (columns / Format::kElements), data);
}

template <typename Format>
constexpr Codec block_row(Id id, std::string_view name, int gguf_type) {
  Codec row{id,
            name,
            gguf_type,
            Format::kElements,
            Format::kBytes,
            block_tensor_bytes<Format>,
            block_decode<Format>,
            nullptr};
  if constexpr (requires { Format::encode; }) row.encode = block_encode<Format>;
  return row;
}

template <typename Format>
std::optional<int64_t> row_tensor_bytes(int64_t rows, int64_t columns) {
  const auto blocks = block_tensor_bytes<Format>(rows, columns);
  const auto heads = checked_multiply(rows, Format::kRowBytes);
  return blocks && heads ? checked_add(*blocks, *heads) : std::nullopt;
}

template <typename Format>
constexpr int64_t row_stride(int64_t columns) {
  return Format::kRowBytes + columns / Format::kElements * Format::kBytes;
}

template <typename Format>
void row_decode(const std::byte* data, int64_t /*rows*/, int64_t columns, int64_t first_row,
                int64_t row_count, float* out) {
  for (int64_t row = first_row; row < first_row + row_count; ++row, out += columns)
    Format::decode(data + row * row_stride<Format>(columns), columns / Format::kElements, out);
}

template <typename Format>
void row_encode(const float* values, int64_t rows, int64_t columns, std::byte* data) {
  for (int64_t row = 0; row < rows; ++row, values += columns)
    Format::encode(values, columns / Format::kElements, data + row * row_stride<Format>(columns));
}

// Blocks behind a head in every row.
template <typename Format>
constexpr Codec row_row(Id id, std::string_view name, int gguf_type) {
  return {id,
          name,
          gguf_type,
          Format::kElements,
          Format::kBytes,
          row_tensor_bytes<Format>,
          row_decode<Format>,
          row_encode<Format>};
}

// Whole numbers, which are not weights.
template <typename Format>
constexpr Codec code_row(Id id, std::string_view name, int gguf_type) {
  Codec row = block_row<Format>(id, name, gguf_type);
  row.real = false;
  return row;
}

template <typename Format>
constexpr Codec tensor_row(Id id, std::string_view name, int gguf_type) {
  return {id, name, gguf_type, 1, 0, Format::tensor_bytes, Format::decode, Format::encode};
}

constexpr std::array kTable = {
    block_row<F32>(Id::f32, "F32", 0),
    block_row<F16>(Id::f16, "F16", 1),
    block_row<BF16>(Id::bf16, "BF16", 30),
    code_row<Integer<int8_t>>(Id::i8, "I8", 24),
    code_row<Integer<int16_t>>(Id::i16, "I16", 25),
    code_row<Integer<int32_t>>(Id::i32, "I32", 26),
    code_row<Integer<int64_t>>(Id::i64, "I64", 27),
    code_row<Integer<uint8_t>>(Id::u8, "U8", -1),
    block_row<Q8_0>(Id::q8_0, "Q8_0", 8),
    block_row<Q4_0>(Id::q4_0, "Q4_0", 2),
    block_row<Q4_1>(Id::q4_1, "Q4_1", 3),
    block_row<Q6_K>(Id::q6_k, "Q6_K", 14),
    block_row<TQ1_0>(Id::tq1_0, "TQ1_0", 34),
    block_row<TQ2_0>(Id::tq2_0, "TQ2_0", 35),
    tensor_row<I2_S>(Id::i2_s, "I2_S", 36),
    tensor_row<HfTernary>(Id::hf_ternary, "HF_TERNARY", -1),
    block_row<F64>(Id::f64, "F64", 28),
    block_row<F8_E4M3>(Id::f8_e4m3, "F8_E4M3", -1),
    block_row<F8_E5M2>(Id::f8_e5m2, "F8_E5M2", -1),
    block_row<F8_E8M0>(Id::f8_e8m0, "F8_E8M0", -1),
    block_row<F8_E4M3FNUZ>(Id::f8_e4m3fnuz, "F8_E4M3FNUZ", -1),
    block_row<F8_E5M2FNUZ>(Id::f8_e5m2fnuz, "F8_E5M2FNUZ", -1),
    code_row<Boolean>(Id::boolean, "BOOL", -1),
    code_row<Integer<uint16_t>>(Id::u16, "U16", -1),
    code_row<Integer<uint32_t>>(Id::u32, "U32", -1),
    code_row<Integer<uint64_t>>(Id::u64, "U64", -1),
    block_row<Q5_0>(Id::q5_0, "Q5_0", 6),
    block_row<Q5_1>(Id::q5_1, "Q5_1", 7),
    block_row<Q2_K>(Id::q2_k, "Q2_K", 10),
    block_row<Q3_K>(Id::q3_k, "Q3_K", 11),
    block_row<Q4_K>(Id::q4_k, "Q4_K", 12),
    block_row<Q5_K>(Id::q5_k, "Q5_K", 13),
    block_row<IQ4_NL>(Id::iq4_nl, "IQ4_NL", 20),
    block_row<IQ4_XS>(Id::iq4_xs, "IQ4_XS", 23),
    block_row<IQ3_XXS>(Id::iq3_xxs, "IQ3_XXS", 18),
    block_row<IQ3_S>(Id::iq3_s, "IQ3_S", 21),
    block_row<IQ2_XXS>(Id::iq2_xxs, "IQ2_XXS", 16),
    block_row<IQ2_XS>(Id::iq2_xs, "IQ2_XS", 17),
    block_row<IQ2_S>(Id::iq2_s, "IQ2_S", 22),
    block_row<IQ1_S>(Id::iq1_s, "IQ1_S", 19),
    block_row<IQ1_M>(Id::iq1_m, "IQ1_M", 29),
    block_row<MXFP4>(Id::mxfp4, "MXFP4", 39),
    block_row<NVFP4>(Id::nvfp4, "NVFP4", 40),
    block_row<Q1_0>(Id::q1_0, "Q1_0", 41),
    block_row<Q2_0>(Id::q2_0, "Q2_0", 42),
    block_row<PQ2_0>(Id::pq2_0, "PQ2_0", 142),
    block_row<PTQ1_0>(Id::ptq1_0, "PTQ1_0", 143),
    block_row<STQ1_0>(Id::stq1_0, "STQ1_0", 43),
    row_row<IQ1_BN>(Id::iq1_bn, "IQ1_BN", 134),
    row_row<IQ2_BN>(Id::iq2_bn, "IQ2_BN", 135),
    tensor_row<I2_S_Rows4>(Id::i2_s_rows4, "I2_S_ROWS4", -1),
    tensor_row<I2_S_Arm>(Id::i2_s_arm, "I2_S_ARM", -1),
};

constexpr bool in_order_of_id() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].id) != i) return false;
  }
  return kTable.size() == static_cast<size_t>(Id::i2_s_arm) + 1;
}
static_assert(in_order_of_id(), "get() indexes the table by Id");

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

}  // namespace

std::span<const Codec> table() { return kTable; }

const Codec& get(Id id) { return kTable[static_cast<size_t>(id)]; }

const Codec* find(std::string_view name) {
  for (const Codec& row : kTable) {
    if (equal_ignoring_case(row.name, name)) return &row;
  }
  return nullptr;
}

}  // namespace bittern::codec
