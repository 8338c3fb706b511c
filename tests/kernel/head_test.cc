// The coarse plane of an output layer: its norms, and a bound that holds where it is hardest, for
// activations that lie along a row's own error.
#include "kernel/head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/cpu.h"
#include "base/random.h"
#include "kernel/block_buffers.h"
#include "kernel/block_pack.h"
#include "kernel/kernel.h"
#include "kernel/select.h"

namespace bittern::kernel {
namespace {

constexpr uint64_t kSeed = 20261121;

struct Strip {
  Strip(const std::vector<float>& rows, int64_t count, int64_t columns)
      : bytes_(static_cast<size_t>(head_strip_bytes(columns)) + 64 + kAhead) {
    auto* at = bytes_.data();
    at += (64 - reinterpret_cast<uintptr_t>(at) % 64) % 64;
    data = at;
    largest = pack_head_strip(rows.data(), count, columns, columns, at);
    std::memcpy(&norms, at + head_norms_offset(columns), sizeof(norms));
    values.resize(static_cast<size_t>(kBlockStripRows * block_count(columns) * kBlockColumns));
    unpack_block_strip(kHeadLayout, at, columns, values.data());
  }
  static constexpr size_t kAhead = 16384;  // prefetched, never read
  std::vector<uint8_t> bytes_;
  const uint8_t* data;
  HeadNorms norms;
  float largest;
  std::vector<float> values;  // what the codes stand for
};

// Coarse logits of a strip for one row of activations, as the backend computes them.
struct Coarse {
  Coarse(const Table& table, const Strip& strip, const std::vector<float>& x) {
    const auto columns = static_cast<int64_t>(x.size());
    const int64_t blocks = block_count(columns);
    BlockBuffers buffers(blocks, 2);
    const BlockRows rows = buffers.rows();
    const HeadCodes head{rows.codes, rows.scales, rows.pitch};
    table.block->quantise(x.data(), columns, blocks, rows);
    std::vector<float> rest(x.size());
    head_rest(x.data(), columns, head, rest.data());
    table.block->quantise(rest.data(), columns, blocks, rows.from(1));
    buffers.make_starts(*table.block, kHeadLayout);
    reach = head_reach(x.data(), columns, head, strip.largest);
    float parts[2 * kBlockStripRows];
    table.block->dots({.layout = &kHeadLayout,
                       .strip = strip.data,
                       .strips = 1,
                       .strip_bytes = head_strip_bytes(columns),
                       .blocks = blocks,
                       .in = rows,
                       .rows = 2,
                       .outputs = kBlockStripRows,
                       .bias = nullptr,
                       .out = parts,
                       .stride = kBlockStripRows});
    for (int64_t n = 0; n < kBlockStripRows; ++n) logits[n] = parts[n] + parts[kBlockStripRows + n];
  }
  HeadReach reach;
  float logits[kBlockStripRows];
};

// Of the sizes of weights that checkpoints have, and with one that sticks out.
std::vector<float> random_rows(random::Sequence& draw, int64_t count, int64_t columns) {
  std::vector<float> rows(static_cast<size_t>(count * columns));
  for (float& value : rows)
    value = static_cast<float>((draw.uniform() + draw.uniform() + draw.uniform() - 1.5) * 0.05);
  rows[draw.below(rows.size())] = 3.0f;
  return rows;
}

TEST(HeadPlane, NormsAreThoseOfTheRowsRoundedUp) {
  random::Sequence draw(kSeed);
  for (const int64_t columns : {1, 31, 128, 129, 256, 700}) {
    const int64_t blocks = block_count(columns) * kBlockColumns;
    const std::vector<float> rows = random_rows(draw, 13, columns);
    const Strip strip(rows, 13, columns);
    for (int64_t n = 0; n < kBlockStripRows; ++n) {
      double error = 0.0, weight = 0.0, whole = 0.0;
      for (int64_t k = 0; k < blocks; ++k) {
        const double coarse = strip.values[static_cast<size_t>(n * blocks + k)];
        const double value =
            n < 13 && k < columns ? rows[static_cast<size_t>(n * columns + k)] : 0.0;
        error += (value - coarse) * (value - coarse);
        weight += coarse * coarse;
        whole += value * value;
      }
      const double is[] = {strip.norms.error[n], strip.norms.weight[n]};
      const double exact[] = {std::sqrt(error), std::sqrt(weight)};
      for (int i = 0; i < 2; ++i) {
        EXPECT_GE(is[i], exact[i]) << columns << ", row " << n;
        EXPECT_LE(is[i], exact[i] * (1.0 + 0x1p-18)) << columns << ", row " << n;
      }
      EXPECT_GE(strip.largest, std::sqrt(whole)) << columns << ", row " << n;
      // 8 bits: steps of 1 / 127 of the largest of 128.
      if (n < 13) {
        EXPECT_LE(exact[0], 0.01 * 3.0 * std::sqrt(static_cast<double>(columns)));
      }
    }
  }
}

TEST(HeadPlane, TheBoundHoldsAlongARowsOwnError) {
  const uint64_t features = cpu::detect_features();
  for (const Candidate& candidate : candidates()) {
    if ((candidate.features & ~features) != 0) continue;
    SCOPED_TRACE(candidate.table->name);
    random::Sequence draw(kSeed + 1);
    for (const int64_t columns : {64, 130, 1000}) {
      const int64_t padded = block_count(columns) * kBlockColumns;
      const std::vector<float> rows = random_rows(draw, kBlockStripRows, columns);
      const Strip strip(rows, kBlockStripRows, columns);
      for (int64_t along = 0; along < kBlockStripRows; ++along) {
        std::vector<float> x(static_cast<size_t>(columns));
        for (int64_t k = 0; k < columns; ++k) {
          const auto at = static_cast<size_t>(along * columns + k);
          x[static_cast<size_t>(k)] =
              100.0f * (rows[at] - strip.values[static_cast<size_t>(along * padded + k)]);
        }
        const Coarse coarse(*candidate.table, strip, x);
        const Coarse truth(scalar_table, strip, x);
        EXPECT_EQ(std::memcmp(coarse.logits, truth.logits, sizeof(truth.logits)), 0);
        for (int64_t n = 0; n < kBlockStripRows; ++n) {
          double full = 0.0;
          for (int64_t k = 0; k < columns; ++k)
            full += double{rows[static_cast<size_t>(n * columns + k)]} * x[static_cast<size_t>(k)];
          const double bound = double{strip.norms.error[n]} * coarse.reach.error +
                               double{strip.norms.weight[n]} * coarse.reach.weight +
                               coarse.reach.absolute + 0x1p-23 * std::abs(coarse.logits[n]);
          const double off = std::abs(full - coarse.logits[n]);
          EXPECT_LE(off, bound) << columns << ", row " << n << " along " << along;
          // And is no larger than it must be: here Cauchy-Schwarz is an equality.
          if (n == along) {
            EXPECT_GE(off, 0.9 * bound) << columns << ", row " << n;
          }
        }
      }
    }
  }
}

// Random activations are 15 bits: what the second row of codes leaves is nothing beside the
// weights' error.
TEST(HeadPlane, ReachOfActivations) {
  random::Sequence draw(kSeed + 2);
  const std::vector<float> rows = random_rows(draw, kBlockStripRows, 512);
  const Strip strip(rows, kBlockStripRows, 512);
  std::vector<float> x(512);
  double norm = 0.0;
  for (float& value : x) {
    value = static_cast<float>(draw.uniform() - 0.5);
    norm += double{value} * value;
  }
  norm = std::sqrt(norm);
  const HeadReach reach = Coarse(scalar_table, strip, x).reach;
  EXPECT_GE(reach.error, norm);
  EXPECT_LE(reach.error, norm * 1.0001);
  EXPECT_LE(reach.weight, norm * 2e-4);
  EXPECT_GE(reach.weight, norm * 512 * 0x1p-24);
  EXPECT_GT(reach.absolute, 0.0f);
}

TEST(HeadPlane, WithoutABoundItIsInfinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> rows(32, 1.0f);
  for (const float bad : {std::nanf(""), kInfinity}) {
    rows[17] = bad;
    EXPECT_EQ(Strip(rows, 1, 32).largest, kInfinity);
  }
  rows[17] = 1.0f;
  const Strip strip(rows, 1, 32);
  for (const float bad : {std::nanf(""), kInfinity, 3e38f}) {
    std::vector<float> x(32, 1.0f);
    x[3] = bad;
    EXPECT_EQ(Coarse(scalar_table, strip, x).reach.error, kInfinity) << bad;
  }
}

}  // namespace
}  // namespace bittern::kernel
