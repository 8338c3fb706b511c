#include "bench/kernel_probe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/cpu.h"
#include "base/random.h"
#include "bench/probe_families.h"
#include "kernel/bf16.h"
#include "kernel/pack.h"
#include "kernel/real.h"

namespace bittern::bench {
namespace {

// Blocks of Q8_0, the widest of the formats with a fast decoder, take 34 bytes for 32 elements;
// f16 and bf16 two a piece.
constexpr int64_t kMostElementBytes = 2;

std::vector<KernelProbe> all_probes() {
  std::vector<KernelProbe> all;
  for (const auto probes : {linear_probes(), row_probes(), attention_probes()})
    all.insert(all.end(), probes.begin(), probes.end());
  return all;
}

}  // namespace

ProbeData::ProbeData(const ProbeShape& shape) {
  const int64_t elements = std::max({shape.rows * shape.columns, shape.rows * shape.weights,
                                     shape.weights * shape.columns, int64_t{64}});
  const auto count = static_cast<size_t>(elements);
  random::Sequence draw(1);
  const auto fill = [&](std::vector<float>& values) {
    values.resize(count);
    for (float& value : values) value = static_cast<float>(draw.uniform() * 2.0 - 1.0);
  };
  fill(x);
  fill(y);
  fill(z);
  fill(out);
  cosine.assign(count, 0.8f);
  sine.assign(count, 0.6f);
  codes.resize(count);
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(draw.below(255)) - 127);
  sums.assign(count, 0);
  dots.assign(std::max(count, static_cast<size_t>(shape.rows * kernel::kStripRows)), 1000);
  halves.resize(count);
  features = cpu::detect_features();
  scratch.resize(std::max<size_t>(kernel::kRealScratch, kernel::kBf16Scratch + 16));
  // Any byte is a block's; the second of every two gives f16 and bf16 a middling exponent: finite,
  // and not subnormal, which takes some processors a hundred times as long.
  blocks.resize(static_cast<size_t>(elements * kMostElementBytes + 64));
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto byte = static_cast<uint8_t>(draw.below(256) & 0x3b);
    blocks[i] = i % 2 == 0 ? byte : byte | 0x20;
  }

  strips.resize(static_cast<size_t>(kernel::t2_bytes(shape.weights, shape.columns)));
  std::vector<int8_t> ternary(static_cast<size_t>(kernel::kStripRows * shape.columns));
  const int64_t strip_size = kernel::t2_strip_bytes(shape.columns);
  for (size_t at = 0; at < strips.size(); at += static_cast<size_t>(strip_size)) {
    for (int8_t& code : ternary) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
    kernel::t2_pack_strip(ternary.data(), kernel::kStripRows, shape.columns, &strips[at]);
  }
}

std::string KernelProbe::name() const {
  return variant.empty() ? std::string(entry) : fmt::format("{} {}", entry, variant);
}

std::string KernelProbe::shape_text(const ProbeShape& shape) const {
  if (shape.weights > 0) return fmt::format("{}x{}x{}", shape.rows, shape.columns, shape.weights);
  return fmt::format("{}x{}", shape.rows, shape.columns);
}

std::span<const KernelProbe> kernel_probes() {
  static const std::vector<KernelProbe> probes = all_probes();
  return probes;
}

}  // namespace bittern::bench
