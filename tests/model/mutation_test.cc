// One mutation per trait of the llama, qwen3 and BitNet rows (mutation.h); the other families':
// family_mutation_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/mutation.h"

namespace bittern::test {
namespace {

using backend::Activation;
using backend::RopePairing;
using model::RopeScaling;

void drop_tensor(Subject& subject, std::string_view name) {
  auto& tensors = subject.checkpoint.tensors;
  std::erase_if(tensors, [&](const TensorView& tensor) { return tensor.name == name; });
  subject.checkpoint.index();
}

// Quantises the rows of a ternary linear's input by another rule than the reference's.
void quantise_by(backend::Activations& in, double top, double (*round)(double), bool per_tensor) {
  if (in.quantised) return;
  double whole = 1e-5;
  for (int64_t i = 0; i < in.count * in.width; ++i)
    whole = std::max(whole, std::abs(double{in.values[i]}));
  for (int64_t row = 0; row < in.count; ++row) {
    const float* x = in.values + row * in.width;
    double largest = 1e-5;
    for (int64_t i = 0; i < in.width; ++i) largest = std::max(largest, std::abs(double{x[i]}));
    const double scale = top / (per_tensor ? whole : largest);
    in.sums[row] = 0;
    for (int64_t i = 0; i < in.width; ++i) {
      const double code = std::clamp(round(x[i] * scale), -128.0, 127.0);
      in.codes[row * backend::padded_width(in.width) + i] = static_cast<int8_t>(code);
      in.sums[row] += static_cast<int32_t>(code);
    }
    in.inverse_scales[row] = static_cast<float>(1.0 / scale);
  }
  in.quantised = true;
}

void mutate_quantiser(Subject& subject, double top, double (*round)(double), bool per_tensor) {
  subject.backend.before_linear = [=](const backend::Linear&, backend::Activations& in) {
    if (in.codes != nullptr) quantise_by(in, top, round, per_tensor);
  };
}

void layer_norm(const float* in, const float* weight, float eps, int64_t width, float* out) {
  double mean = 0.0;
  double square = 0.0;
  for (int64_t i = 0; i < width; ++i) mean += in[i] / static_cast<double>(width);
  for (int64_t i = 0; i < width; ++i) square += (in[i] - mean) * (in[i] - mean);
  const double factor = 1.0 / std::sqrt(square / static_cast<double>(width) + eps);
  for (int64_t i = 0; i < width; ++i)
    out[i] = static_cast<float>((in[i] - mean) * factor * weight[i]);
}

void one_plus_weight_norm(const float* in, const float* weight, float eps, int64_t width,
                          float* out) {
  double square = 0.0;
  for (int64_t i = 0; i < width; ++i) square += double{in[i]} * in[i];
  const double factor = 1.0 / std::sqrt(square / static_cast<double>(width) + eps);
  for (int64_t i = 0; i < width; ++i)
    out[i] = static_cast<float>(in[i] * factor * (1.0 + weight[i]));
}

constexpr double kFloat = 1e-4;
constexpr double kTernary = 1e-3;

const Mutation kMutations[] = {
    // Rotary.
    {"rope_pairing", "llama", "", "llama/golden.bin", kFloat,
     [](Subject& s) { s.arch.pairing = RopePairing::interleaved; }},
    {"rope_pairing_qwen3", "qwen3", "", "qwen3/golden.bin", kFloat,
     [](Subject& s) { s.arch.pairing = RopePairing::interleaved; }},
    {"rope_pairing_bitnet", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) { s.arch.pairing = RopePairing::interleaved; }},
    {"gguf_rows_left_permuted", "llama/model.gguf", "", "llama/golden.bin", kFloat,
     [](Subject& s) { s.arch.gguf_interleaves_heads = false; }},
    {"gguf_rows_permuted_twice", "qwen3/model.gguf", "", "qwen3/golden.bin", kFloat,
     [](Subject& s) { s.arch.gguf_interleaves_heads = true; }},
    {"gguf_bias_dropped", "llama_bias/model.gguf", "", "llama_bias/golden.silu.bin", kFloat,
     [](Subject& s) {
       s.backend.before_pack = [](backend::LinearSource& source) {
         if (!source.row_order.empty()) source.bias = nullptr;
       };
     }},
    {"theta", "llama", "", "llama/golden.bin", kFloat,
     [](Subject& s) { s.config.rope.theta = 5e5; }},
    {"theta_bitnet", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) { s.config.rope.theta = 1e4; }},
    {"partial_rotary", "llama", "", "llama/golden.bin", kFloat,
     [](Subject& s) { s.config.rope.partial = 0.5; }},
    {"linear_unscaled", "llama", "config.linear.json", "llama/golden.linear.bin", kFloat,
     [](Subject& s) { s.config.rope.scaling = RopeScaling::none; }},
    {"dynamic_unscaled", "llama", "config.dynamic.json", "llama/golden.dynamic.bin", kFloat,
     [](Subject& s) { s.config.rope.scaling = RopeScaling::none; }},
    {"dynamic_other_length", "llama", "config.dynamic.json", "llama/golden.dynamic.bin", kFloat,
     [](Subject& s) { s.context = 64; }},
    {"llama3_unscaled", "llama", "config.llama3.json", "llama/golden.llama3.bin", kFloat,
     [](Subject& s) { s.config.rope.scaling = RopeScaling::none; }},
    {"llama3_no_ramp", "llama", "config.llama3.json", "llama/golden.llama3.bin", kFloat,
     [](Subject& s) { s.config.rope.low_freq_factor = 3.999; }},
    {"yarn_unscaled", "llama", "config.yarn.json", "llama/golden.yarn.bin", kFloat,
     [](Subject& s) { s.config.rope.scaling = RopeScaling::none; }},
    {"yarn_as_linear", "llama", "config.yarn.json", "llama/golden.yarn.bin", kFloat,
     [](Subject& s) { s.config.rope.scaling = RopeScaling::linear; }},
    {"yarn_magnitude", "llama", "config.yarn.json", "llama/golden.yarn.bin", kFloat,
     [](Subject& s) { s.config.rope.attention_factor = 1.0; }},
    {"yarn_truncate", "llama", "config.yarn_given.json", "llama/golden.yarn_given.bin", kFloat,
     [](Subject& s) { s.config.rope.truncate = true; }},
    {"yarn_mscale", "llama", "config.yarn_given.json", "llama/golden.yarn_given.bin", kFloat,
     [](Subject& s) { s.config.rope.mscale = 0.0; }},
    {"yarn_betas", "llama", "config.yarn_given.json", "llama/golden.yarn_given.bin", kFloat,
     [](Subject& s) { s.config.rope.beta_fast = 32.0; }},
    {"longrope_short_for_long", "llama", "config.longrope.json", "llama/golden.longrope.bin",
     kFloat, [](Subject& s) { s.config.rope.long_factors = s.config.rope.short_factors; }},
    {"longrope_magnitude", "llama", "config.longrope.json", "llama/golden.longrope.bin", kFloat,
     [](Subject& s) { s.config.rope.attention_factor = 1.0; }},
    // Norms.
    {"norm_eps", "llama", "", "llama/golden.bin", kFloat,
     [](Subject& s) { s.config.norm_eps = s.arch.default_norm_eps; }},
    {"norm_subtracts_mean", "llama", "", "llama/golden.bin", kFloat,
     [](Subject& s) { s.backend.norm_row = layer_norm; }},
    {"norm_one_plus_weight", "qwen3", "", "qwen3/golden.bin", kFloat,
     [](Subject& s) { s.backend.norm_row = one_plus_weight_norm; }},
    {"head_norms_dropped", "qwen3", "", "qwen3/golden.bin", kFloat,
     [](Subject& s) { s.config.head_norm = model::HeadNorm::none; }},
    {"sub_norms_dropped", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) { s.arch.sub_norms = false; }},
    {"sub_norms_dropped_1bitllm", "1bitllm", "", "1bitllm/golden.bin", kTernary,
     [](Subject& s) { s.arch.sub_norms = false; }},
    // Activations, biases, head.
    {"relu2_as_silu", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) { s.config.activation = Activation::silu; }},
    {"silu_as_relu2", "1bitllm", "", "1bitllm/golden.bin", kTernary,
     [](Subject& s) { s.config.activation = Activation::relu2; }},
    {"gelu_tanh_as_erf", "llama_bias", "", "llama_bias/golden.bin", kFloat,
     [](Subject& s) { s.config.activation = Activation::gelu; }},
    {"attention_bias_dropped", "llama_bias", "", "llama_bias/golden.bin", kFloat,
     [](Subject& s) { s.config.qkv_bias = s.config.output_bias = false; }},
    {"mlp_bias_dropped", "llama_bias", "", "llama_bias/golden.bin", kFloat,
     [](Subject& s) { s.config.mlp_bias = false; }},
    {"head_tied", "llama", "", "llama/golden.bin", kFloat,
     [](Subject& s) {
       drop_tensor(s, "lm_head.weight");
       s.config.tied_embedding = true;
     }},
    // W1.58A8.
    {"scale_divides", "bitnet_packed", "", "bitnet_packed/golden.bin", kTernary,
     [](Subject& s) { s.config.scale_rule = model::ScaleRule::divide; }},
    {"scale_multiplies", "hf1bitllm", "", "hf1bitllm/golden.bin", kTernary,
     [](Subject& s) { s.config.scale_rule = model::ScaleRule::multiply; }},
    {"scale_multiplies_falcon_e", "falcon_e", "", "falcon_e/golden.bin", kTernary,
     [](Subject& s) { s.config.scale_rule = model::ScaleRule::multiply; }},
    {"masters_not_quantised", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) { s.config.ternary = false; }},
    {"one_linear_left_dense", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) { s.config.not_ternary = {"down_proj"}; }},
    {"head_quantised", "hf1bitllm", "", "hf1bitllm/golden.bin", kTernary,
     [](Subject& s) { s.config.ternary_head = true; }},
    {"activations_not_quantised", "hf1bitllm", "", "hf1bitllm/golden.bin", kTernary,
     [](Subject& s) {
       s.backend.before_pack = [](backend::LinearSource& source) { source.ternary = false; };
     }},
    {"activations_truncated", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) {
       mutate_quantiser(
           s, 127.0, [](double x) { return std::trunc(x); }, false);
     }},
    {"activations_floored", "hf1bitllm", "", "hf1bitllm/golden.bin", kTernary,
     [](Subject& s) {
       mutate_quantiser(
           s, 127.0, [](double x) { return std::floor(x); }, false);
     }},
    {"activations_scaled_to_128", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) {
       mutate_quantiser(
           s, 128.0, [](double x) { return std::nearbyint(x); }, false);
     }},
    {"activations_scaled_per_tensor", "bitnet", "", "bitnet/golden.bin", kTernary,
     [](Subject& s) {
       mutate_quantiser(
           s, 127.0, [](double x) { return std::nearbyint(x); }, true);
     }},
};

class ModelMutation : public testing::TestWithParam<Mutation> {};

TEST_P(ModelMutation, IsNoticed) { expect_noticed(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Traits, ModelMutation, testing::ValuesIn(kMutations),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace bittern::test
