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
constexpr Codec tensor_row(Id id, std::string_view name, int gguf_type) {
  return {id, name, gguf_type, 1, 0, Format::tensor_bytes, Format::decode, Format::encode};
}

constexpr std::array kTable = {
    block_row<F32>(Id::f32, "F32", 0),
    block_row<F16>(Id::f16, "F16", 1),
    block_row<BF16>(Id::bf16, "BF16", 30),
    block_row<Integer<int8_t>>(Id::i8, "I8", 24),
    block_row<Integer<int16_t>>(Id::i16, "I16", 25),
    block_row<Integer<int32_t>>(Id::i32, "I32", 26),
    block_row<Integer<int64_t>>(Id::i64, "I64", 27),
    block_row<Integer<uint8_t>>(Id::u8, "U8", -1),
    block_row<Q8_0>(Id::q8_0, "Q8_0", 8),
    block_row<Q4_0>(Id::q4_0, "Q4_0", 2),
    block_row<Q4_1>(Id::q4_1, "Q4_1", 3),
    block_row<Q6_K>(Id::q6_k, "Q6_K", 14),
    block_row<TQ1_0>(Id::tq1_0, "TQ1_0", 34),
    block_row<TQ2_0>(Id::tq2_0, "TQ2_0", 35),
    tensor_row<I2_S>(Id::i2_s, "I2_S", 36),
    tensor_row<HfTernary>(Id::hf_ternary, "HF_TERNARY", -1),
};

constexpr bool in_order_of_id() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].id) != i) return false;
  }
  return kTable.size() == static_cast<size_t>(Id::hf_ternary) + 1;
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
