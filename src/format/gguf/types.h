// Tensor types of GGUF: what a type id means in each dialect, and how many bytes a tensor takes
// under that reading. The same id means different things in forks of llama.cpp, so an id alone
// decides nothing (dialect.h does). Types without a codec are here too: their sizes decide
// dialects, and their names make an error useful.
// Sources: ggml.h and ggml-common.h of llama.cpp, microsoft/BitNet and ik_llama.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codec/codec.h"

namespace bittern::format::gguf {

// In the order of preference where several read a file alike.
enum class Dialect : uint8_t {
  mainline,       // llama.cpp
  bitnet,         // bitnet.cpp (microsoft/BitNet)
  prism,          // PrismML since 2026-06: types 142, 143
  prism_legacy,   // PrismML before: 40 and 42 with blocks of their own
  ik,             // ik_llama.cpp
  sherry,         // Tencent: 42 and 43 are STQ1_0
  mainline_2024,  // llama.cpp of 2024: repacked types, removed since
  bitnet_rows4,   // bitnet.cpp built for x86 without ACT_PARALLEL: I2_S over four rows
  bitnet_arm,     // bitnet.cpp built for ARM since 2025-11: I2_S in groups of 64
};
inline constexpr int kDialectCount = 9;

struct DialectRow {
  Dialect dialect;
  std::string_view flag;   // of --gguf-dialect
  std::string_view title;  // in messages
  // Sizes cannot tell it from another one: it is never guessed, and never written.
  bool by_flag_only = false;
};
std::span<const DialectRow> dialects();
const DialectRow& dialect_row(Dialect dialect);

enum class Layout : uint8_t {
  blocks,     // every row: row_bytes, then columns / block_elements blocks
  tail_2bit,  // bitnet.cpp: elements / 4 code bytes, then a tail of 32 bytes
  tl2         // bitnet.cpp: three weights in five bits, in tiles of its lookup kernels
};

struct TypeRow {
  uint32_t id;
  std::string_view name;
  uint32_t dialects;  // bit per Dialect
  int block_elements;
  int block_bytes;
  int row_bytes = 0;  // a scale in front of every row (ik_llama.cpp)
  Layout layout = Layout::blocks;
  std::optional<codec::Id> codec = std::nullopt;  // nothing: known by size only
};
std::span<const TypeRow> types();

// The reading of a type id in one dialect; null where it has none.
const TypeRow* find_type(uint32_t id, Dialect dialect);
// The row that stores a codec under its own type id; null where GGUF has no such type, or none
// that a reader would find again without a flag.
const TypeRow* find_type(codec::Id codec);
// Bytes of a tensor; nothing where the shape does not fit the type or overflows.
std::optional<int64_t> tensor_bytes(const TypeRow& type, int64_t rows, int64_t columns);
// An id that no dialect here reads, in words for a message.
std::string describe_unknown_type(uint32_t id);

}  // namespace bittern::format::gguf
