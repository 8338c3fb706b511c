#include "codec/scale_search.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "codec/rounding.h"

namespace bittern::codec {
namespace {

constexpr size_t kLongest = 32;  // values of a sub-block

// Weighted sums over values x and codes l.
struct Sums {
  float xl = 0.0f;
  float ll = 0.0f;
};

int signed_code(float scaled, int limit) {
  return std::clamp(round_half_even(scaled), -limit, limit - 1);
}

Sums symmetric_sums(std::span<const float> values, std::span<const float> weights, float inverse,
                    int limit) {
  Sums sums;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto code = static_cast<float>(signed_code(inverse * values[i], limit));
    sums.xl += weights[i] * values[i] * code;
    sums.ll += weights[i] * code * code;
  }
  return sums;
}

// Sums that affine least squares needs; those without codes are the same for every grid.
struct AffineSums {
  float w = 0.0f, x = 0.0f;
  float l = 0.0f, ll = 0.0f, xl = 0.0f;
};

float affine_error(std::span<const float> values, std::span<const float> weights,
                   const uint8_t* codes, float scale, float minimum, bool absolute) {
  float sum = 0.0f;
  for (size_t i = 0; i < values.size(); ++i) {
    const float difference = scale * static_cast<float>(codes[i]) + minimum - values[i];
    sum += weights[i] * (absolute ? std::fabs(difference) : difference * difference);
  }
  return sum;
}

void affine_codes(std::span<const float> values, float inverse, float minimum, int limit,
                  uint8_t* codes) {
  for (size_t i = 0; i < values.size(); ++i) {
    const int code = round_half_even(inverse * (values[i] - minimum));
    codes[i] = static_cast<uint8_t>(std::clamp(code, 0, limit));
  }
}

void add_code_sums(std::span<const float> values, std::span<const float> weights,
                   const uint8_t* codes, AffineSums& sums) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto code = static_cast<float>(codes[i]);
    sums.l += weights[i] * code;
    sums.ll += weights[i] * code * code;
    sums.xl += weights[i] * code * values[i];
  }
}

}  // namespace

float extreme_of(std::span<const float> values) {
  float extreme = 0.0f;
  for (const float value : values) {
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;
  }
  return extreme;
}

Range range_of(std::span<const float> values) {
  Range range;
  for (const float value : values) {
    if (value < range.least) range.least = value;
    if (value > range.greatest) range.greatest = value;
  }
  return range;
}

float search_symmetric(std::span<const float> values, std::span<const float> weights, int limit,
                       uint8_t* codes) {
  const float extreme = extreme_of(values);
  if (std::fabs(extreme) < kZeroMagnitude) {
    std::fill_n(codes, values.size(), uint8_t{0});
    return 0.0f;
  }
  const auto whole = static_cast<float>(limit);
  float best_inverse = -whole / extreme;
  Sums sums = symmetric_sums(values, weights, best_inverse, limit);
  float scale = sums.ll != 0.0f ? sums.xl / sums.ll : 0.0f;
  float gain = scale * sums.xl;
  for (int i = -9; i <= 9; ++i) {
    if (i == 0) continue;
    const float inverse = -(whole + 0.1f * static_cast<float>(i)) / extreme;
    sums = symmetric_sums(values, weights, inverse, limit);
    if (!(sums.ll > 0.0f && sums.xl * sums.xl > gain * sums.ll)) continue;
    best_inverse = inverse;
    scale = sums.xl / sums.ll;
    gain = scale * sums.xl;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    codes[i] = static_cast<uint8_t>(limit + signed_code(best_inverse * values[i], limit));
  }
  return scale;
}

float search_by_descent(std::span<const float> values, int limit, uint8_t* codes) {
  constexpr int kRounds = 5;
  const float extreme = extreme_of(values);
  if (std::fabs(extreme) < kZeroMagnitude) {
    std::fill_n(codes, values.size(), uint8_t{0});
    return 0.0f;
  }
  std::array<int, kLongest> code{};
  Sums sums;
  const float inverse = static_cast<float>(-limit) / extreme;
  for (size_t i = 0; i < values.size(); ++i) {
    const float x = values[i];
    code[i] = signed_code(inverse * x, limit);
    sums.xl += x * x * x * static_cast<float>(code[i]);
    sums.ll += x * x * static_cast<float>(code[i]) * static_cast<float>(code[i]);
  }
  bool changed = true;
  for (int round = 0; round < kRounds && changed; ++round) {
    changed = false;
    for (size_t i = 0; i < values.size(); ++i) {
      const float x = values[i];
      const float weight = x * x;
      const auto old_code = static_cast<float>(code[i]);
      // The sums without this value give the code that suits it best.
      Sums others{sums.xl - weight * x * old_code, sums.ll - weight * old_code * old_code};
      if (!(others.xl > 0.0f)) continue;
      const int better = signed_code(x * others.ll / others.xl, limit);
      if (better == code[i]) continue;
      others.xl += weight * x * static_cast<float>(better);
      others.ll += weight * static_cast<float>(better) * static_cast<float>(better);
      if (others.ll > 0.0f && others.xl * others.xl * sums.ll > sums.xl * sums.xl * others.ll) {
        code[i] = better;
        sums = others;
        changed = true;
      }
    }
  }
  for (size_t i = 0; i < values.size(); ++i) codes[i] = static_cast<uint8_t>(code[i] + limit);
  return sums.ll > 0.0f ? sums.xl / sums.ll : 0.0f;
}

AffineFit search_affine(std::span<const float> values, std::span<const float> weights,
                        const AffineSearch& search, uint8_t* codes) {
  float minimum = values[0];
  float maximum = values[0];
  AffineSums fixed;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < minimum) minimum = values[i];
    if (values[i] > maximum) maximum = values[i];
    fixed.w += weights[i];
    fixed.x += weights[i] * values[i];
  }
  if (minimum > 0.0f) minimum = 0.0f;
  if (maximum == minimum) {
    std::fill_n(codes, values.size(), uint8_t{0});
    return {0.0f, -minimum};
  }
  const auto whole = static_cast<float>(search.limit);
  const float inverse = whole / (maximum - minimum);
  float scale = 1.0f / inverse;
  affine_codes(values, inverse, minimum, search.limit, codes);
  float least = affine_error(values, weights, codes, scale, minimum, search.absolute);
  std::array<uint8_t, kLongest> trial{};
  for (int i = 0; i <= search.steps; ++i) {
    // From the best minimum so far, not the smallest value: so the reference.
    const float grid =
        (search.first + search.step * static_cast<float>(i) + whole) / (maximum - minimum);
    affine_codes(values, grid, minimum, search.limit, trial.data());
    AffineSums sums = fixed;
    add_code_sums(values, weights, trial.data(), sums);
    const float determinant = sums.w * sums.ll - sums.l * sums.l;
    if (!(determinant > 0.0f)) continue;
    float trial_scale = (sums.w * sums.xl - sums.x * sums.l) / determinant;
    float trial_minimum = (sums.ll * sums.x - sums.l * sums.xl) / determinant;
    if (trial_minimum > 0.0f) {
      trial_minimum = 0.0f;
      trial_scale = sums.xl / sums.ll;
    }
    const float error =
        affine_error(values, weights, trial.data(), trial_scale, trial_minimum, search.absolute);
    if (!(error < least)) continue;
    std::copy_n(trial.begin(), values.size(), codes);
    least = error;
    scale = trial_scale;
    minimum = trial_minimum;
  }
  return {scale, -minimum};
}

}  // namespace bittern::codec
