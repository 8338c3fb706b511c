// Reading the golden files of tests/data/codec (layouts: tools/golden/codecs.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "codec/codec.h"
#include "codec/tensor_view.h"

namespace bittern::test {

std::vector<std::byte> read_golden(const std::string& name);

// Bytes as f32 values; their count must be a multiple of four.
std::vector<float> floats_of(std::span<const std::byte> bytes);

// One tensor of a *.tensors file: its header, int8 codes, and what follows them.
struct GoldenTensor {
  int64_t rows = 0;
  int64_t columns = 0;
  float scale = 0.0f;
  std::vector<int8_t> codes;
  std::vector<std::byte> rest;
};
// `rest_bytes` says how many bytes follow the codes of a rows x columns tensor.
std::vector<GoldenTensor> read_tensors(const std::string& name,
                                       int64_t (*rest_bytes)(int64_t rows, int64_t columns));

// The same bits, or both NaN (whose payload nothing depends on).
bool same_bits(float a, float b);

std::vector<std::byte> encode(const codec::Codec& codec, std::span<const float> values,
                              int64_t rows, int64_t columns);
std::vector<float> decode(const codec::Codec& codec, std::span<const std::byte> data, int64_t rows,
                          int64_t columns);

// A view named "w" of coded bytes, which must live on.
TensorView view_of(codec::Id id, int64_t rows, int64_t columns, std::span<const std::byte> bytes,
                   float scale = 1.0f);

}  // namespace bittern::test
