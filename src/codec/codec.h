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
  f32,
  f16,
  bf16,
  i8,
  i16,
  i32,
  i64,
  u8,
  q8_0,
  q4_0,
  q4_1,
  q6_k,
  tq1_0,
  tq2_0,
  i2_s,        // Microsoft BitNet: 2-bit codes of the whole tensor, one f32 scale behind them
  hf_ternary,  // Hugging Face BitNet: 2-bit codes striped over the rows, scale kept outside
  f64,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  boolean,
  u16,
  u32,
  u64,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  iq4_nl,
  iq4_xs,
  iq3_xxs,
  iq3_s,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq1_s,
  iq1_m,
  mxfp4,
  nvfp4,
  q1_0,
  q2_0,
  pq2_0,       // PrismML; its earlier "Q2_0" too
  ptq1_0,      // PrismML
  stq1_0,      // Tencent Sherry
  iq1_bn,      // ik_llama.cpp: a scale in front of every row
  iq2_bn,      // likewise
  i2_s_rows4,  // I2_S in the order of other bitnet.cpp builds; no file says which
  i2_s_arm     // likewise
};

struct Codec {
  Id id;
  std::string_view name;  // as users write it: "TQ1_0"
  int gguf_type;          // type id of mainline GGUF, or of the fork it is from; -1 for none
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
  // Whether the values are real numbers as they stand, so that weights may be stored so; false
  // for integers, which hold indices or the packed codes of something else.
  bool real = true;
};

// The table, in the order of Id.
std::span<const Codec> table();
const Codec& get(Id id);
// I2_S in any of its orders. The format exists for BitNet only, so its presence says W1.58A8
// whatever else the file says.
constexpr bool is_i2_s(Id id) {
  return id == Id::i2_s || id == Id::i2_s_rows4 || id == Id::i2_s_arm;
}
// By name, case-insensitively; null where unknown.
const Codec* find(std::string_view name);

}  // namespace bittern::codec
