// A model's numbers, read from config.json or GGUF metadata into one neutral struct. Readers
// take hostile input: every number is range-checked here and held against the tensors at bind.
#pragma once

#include <cstdint>
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
  std::vector<double> short_factors, long_factors;  // longrope
  std::vector<double> divisors;                     // GGUF rope_freqs: angle i divided by [i]
};

// Which way a packed linear's weight_scale goes (Hugging Face BitNet; by linear_class, never by
// magnitude).
enum class ScaleRule : uint8_t { multiply, divide };

struct Config {
  std::string file;          // named in errors
  std::string architecture;  // as the file says it: "llama", "bitnet-b1.58", "BitNetForCausalLM"
  int64_t hidden_size = 0, ffn_size = 0, layer_count = 0, vocab_size = 0;
  int64_t head_count = 0, kv_head_count = 0, head_dim = 0;
  int64_t max_context = 0;
  double norm_eps = 1e-5;
  RopeConfig rope;
  backend::Activation activation = backend::Activation::silu;
  bool tied_embedding = false;
  bool attention_bias = false, mlp_bias = false;
  bool ternary = false;       // W1.58A8: the architecture or quantization_config says so
  bool ternary_head = false;  // an untied lm_head that quantization_config does not exclude
  ScaleRule scale_rule = ScaleRule::divide;
  std::vector<std::string> not_ternary;  // modules_to_not_convert

  // Whether a Hugging Face module ("model.layers.0.mlp.up_proj") is a ternary linear.
  bool is_ternary(std::string_view module) const;
};

// Both throw Error{bad_input} naming the file, the field, expected and got; Error{unsupported}
// for a trait that is understood and not computed here (sliding windows, experts, GPTQ, ...).
Config config_from_hf(const json::Value& config, const ArchSpec& arch);
Config config_from_gguf(const format::Checkpoint& checkpoint, const ArchSpec& arch);

// "silu", "relu2", "gelu_pytorch_tanh", ... as transformers' ACT2FN names them; throws where
// unknown, naming `file`.
backend::Activation activation_from_name(std::string_view name, const std::string& file);

// The checks both readers end with: relations between the numbers.
void check_config(const Config& config);

}  // namespace bittern::model
