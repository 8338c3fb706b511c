// Exact ternary tensors and the absmean rule. See ternary.h for the cases.
#include "codec/ternary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/half.h"
#include "codec/formats.h"

namespace bittern::codec {
namespace {

constexpr float kSmallestMean = 1e-5f;

// What the stored scales of a ternary codec say without decoding the values.
struct StoredScale {
  bool applies = false;    // the tensor is exact ternary by its stored scales
  float magnitude = 0.0f;  // then: |scale| common to all its values
};

// Blocks of TQ1_0, PTQ1_0 and TQ2_0 are ternary each; the tensor is, if all blocks agree on |d|. A
// block of another d may still be all zeros, and TQ2_0 may hold the stray code 3: both are left to
// the value-by-value pass.
template <typename Format>
StoredScale common_block_scale(const TensorView& tensor) {
  const int64_t blocks = tensor.elements() / Format::kElements;
  StoredScale result{true, 0.0f};
  for (int64_t i = 0; i < blocks && result.applies; ++i) {
    const std::byte* block = tensor.bytes.data() + i * Format::kBytes;
    const float d = std::fabs(f16_to_f32(load<uint16_t>(block + Format::kScaleOffset)));
    if (i == 0) result.magnitude = d;
    result.applies = d == result.magnitude;
  }
  return result;
}

bool has_code_3(const TensorView& tq2_0) {
  const int64_t blocks = tq2_0.elements() / TQ2_0::kElements;
  unsigned seen = 0;  // an even bit is set where both bits of some code were
  for (int64_t i = 0; i < blocks; ++i) {
    const std::byte* block = tq2_0.bytes.data() + i * TQ2_0::kBytes;
    for (int j = 0; j < TQ2_0::kScaleOffset; ++j) {
      const unsigned byte = load<uint8_t>(block + j);
      seen |= byte & byte >> 1 & 0x55u;
    }
  }
  return seen != 0;
}

template <typename Order>
StoredScale i2_s_scale(const TensorView& tensor) {
  const float a = I2S<Order>::scale(tensor.bytes.data(), tensor.rows(), tensor.columns());
  return {true, std::fabs(a)};
}

// Formats that are not named here are looked at value by value.
StoredScale stored_scale(const TensorView& tensor) {
  if (tensor.codec == Id::i2_s) return i2_s_scale<I2SRuns32>(tensor);
  if (tensor.codec == Id::i2_s_rows4) return i2_s_scale<I2SRows4>(tensor);
  if (tensor.codec == Id::i2_s_arm) return i2_s_scale<I2SRuns16>(tensor);
  if (tensor.codec == Id::hf_ternary) return {true, 1.0f};
  if (tensor.codec == Id::tq1_0) return common_block_scale<TQ1_0>(tensor);
  if (tensor.codec == Id::ptq1_0) return common_block_scale<PTQ1_0>(tensor);
  if (tensor.codec == Id::tq2_0) {
    const StoredScale scale = common_block_scale<TQ2_0>(tensor);
    return scale.applies && has_code_3(tensor) ? StoredScale{} : scale;
  }
  return {};
}

// |scale| of every row of an IQ1_BN or IQ2_BN tensor.
std::vector<float> stored_row_scales(const TensorView& tensor) {
  std::vector<float> scales;
  const auto row_bytes = get(tensor.codec).tensor_bytes(1, tensor.columns()).value_or(0);
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    const std::byte* at = tensor.bytes.data() + row * row_bytes;
    const float stored =
        tensor.codec == Id::iq1_bn ? f16_to_f32(load<uint16_t>(at)) : load<float>(at);
    scales.push_back(std::fabs(stored) * std::fabs(tensor.scale));
    if (std::isfinite(scales.back())) continue;
    bad_input("{}: row {}: expected a finite scale, got {}", printable(tensor.name), row,
              scales.back());
  }
  return scales;
}

void require_finite(const TensorView& tensor, int64_t row, std::span<const float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      bad_input("{}: row {}, column {}: expected a finite weight, got {}", printable(tensor.name),
                row, i, values[i]);
    }
  }
}

}  // namespace

void ExactTernary::add(std::span<const float> values) {
  if (odd_index_ < 0) {
    for (size_t i = 0; i < values.size(); ++i) {
      const float magnitude = std::fabs(values[i]);
      if (magnitude == magnitude_ || magnitude == 0.0f) continue;
      if (magnitude_ == 0.0f && std::isfinite(magnitude)) {
        magnitude_ = magnitude;
        continue;
      }
      odd_index_ = count_ + static_cast<int64_t>(i);
      odd_value_ = values[i];
      break;
    }
  }
  count_ += static_cast<int64_t>(values.size());
}

std::optional<float> ExactTernary::scale() const {
  if (odd_index_ >= 0) return std::nullopt;
  return magnitude_;
}

std::optional<float> exact_ternary_scale(std::span<const float> values) {
  ExactTernary ternary;
  ternary.add(values);
  return ternary.scale();
}

TernaryRule TernaryRule::from_sum(double sum_of_magnitudes, int64_t count) {
  const float mean =
      count > 0 ? static_cast<float>(sum_of_magnitudes / static_cast<double>(count)) : 0.0f;
  TernaryRule rule;
  rule.inverse = 1.0f / std::max(mean, kSmallestMean);
  rule.scale = 1.0f / rule.inverse;
  return rule;
}

double sum_of_magnitudes(std::span<const float> row) {
  std::array<double, 8> sums{};
  size_t i = 0;
  for (; i + sums.size() <= row.size(); i += sums.size()) {
    for (size_t lane = 0; lane < sums.size(); ++lane) {
      sums[lane] += static_cast<double>(std::fabs(row[i + lane]));
    }
  }
  for (size_t lane = 0; i < row.size(); ++i, ++lane) {
    sums[lane] += static_cast<double>(std::fabs(row[i]));
  }
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}

bool has_row_scales(Id id) { return id == Id::iq1_bn || id == Id::iq2_bn; }

void check_ternary_codes(const TensorView& tensor) {
  const int64_t rows = tensor.rows();
  const int64_t columns = tensor.columns();
  std::optional<int64_t> index;
  if (tensor.codec == Id::i2_s) {
    index = I2_S::invalid_element(tensor.bytes.data(), rows, columns);
  } else if (tensor.codec == Id::i2_s_rows4) {
    index = I2_S_Rows4::invalid_element(tensor.bytes.data(), rows, columns);
  } else if (tensor.codec == Id::i2_s_arm) {
    index = I2_S_Arm::invalid_element(tensor.bytes.data(), rows, columns);
  } else if (tensor.codec == Id::hf_ternary) {
    index = HfTernary::invalid_element(tensor.bytes.data(), rows, columns);
  } else if (tensor.codec == Id::iq2_bn) {
    index = IQ2_BN::invalid_element(tensor.bytes.data(), rows, columns);
  }
  if (index) {
    bad_input("{}: row {}, column {}: expected a code 0, 1 or 2 ({}), got 3",
              printable(tensor.name), *index / columns, *index % columns, get(tensor.codec).name);
  }
}

TernarySource::TernarySource(const TensorView& tensor) : tensor_(tensor) {
  const auto bytes = get(tensor.codec).tensor_bytes(rows(), columns());
  BITTERN_CHECK(bytes && static_cast<uint64_t>(*bytes) <= tensor.bytes.size(),
                "{}: {} bytes for {} x {}", printable(tensor.name), tensor.bytes.size(), rows(),
                columns());
  check_ternary_codes(tensor);
  if (has_row_scales(tensor.codec) && rows() > 0) {
    exact_ = true;
    row_scales_ = stored_row_scales(tensor);
    rule_.scale = *std::max_element(row_scales_.begin(), row_scales_.end());
    return;
  }
  if (const StoredScale stored = stored_scale(tensor); stored.applies) {
    exact_ = true;
    rule_.scale = stored.magnitude * std::fabs(tensor.scale);
    if (!std::isfinite(rule_.scale)) {
      bad_input("{}: expected a finite scale, got {}", printable(tensor.name), rule_.scale);
    }
    return;
  }
  ExactTernary ternary;
  double sum = 0.0;
  std::vector<float> values(static_cast<size_t>(columns()));
  for (int64_t row = 0; row < rows(); ++row) {
    decode_rows(tensor_, row, 1, values.data());
    ternary.add(values);
    const double row_sum = sum_of_magnitudes(values);
    if (!std::isfinite(row_sum)) require_finite(tensor_, row, values);
    sum += row_sum;
  }
  exact_ = ternary.scale().has_value();
  if (exact_) {
    rule_.scale = *ternary.scale();
  } else {
    rule_ = TernaryRule::from_sum(sum, tensor_.elements());
  }
}

void TernarySource::codes(int64_t row, int8_t* out) const {
  std::vector<float> values(static_cast<size_t>(columns()));
  decode_rows(tensor_, row, 1, values.data());
  if (exact_) {
    for (const float value : values) *out++ = static_cast<int8_t>((value > 0.0f) - (value < 0.0f));
  } else {
    for (const float value : values) *out++ = rule_.code(value);
  }
}

}  // namespace bittern::codec
