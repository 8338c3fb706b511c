// Rotary scalings, formula by formula as in transformers 5.23 modeling_rope_utils. With i the
// pair and dim the rotated width: f_i = theta^(-2i/dim), then
//   linear    f_i / factor
//   dynamic   theta grows with the context beyond the trained one (NTK)
//   llama3    long wavelengths divided by factor, short ones kept, a ramp between
//   yarn      a ramp over i between f_i / factor and f_i; cos and sin scaled
//   longrope  f_i divided by a list, short or long by context; cos and sin scaled
// Frequencies and angles are rounded to f32 where the reference does; transcendental functions
// run in double and are rounded once, so that different libm versions agree.
#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bittern::model {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

double base_frequency(double theta, int64_t pair, int64_t dim) {
  return std::pow(theta, -2.0 * static_cast<double>(pair) / static_cast<double>(dim));
}

double dynamic_theta(const RopeConfig& rope, int64_t trained_context, int64_t dim,
                     int64_t context) {
  const auto trained = static_cast<double>(trained_context);
  const double length = std::max(static_cast<double>(context), trained);
  const double factor = rope.factor;
  const double width = static_cast<double>(dim);
  const double stretch = factor * length / trained - (factor - 1.0);
  return rope.theta * std::pow(stretch, width / (width - 2.0));
}

double llama3_frequency(const RopeConfig& rope, double frequency) {
  const auto original = static_cast<double>(rope.original_context);
  const double wavelength = kTwoPi / frequency;
  if (wavelength < original / rope.high_freq_factor) return frequency;
  if (wavelength > original / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (original / wavelength - rope.low_freq_factor) /
                        (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

// The pair whose wavelength makes `rotations` turns within the original context.
double yarn_pair(const RopeConfig& rope, double rotations, int64_t dim) {
  return static_cast<double>(dim) *
         std::log(static_cast<double>(rope.original_context) / (rotations * kTwoPi)) /
         (2.0 * std::log(rope.theta));
}

double yarn_frequency(const RopeConfig& rope, double frequency, int64_t pair, int64_t dim) {
  double low = yarn_pair(rope, rope.beta_fast, dim);
  double high = yarn_pair(rope, rope.beta_slow, dim);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dim - 1));
  if (low == high) high += 0.001;
  const double ramp = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
  return frequency / rope.factor * ramp + frequency * (1.0 - ramp);
}

double yarn_mscale(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

}  // namespace

int64_t rope_dim(const Config& config, const RopeConfig& rope) {
  return static_cast<int64_t>(static_cast<double>(config.head_dim) * rope.partial);
}

std::vector<float> rope_frequencies(const Config& config, const RopeConfig& rope, int64_t context) {
  const int64_t dim = rope_dim(config, rope);
  const double theta = rope.scaling == RopeScaling::dynamic
                           ? dynamic_theta(rope, config.max_context, dim, context)
                           : rope.theta;
  const bool is_long = context > rope.original_context;
  std::vector<float> frequencies;
  for (int64_t pair = 0; pair < dim / 2; ++pair) {
    double frequency = base_frequency(theta, pair, dim);
    const auto index = static_cast<size_t>(pair);
    switch (rope.scaling) {
      case RopeScaling::none:
      case RopeScaling::dynamic:
        break;
      case RopeScaling::linear:
        frequency /= rope.factor;
        break;
      case RopeScaling::llama3:
        frequency = llama3_frequency(rope, frequency);
        break;
      case RopeScaling::yarn:
        frequency = yarn_frequency(rope, frequency, pair, dim);
        break;
      case RopeScaling::longrope:
        frequency /= is_long ? rope.long_factors[index] : rope.short_factors[index];
        break;
    }
    if (!rope.divisors.empty()) frequency /= rope.divisors[index];
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

double rope_magnitude(const RopeConfig& rope) {
  if (rope.attention_factor > 0.0) return rope.attention_factor;
  if (rope.scaling == RopeScaling::yarn) {
    if (rope.mscale != 0.0 && rope.mscale_all_dim != 0.0)
      return yarn_mscale(rope.factor, rope.mscale) / yarn_mscale(rope.factor, rope.mscale_all_dim);
    return yarn_mscale(rope.factor, 1.0);
  }
  if (rope.scaling == RopeScaling::longrope && rope.factor > 1.0) {
    return std::sqrt(1.0 +
                     std::log(rope.factor) / std::log(static_cast<double>(rope.original_context)));
  }
  return 1.0;
}

backend::RopeTable make_rope_table(const Config& config, const RopeConfig& rope,
                                   backend::RopePairing pairing, int64_t context) {
  const std::vector<float> frequencies = rope_frequencies(config, rope, context);
  const auto magnitude = double{static_cast<float>(rope_magnitude(rope))};
  backend::RopeTable table;
  table.pairing = pairing;
  table.dim = rope_dim(config, rope);
  table.positions = context;
  const size_t count = frequencies.size() * static_cast<size_t>(context);
  table.cosine.reserve(count);
  table.sine.reserve(count);
  for (int64_t position = 0; position < context; ++position) {
    for (const float frequency : frequencies) {
      const float angle = static_cast<float>(position) * frequency;
      table.cosine.push_back(static_cast<float>(std::cos(double{angle}) * magnitude));
      table.sine.push_back(static_cast<float>(std::sin(double{angle}) * magnitude));
    }
  }
  return table;
}

int64_t rope_table_bytes(const Config& config, int64_t context) {
  if (!config.has_rotary()) return 0;
  int64_t dims = rope_dim(config, config.rope);
  if (config.window_rope) dims += rope_dim(config, *config.window_rope);
  return dims * context * static_cast<int64_t>(sizeof(float));
}

}  // namespace bittern::model
