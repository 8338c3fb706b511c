// A whole model of a real one's shape with random weights, in memory: a Checkpoint as a GGUF file
// would give it, without a vocabulary. The same bytes can be written to a file, so that other
// programs run exactly what was measured here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "bench/shapes.h"
#include "codec/codec.h"
#include "format/checkpoint.h"

namespace bittern::bench {

struct SyntheticOptions {
  // Of the layers: a codec's name ("q4_0", "tq2_0", "bf16") or a mix of llama-quantize ("q4_k_m",
  // "q5_k_m"). Empty: tq2_0 for ternary shapes, q4_0 for others.
  std::string codec = {};
  // Of the head, and of the embedding where that is the same table. Empty: as llama-quantize
  // chooses.
  std::string head_codec = {};
  uint64_t seed = 1;
};

// One tensor of the model to be; outermost dimension first.
struct PlannedTensor {
  std::string name;
  codec::Id codec = codec::Id::f32;
  std::vector<int64_t> shape;
  double mean = 0.0, deviation = 0.0;  // of its values
};

struct SyntheticPlan {
  std::vector<PlannedTensor> tensors;
  int64_t bytes = 0;
  std::string codec, head_codec;  // as chosen
};

// Decides every tensor. Throws Error{usage} for an unknown format or one that weights cannot have.
// A format whose block does not divide a matrix's columns gives way to the one llama-quantize
// takes instead.
SyntheticPlan plan_synthetic(const ModelShape& shape, const SyntheticOptions& options);

// Makes it. Throws Error{resources} before anything is taken where memory does not suffice.
// `filled` is told the bytes of each tensor as it is done; may be null, may throw to give up.
format::Checkpoint make_synthetic(const ModelShape& shape, const SyntheticPlan& plan, uint64_t seed,
                                  ThreadPool& pool, const std::function<void(int64_t)>& filled);

// Writes it as a GGUF file. Throws Error{unsupported} where a codec has no GGUF type.
void write_synthetic(const std::filesystem::path& path, const format::Checkpoint& checkpoint);

}  // namespace bittern::bench
