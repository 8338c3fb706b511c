// A model's numbers and traits, read from config.json or GGUF metadata into one neutral struct.
// Readers take hostile input: every number is range-checked here and held against the tensors at
// bind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/json.h"
#include "format/checkpoint.h"

namespace bittern::model {

struct ArchSpec;

// Rotary scaling (transformers modeling_rope_utils; names as there).
enum class RopeScaling : uint8_t { none, linear, dynamic, llama3, yarn, longrope };
std::string_view rope_scaling_name(RopeScaling scaling);
struct RopeConfig {
  double theta = 10000.0;
  double partial = 1.0;  // rotated share of a head
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  int64_t original_context = 0;
  double low_freq_factor = 1.0, high_freq_factor = 4.0;                          // llama3
  double beta_fast = 32.0, beta_slow = 1.0, mscale = 0.0, mscale_all_dim = 0.0;  // yarn
  double attention_factor = 0.0;  // of cos and sin; 0: by the formula
  bool truncate = true;
  std::vector<double> short_factors = {}, long_factors = {};  // longrope
  std::vector<double> divisors = {};  // GGUF rope_freqs: angle i divided by [i]
};

// Which way a packed linear's weight_scale goes (Hugging Face BitNet; by linear_class, never by
// magnitude).
enum class ScaleRule : uint8_t { multiply, divide };

enum class NormKind : uint8_t { rms, layer };

// How a layer's two branches, attention a and ffn f, join the hidden state x. Norms before or
// behind a branch are there where the family names them.
enum class Residual : uint8_t {
  sequential,  // x += a(x); x += f(x)
  parallel,    // x += a(x) + f(x)
  normalised   // x = norm(x + a(x)); x = norm(x + f(x)): the norm behind takes in the sum
};

// The norm on queries and keys before the rotary angles.
enum class HeadNorm : uint8_t {
  none,
  shared,  // each head by itself, one weight for all heads
  own,     // each head by itself with a weight of its own
  full     // over the heads together
};

// What differs between the layers of one model.
struct LayerConfig {
  int64_t window = 0;    // sliding window in positions; 0: sees everything before
  bool rotary = true;    // false: no position at all (NoPE)
  bool experts = false;  // a router and experts instead of one ffn
};

struct ExpertConfig {
  int64_t count = 0;   // 0: the model has none
  int64_t chosen = 0;  // per row
  int64_t ffn_size = 0;
  bool renormalise = false;  // the chosen shares are divided by their sum
};

struct Config {
  std::string file;          // named in errors
  std::string architecture;  // as the file says it: "llama", "bitnet-b1.58", "BitNetForCausalLM"
  int64_t hidden_size = 0, ffn_size = 0, layer_count = 0, vocab_size = 0;
  int64_t head_count = 0, kv_head_count = 0, head_dim = 0;
  int64_t max_context = 0;
  std::vector<LayerConfig> layers;  // layer_count of them
  ExpertConfig experts;

  NormKind norm = NormKind::rms;
  double norm_eps = 1e-5;
  Residual residual = Residual::sequential;
  bool shared_norm = false;  // parallel: both branches read one norm of x
  HeadNorm head_norm = HeadNorm::none;

  // Positions: rotary (per layer), or a learned row for each, added to the embedding.
  RopeConfig rope;
  std::optional<RopeConfig> window_rope;  // of the layers with a window, where it differs
  bool learned_positions = false;
  bool token_types = false;  // row 0 of a table is added to every embedding

  backend::Mask mask = backend::Mask::causal;
  double attention_scale = 0.0;    // of q.k; 0: 1 / sqrt(head_dim)
  double attention_softcap = 0.0;  // 0: none
  double embedding_scale = 1.0;
  double residual_scale = 1.0;  // of both branches
  double logit_scale = 1.0;
  double logit_softcap = 0.0;  // 0: none

  bool gated = true;
  backend::Activation activation = backend::Activation::silu;
  bool has_head = true;  // gives logits
  bool tied_embedding = false;
  bool qkv_bias = false, output_bias = false, mlp_bias = false, head_bias = false;
  bool norm_bias = false;           // LayerNorms have one
  bool rotated_inputs = false;      // of some linears: Model::rotation
  bool transposed_linears = false;  // stored [in, out]: copied at bind

  bool ternary = false;       // W1.58A8: the architecture or quantization_config says so
  bool ternary_head = false;  // an untied lm_head that quantization_config does not exclude
  ScaleRule scale_rule = ScaleRule::divide;
  std::vector<std::string> not_ternary;  // modules_to_not_convert

  // Whether a Hugging Face module ("model.layers.0.mlp.up_proj") is a ternary linear.
  bool is_ternary(std::string_view module) const;
  bool has_rotary() const;  // in any layer
  int64_t query_width() const { return head_count * head_dim; }
  int64_t key_width() const { return kv_head_count * head_dim; }
};

// The numbers and traits that a row of the table fixes; the readers start from it.
Config config_of(const ArchSpec& arch);

// Both throw Error{bad_input} naming the file, the field, expected and got; Error{unsupported}
// for a trait that is understood and not computed here (ALiBi, shared experts, GPTQ, ...).
Config config_from_hf(const json::Value& config, const ArchSpec& arch);
Config config_from_gguf(const format::Checkpoint& checkpoint, const ArchSpec& arch);

// "silu", "relu2", "gelu_pytorch_tanh", ... as transformers' ACT2FN names them; throws where
// unknown, naming `file`.
backend::Activation activation_from_name(std::string_view name, const std::string& file);

// The checks both readers end with: relations between the numbers.
void check_config(const Config& config);

}  // namespace bittern::model
