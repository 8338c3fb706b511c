// The shapes of real models: what a benchmark needs to make one of random weights. A row holds
// numbers only; the source of each row is the configuration file that its publisher ships.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bittern::bench {

struct ModelShape {
  std::string_view name;    // of --shape
  std::string_view model;   // the real one
  std::string_view source;  // of the numbers
  // general.architecture of the GGUF it becomes.
  std::string_view architecture;
  int64_t hidden_size, ffn_size, layer_count;
  int64_t head_count, kv_head_count, head_dim;
  int64_t vocab_size, context;
  double rope_theta, norm_eps;
  bool tied = true;        // one table is embedding and head
  bool ternary = false;    // W1.58A8: SubLN, ternary linears
  bool head_norm = false;  // RMSNorm on queries and keys

  // Weights of all matrices, the embedding counted once where it is tied.
  int64_t parameter_count() const;
};

std::span<const ModelShape> shapes();
// By name; throws Error{usage} listing the names.
const ModelShape& find_shape(std::string_view name);
// "bitnet-2b, bitnet-large, ...".
std::string shape_names();

}  // namespace bittern::bench
