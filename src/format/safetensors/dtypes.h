// Data types of SafeTensors, in the order of the reference's enum: writers sort by it.
// Source: safetensors crate, safetensors/src/tensor.rs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codec/codec.h"

namespace bittern::format::safetensors {

struct Dtype {
  std::string_view name;
  int bits;
  std::optional<codec::Id> codec = std::nullopt;  // nothing: known by size only
};

std::span<const Dtype> dtypes();
// Null where unknown.
const Dtype* find_dtype(std::string_view name);
// Null where SafeTensors has no such type (block formats).
const Dtype* find_dtype(codec::Id codec);

}  // namespace bittern::format::safetensors
