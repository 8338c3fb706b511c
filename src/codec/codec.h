// Number formats: how values lie in bytes. One row per format in the table (codec/table.cc);
// decode and encode here are the scalar truth that every kernel is held against.
// Source of each layout: the file that implements it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace bittern::codec {

enum class Id : uint8_t {
  f32, f16, bf16,
  i8, i16, i32, i64, u8,
  q8_0, q4_0, q4_1, q6_k,
  tq1_0, tq2_0,
  i2_s,       // Microsoft BitNet: 2-bit codes of the whole tensor, one f32 scale behind them
  hf_ternary  // Hugging Face BitNet: 2-bit codes striped over the rows, scale kept outside
};

struct Codec {
  Id id;
  std::string_view name;  // as users write it: "TQ1_0"
  int gguf_type;          // type id of mainline GGUF (36 for I2_S); -1 where GGUF has none
  int block_elements;     // consecutive elements of a row that are coded together
  int block_bytes;        // 0 where the layout spans the whole tensor (i2_s, hf_ternary)
  // Bytes of a whole tensor, or nothing where the shape cannot be coded (columns not a multiple
  // of the block, overflow).
  std::optional<int64_t> (*tensor_bytes)(int64_t rows, int64_t columns);
  // Decodes rows [first_row, first_row + row_count) of a [rows, columns] tensor into
  // out[row_count * columns]. `data` is the whole tensor.
  void (*decode)(const std::byte* data, int64_t rows, int64_t columns, int64_t first_row,
                 int64_t row_count, float* out);
  // Encodes a whole tensor into tensor_bytes() bytes; null where there is no encoder yet.
  void (*encode)(const float* values, int64_t rows, int64_t columns, std::byte* data);
};

// The table, in the order of Id.
std::span<const Codec> table();
const Codec& get(Id id);
// By name, case-insensitively; null where unknown.
const Codec* find(std::string_view name);

}  // namespace bittern::codec
