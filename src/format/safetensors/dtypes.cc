#include "format/safetensors/dtypes.h"

namespace bittern::format::safetensors {
namespace {

using codec::Id;

constexpr Dtype kDtypes[] = {
    {"BOOL", 8, Id::boolean},
    {"F4", 4},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
    {"U8", 8, Id::u8},
    {"I8", 8, Id::i8},
    {"F8_E5M2", 8, Id::f8_e5m2},
    {"F8_E4M3", 8, Id::f8_e4m3},
    {"F8_E8M0", 8, Id::f8_e8m0},
    {"F8_E4M3FNUZ", 8, Id::f8_e4m3fnuz},
    {"F8_E5M2FNUZ", 8, Id::f8_e5m2fnuz},
    {"I16", 16, Id::i16},
    {"U16", 16, Id::u16},
    {"F16", 16, Id::f16},
    {"BF16", 16, Id::bf16},
    {"I32", 32, Id::i32},
    {"U32", 32, Id::u32},
    {"F32", 32, Id::f32},
    {"C64", 64},
    {"F64", 64, Id::f64},
    {"I64", 64, Id::i64},
    {"U64", 64, Id::u64},
};

}  // namespace

std::span<const Dtype> dtypes() { return kDtypes; }

const Dtype* find_dtype(std::string_view name) {
  for (const Dtype& row : kDtypes)
    if (row.name == name) return &row;
  return nullptr;
}

const Dtype* find_dtype(codec::Id codec) {
  for (const Dtype& row : kDtypes)
    if (row.codec == codec) return &row;
  return nullptr;
}

}  // namespace bittern::format::safetensors
