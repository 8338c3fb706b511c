#include "format/gguf/types.h"

#include "base/checked_math.h"
#include "base/error.h"

namespace bittern::format::gguf {
namespace {

constexpr DialectRow kDialects[kDialectCount] = {
    {Dialect::mainline, "mainline", "mainline"},
    {Dialect::bitnet, "bitnet", "bitnet.cpp"},
    {Dialect::prism, "prism", "PrismML"},
    {Dialect::prism_legacy, "prism-legacy", "PrismML before 2026-06"},
    {Dialect::ik, "ik", "ik_llama.cpp"},
    {Dialect::sherry, "sherry", "Tencent Sherry"},
    {Dialect::mainline_2024, "mainline-2024", "llama.cpp of 2024"},
    {Dialect::bitnet_rows4, "bitnet-rows4", "bitnet.cpp without ACT_PARALLEL", true},
    {Dialect::bitnet_arm, "bitnet-arm", "bitnet.cpp of ARM", true},
};

constexpr uint32_t bit(Dialect dialect) { return 1u << static_cast<uint32_t>(dialect); }

constexpr uint32_t kAll = (1u << kDialectCount) - 1;
constexpr uint32_t kMainline = bit(Dialect::mainline);
constexpr uint32_t kBitnet =
    bit(Dialect::bitnet) | bit(Dialect::bitnet_rows4) | bit(Dialect::bitnet_arm);
constexpr uint32_t kPrism = bit(Dialect::prism);
constexpr uint32_t kPrismLegacy = bit(Dialect::prism_legacy);
constexpr uint32_t kIk = bit(Dialect::ik);
constexpr uint32_t kSherry = bit(Dialect::sherry);
constexpr uint32_t kOld = bit(Dialect::mainline_2024);
// Forks of mainline since 2025 that kept its newer types.
constexpr uint32_t kModern = kMainline | kPrism | kPrismLegacy | kSherry;

using codec::Id;

// id, name, dialects, block elements, block bytes, bytes in front of a row, layout, codec.
constexpr TypeRow kTypes[] = {
    {0, "F32", kAll, 1, 4, 0, Layout::blocks, Id::f32},
    {1, "F16", kAll, 1, 2, 0, Layout::blocks, Id::f16},
    {2, "Q4_0", kAll, 32, 18, 0, Layout::blocks, Id::q4_0},
    {3, "Q4_1", kAll, 32, 20, 0, Layout::blocks, Id::q4_1},
    {6, "Q5_0", kAll, 32, 22, 0, Layout::blocks, Id::q5_0},
    {7, "Q5_1", kAll, 32, 24, 0, Layout::blocks, Id::q5_1},
    {8, "Q8_0", kAll, 32, 34, 0, Layout::blocks, Id::q8_0},
    {9, "Q8_1", kAll, 32, 36},
    {10, "Q2_K", kAll, 256, 84, 0, Layout::blocks, Id::q2_k},
    {11, "Q3_K", kAll, 256, 110, 0, Layout::blocks, Id::q3_k},
    {12, "Q4_K", kAll, 256, 144, 0, Layout::blocks, Id::q4_k},
    {13, "Q5_K", kAll, 256, 176, 0, Layout::blocks, Id::q5_k},
    {14, "Q6_K", kAll, 256, 210, 0, Layout::blocks, Id::q6_k},
    {15, "Q8_K", kAll, 256, 292},
    {16, "IQ2_XXS", kAll, 256, 66, 0, Layout::blocks, Id::iq2_xxs},
    {17, "IQ2_XS", kAll, 256, 74, 0, Layout::blocks, Id::iq2_xs},
    {18, "IQ3_XXS", kAll, 256, 98, 0, Layout::blocks, Id::iq3_xxs},
    {19, "IQ1_S", kAll, 256, 50, 0, Layout::blocks, Id::iq1_s},
    {20, "IQ4_NL", kAll, 32, 18, 0, Layout::blocks, Id::iq4_nl},
    {21, "IQ3_S", kAll, 256, 110, 0, Layout::blocks, Id::iq3_s},
    {22, "IQ2_S", kAll, 256, 82, 0, Layout::blocks, Id::iq2_s},
    {23, "IQ4_XS", kAll, 256, 136, 0, Layout::blocks, Id::iq4_xs},
    {24, "I8", kAll, 1, 1, 0, Layout::blocks, Id::i8},
    {25, "I16", kAll, 1, 2, 0, Layout::blocks, Id::i16},
    {26, "I32", kAll, 1, 4, 0, Layout::blocks, Id::i32},
    {27, "I64", kAll, 1, 8, 0, Layout::blocks, Id::i64},
    {28, "F64", kAll, 1, 8, 0, Layout::blocks, Id::f64},
    {29, "IQ1_M", kAll, 256, 56, 0, Layout::blocks, Id::iq1_m},
    {30, "BF16", kAll, 1, 2, 0, Layout::blocks, Id::bf16},
    {31, "Q4_0_4_4", kOld | kBitnet | kIk, 32, 18},
    {32, "Q4_0_4_8", kOld | kBitnet | kIk, 32, 18},
    {33, "Q4_0_8_8", kOld | kBitnet | kIk, 32, 18},
    {34, "TQ1_0", kAll & ~kIk, 256, 54, 0, Layout::blocks, Id::tq1_0},
    {35, "TQ2_0", kAll & ~kIk, 256, 66, 0, Layout::blocks, Id::tq2_0},
    {36, "I2_S", bit(Dialect::bitnet), 4, 1, 0, Layout::tail_2bit, Id::i2_s},
    {36, "I2_S", bit(Dialect::bitnet_rows4), 4, 1, 0, Layout::tail_2bit, Id::i2_s_rows4},
    {36, "I2_S", bit(Dialect::bitnet_arm), 4, 1, 0, Layout::tail_2bit, Id::i2_s_arm},
    {36, "IQ4_NL_4_4", kOld, 32, 18},
    {37, "I8_S", kBitnet, 1, 1},
    {37, "IQ4_NL_4_8", kOld, 32, 18},
    {38, "TL1", kBitnet, 4, 1, 0, Layout::tail_2bit},
    {38, "IQ4_NL_8_8", kOld, 32, 18},
    {39, "MXFP4", kModern | kIk, 32, 17, 0, Layout::blocks, Id::mxfp4},
    {39, "TL2", kBitnet, 1, 0, 0, Layout::tl2},
    {40, "NVFP4", kMainline | kPrism | kSherry, 64, 36, 0, Layout::blocks, Id::nvfp4},
    {40, "Q1_0_g32", kPrismLegacy, 32, 6},
    {41, "Q1_0", kModern | kIk, 128, 18, 0, Layout::blocks, Id::q1_0},
    {42, "Q2_0", kMainline | kPrism, 64, 18, 0, Layout::blocks, Id::q2_0},
    {42, "Q2_0_g128", kPrismLegacy, 128, 34, 0, Layout::blocks, Id::pq2_0},
    {42, "STQ1_0", kSherry, 256, 42, 0, Layout::blocks, Id::stq1_0},
    {43, "STQ1_0", kSherry, 256, 42, 0, Layout::blocks, Id::stq1_0},
    {133, "Q6_0", kIk, 32, 26},
    {134, "IQ1_BN", kIk, 64, 13, 2, Layout::blocks, Id::iq1_bn},
    {135, "IQ2_BN", kIk, 64, 16, 4, Layout::blocks, Id::iq2_bn},
    {137, "IQ2_K", kIk, 256, 76},
    {138, "IQ3_K", kIk, 256, 110},
    {139, "IQ4_K", kIk, 256, 144},
    {140, "IQ5_K", kIk, 256, 176},
    {141, "IQ6_K", kIk, 256, 212},
    {142, "PQ2_0", kPrism, 128, 34, 0, Layout::blocks, Id::pq2_0},
    {142, "IQ2_TN", kIk, 256, 66},
    {143, "PTQ1_0", kPrism, 128, 28, 0, Layout::blocks, Id::ptq1_0},
    {143, "IQ1_TN", kIk, 64, 13, 2},
    {144, "IQ4_KS", kIk, 256, 136, 4},
    {145, "IQ2_KS", kIk, 256, 70, 2},
    {146, "IQ4_KSS", kIk, 256, 128, 4},
    {152, "IQ5_KS", kIk, 256, 168, 4},
    {153, "IQ2_KT", kIk, 256, 68, 4},
    {154, "IQ3_KT", kIk, 256, 100, 4},
    {155, "IQ4_KT", kIk, 256, 128, 4},
    {156, "IQ3_KS", kIk, 256, 102, 2},
    {157, "IQ2_KL", kIk, 256, 86, 2},
    {158, "IQ1_KT", kIk, 256, 56, 4},
    {335, "IQ2_BN_R4", kIk, 64, 16, 4},
};

constexpr int64_t kBitnetTail = 32;  // bytes behind the codes; the first four are the f32 scale

std::optional<int64_t> block_layout_bytes(const TypeRow& type, int64_t rows, int64_t columns) {
  if (columns % type.block_elements != 0) return std::nullopt;
  auto row = checked_multiply(columns / type.block_elements, type.block_bytes);
  if (row) row = checked_add(*row, type.row_bytes);
  return row ? checked_multiply(rows, *row) : std::nullopt;
}

// K columns: triples of 5 bits over all but 256 columns, pairs of 4 bits over those 256 (the
// number is fixed in bitnet.cpp, whatever the shape), padded to 32, then the tail.
std::optional<int64_t> tl2_bytes(int64_t rows, int64_t columns) {
  constexpr int64_t kPairColumns = 256;
  if (columns < kPairColumns) return std::nullopt;
  const auto triple_weights = checked_multiply(columns - kPairColumns, rows);
  const auto triple_bits = triple_weights ? checked_multiply(*triple_weights / 3, 5) : std::nullopt;
  const auto pair_bits = checked_multiply(kPairColumns / 2 * 4, rows);
  if (!triple_bits || !pair_bits) return std::nullopt;
  const auto codes = checked_add(*triple_bits / 8, *pair_bits / 8);
  const auto padded = codes ? checked_align(*codes, kBitnetTail) : std::nullopt;
  return padded ? checked_add(*padded, kBitnetTail) : std::nullopt;
}

}  // namespace

std::span<const DialectRow> dialects() { return kDialects; }
const DialectRow& dialect_row(Dialect dialect) { return kDialects[static_cast<size_t>(dialect)]; }
std::span<const TypeRow> types() { return kTypes; }

const TypeRow* find_type(uint32_t id, Dialect dialect) {
  for (const TypeRow& row : kTypes)
    if (row.id == id && (row.dialects & bit(dialect)) != 0) return &row;
  return nullptr;
}

const TypeRow* find_type(codec::Id codec) {
  const int id = codec::get(codec).gguf_type;
  for (const TypeRow& row : kTypes)
    if (row.codec == codec && static_cast<int>(row.id) == id) return &row;
  return nullptr;
}

std::optional<int64_t> tensor_bytes(const TypeRow& type, int64_t rows, int64_t columns) {
  switch (type.layout) {
    case Layout::blocks:
      return block_layout_bytes(type, rows, columns);
    case Layout::tail_2bit: {
      const auto elements = checked_multiply(rows, columns);
      if (!elements || *elements % 4 != 0) return std::nullopt;
      return checked_add(*elements / 4, kBitnetTail);
    }
    case Layout::tl2:
      return tl2_bytes(rows, columns);
  }
  return std::nullopt;
}

std::string describe_unknown_type(uint32_t id) {
  constexpr uint32_t kFirstRepack = 202, kLastRepack = 399;
  if (id >= kFirstRepack && id <= kLastRepack)
    return fmt::format("type id {} (a row-interleaved repack of ik_llama.cpp)", id);
  for (const TypeRow& row : kTypes)
    if (row.id == id) return fmt::format("type id {} (of another dialect)", id);
  return fmt::format("type id {} (of no known dialect)", id);
}

}  // namespace bittern::format::gguf
