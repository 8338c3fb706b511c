// Attention kernels: every ISA against the arithmetic of kernel/attention.h written out plainly,
// bit for bit, with guard pages behind every buffer.
#include "kernel/attention.h"

#include <bit>
#include <cmath>
#include <limits>

#include "attention_power.h"
#include "base/cpu.h"
#include "base/half.h"
#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

using test::attention_power;

struct Candidate {
  const AttentionKernels* kernels;
  uint64_t features;
};
#if defined(__x86_64__)
constexpr uint64_t kAvx2 = cpu::kAvx2 | cpu::kFma | cpu::kF16c;
constexpr uint64_t kAvx512 =
    kAvx2 | cpu::kAvx512F | cpu::kAvx512BW | cpu::kAvx512VL | cpu::kAvx512DQ | cpu::kAvx512Vnni;
const Candidate kCandidates[] = {
    {&scalar_attention, 0},
    {&avx2_attention, kAvx2},
    {&avxvnni_attention, kAvx2 | cpu::kAvxVnni},
    {&avx512_attention, kAvx512},
    {&amx_attention, kAvx512 | cpu::kAmxTile | cpu::kAmxInt8 | cpu::kAmxPermission},
};
#elif defined(__aarch64__)
const Candidate kCandidates[] = {{&scalar_attention, 0}, {&neon_attention, cpu::kDotProd}};
#else
const Candidate kCandidates[] = {{&scalar_attention, 0}};
#endif

class AttentionKernel : public testing::TestWithParam<Candidate> {
 protected:
  void SetUp() override {
    const uint64_t missing = GetParam().features & ~cpu::detect_features();
    emulator_ = AmxEmulator::for_missing(missing);
    if (missing != 0 && !emulator_)
      GTEST_SKIP() << GetParam().kernels->name << " not on this machine";
  }
  const AttentionKernels& kernels() const { return *GetParam().kernels; }

 private:
  std::unique_ptr<AmxEmulator> emulator_;
};
std::string candidate_name(const testing::TestParamInfo<Candidate>& test) {
  std::string name = test.param.kernels->name;
  std::erase(name, '-');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Isa, AttentionKernel, testing::ValuesIn(kCandidates), candidate_name);

constexpr int64_t kQueryCounts[] = {1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 48};

template <typename T>
void fill_codes(random::Sequence& draw, const Guarded<T>& codes, int low, int high) {
  for (int64_t i = 0; i < codes.size(); ++i)
    codes[i] =
        static_cast<T>(low + static_cast<int>(draw.below(static_cast<uint64_t>(high - low) + 1)));
}

// Three pieces of a panel in one go: rows 0 to 4, 5 to 9, 20 to the last.
struct Pieces {
  PanelPiece piece[3];

  Pieces(const uint8_t* panel, int64_t rows, int64_t row_bytes) {
    const int64_t first[] = {0, 5, 20}, end[] = {5, 10, rows};
    for (int i = 0; i < 3; ++i)
      piece[i] = {panel + first[i] * row_bytes, first[i], end[i] - first[i], panel};
  }
  bool has(int64_t row) const {
    for (const PanelPiece& p : piece)
      if (row >= p.first && row < p.first + p.count) return true;
    return false;
  }
};

// Elements of the panel as floats; `bytes` of them where they lie.
void check_products(const AttentionKernels& kernels, bool halves, int64_t queries, int64_t columns,
                    bool accumulate) {
  constexpr int64_t kRows = 177, kStride = 180, kOutStride = 70;
  random::Sequence draw(71);
  const int64_t elements = kRows * columns;
  const Guarded<float> values(random_floats(draw, elements, 2.0f));
  const Guarded<uint16_t> coded(elements);
  for (int64_t i = 0; halves && i < elements; ++i) {
    coded[i] = f32_to_f16(values[i]);
    values[i] = f16_to_f32(coded[i]);
  }
  const auto* panel = halves ? reinterpret_cast<const uint8_t*>(coded.data())
                             : reinterpret_cast<const uint8_t*>(values.data());
  const Pieces pieces(panel, kRows, columns * (halves ? 2 : 4));
  const Guarded<float> in(random_floats(draw, (queries - 1) * kStride + kRows, 1.0f));
  const std::vector<float> before = random_floats(draw, (queries - 1) * kOutStride + columns, 1.0f);
  const Guarded<float> out(before);
  const PanelProduct job = {.in = in.data(),
                            .in_stride = kStride,
                            .queries = queries,
                            .pieces = pieces.piece,
                            .piece_count = 3,
                            .columns = columns,
                            .accumulate = accumulate,
                            .out = out.data(),
                            .out_stride = kOutStride};
  (halves ? kernels.products_f16 : kernels.products_f32)(job);

  std::vector<float> expected = before;
  for (int64_t m = 0; m < queries; ++m) {
    for (int64_t c = 0; c < columns; ++c) {
      float& total = expected[static_cast<size_t>(m * kOutStride + c)];
      if (!accumulate) total = 0.0f;
      for (int64_t r = 0; r < kRows; ++r) {
        if (pieces.has(r)) total = std::fmaf(in[m * kStride + r], values[r * columns + c], total);
      }
    }
  }
  ASSERT_TRUE(same_bits(out.values(), expected));
}

TEST_P(AttentionKernel, ProductsAreOneChainPerOutput) {
  for (const int64_t queries : kQueryCounts) {
    for (const int64_t columns : {16, 32, 48, 64}) {
      for (const bool halves : {false, true}) {
        SCOPED_TRACE(testing::Message() << "seed 71, " << queries << " queries, " << columns
                                        << " columns, " << (halves ? "f16" : "f32"));
        check_products(kernels(), halves, queries, columns, columns % 32 == 0);
      }
    }
  }
}

// Codes of the ends of their ranges make the largest sums there are.
TEST_P(AttentionKernel, KeyDotsAreExact) {
  random::Sequence draw(72);
  for (const int64_t queries : kQueryCounts) {
    for (const int64_t rows : {1, 4, 5, 20, 32, 64}) {
      for (const int extreme : {0, 127, -127}) {
        SCOPED_TRACE(testing::Message()
                     << "seed 72, " << queries << " queries, " << rows << " rows, " << extreme);
        const int64_t stride = rows * 4 + 8;
        const Guarded<int8_t> codes((queries - 1) * stride + rows * 4);
        const Guarded<uint8_t> keys(rows * 256);
        const Guarded<float> scales(random_floats(draw, 64, 0.01f));
        fill_codes(draw, codes, -127, 127);
        fill_codes(draw, keys, 1, 255);
        for (int64_t i = 0; extreme != 0 && i < codes.size(); ++i)
          codes[i] = static_cast<int8_t>(extreme);
        for (int64_t i = 0; extreme != 0 && i < keys.size(); ++i) keys[i] = 255;
        const Guarded<int32_t> sums(queries);
        for (int64_t m = 0; m < queries; ++m) {
          sums[m] = 0;
          for (int64_t d = 0; d < rows * 4; ++d) sums[m] += codes[m * stride + d];
        }
        const Guarded<float> out((queries - 1) * 256 + 64);
        kernels().key_dots({.codes = codes.data(),
                            .code_stride = stride,
                            .sums = sums.data(),
                            .queries = queries,
                            .keys = keys.data(),
                            .rows = rows,
                            .next = keys.data(),
                            .scales = scales.data(),
                            .out = out.data(),
                            .out_stride = 256});
        for (int64_t m = 0; m < queries; ++m) {
          for (int64_t n = 0; n < 64; ++n) {
            int64_t dot = 0;
            for (int64_t d = 0; d < rows * 4; ++d)
              dot += codes[m * stride + d] * (keys[d / 4 * 256 + n * 4 + d % 4] - 128);
            ASSERT_EQ(out[m * 256 + n], static_cast<float>(dot) * scales[n]) << m << ", " << n;
          }
        }
      }
    }
  }
}

TEST_P(AttentionKernel, ValueDotsAreExact) {
  random::Sequence draw(73);
  for (const int64_t queries : kQueryCounts) {
    for (const int64_t columns : {16, 32, 48, 64}) {
      for (const bool extreme : {false, true}) {
        SCOPED_TRACE(testing::Message() << "seed 73, " << queries << " queries, " << columns
                                        << " columns, extreme " << extreme);
        constexpr int64_t kRows = kAttendChunk / 2;
        const Guarded<int16_t> codes(queries * kAttendChunk);
        const Guarded<int8_t> values(kRows * columns * 2);
        const Guarded<float> factors(random_floats(draw, queries, 0.01f));
        fill_codes(draw, codes, 0, 32767);
        fill_codes(draw, values, -127, 127);
        for (int64_t i = 0; extreme && i < codes.size(); ++i) codes[i] = 32767;
        for (int64_t i = 0; extreme && i < values.size(); ++i) values[i] = -127;
        const Pieces some(reinterpret_cast<const uint8_t*>(values.data()), kRows, columns * 2);
        const PanelPiece all = {values.data(), 0, kRows, values.data()};
        const Guarded<float> out((queries - 1) * 70 + columns);
        kernels().value_dots({.codes = codes.data(),
                              .factors = factors.data(),
                              .queries = queries,
                              .pieces = extreme ? &all : some.piece,
                              .piece_count = extreme ? 1 : 3,
                              .columns = columns,
                              .out = out.data(),
                              .out_stride = 70});
        for (int64_t m = 0; m < queries; ++m) {
          for (int64_t c = 0; c < columns; ++c) {
            int64_t dot = 0;
            for (int64_t t = 0; t < kAttendChunk; ++t) {
              if (extreme || some.has(t / 2))
                dot += codes[m * kAttendChunk + t] * values[(t / 2 * columns + c) * 2 + t % 2];
            }
            ASSERT_EQ(out[m * 70 + c], static_cast<float>(dot) * factors[m]) << m << ", " << c;
          }
        }
      }
    }
  }
}

float tree(float* lanes) {
  for (int width = 8; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lanes[l] = lanes[l] + lanes[l + width];
  }
  return lanes[0];
}

constexpr int64_t kRanges[][2] = {{0, 256},  {0, 1},   {255, 256}, {5, 9},
                                  {17, 200}, {16, 48}, {0, 15}};

TEST_P(AttentionKernel, SoftmaxInTheDocumentedOrder) {
  random::Sequence draw(74);
  for (const auto& [begin, end] : kRanges) {
    for (const float range : {1.0f, 40.0f, 400.0f}) {
      SCOPED_TRACE(testing::Message() << "seed 74, [" << begin << ", " << end << "), " << range);
      const Guarded<float> scores(random_floats(draw, kAttendChunk, range));
      for (int64_t i = 0; i < kAttendChunk; ++i) {
        if (i < begin || i >= end) scores[i] = 1e9f;  // what nobody has written may be anything
      }
      const std::vector<float> raw = scores.values();
      ChunkSoftmax job = {.scores = scores.data(),
                          .begin = begin,
                          .end = end,
                          .factor = 0.37f,
                          .softcap = 0.0f,
                          .maximum = 0.0f,
                          .sum = 0.0f};
      kernels().softmax(job);
      float largest = -INFINITY, lanes[16] = {};
      for (int64_t i = begin; i < end; ++i)
        largest = std::max(largest, raw[static_cast<size_t>(i)]);
      const float maximum = largest * 0.37f;
      for (int64_t i = begin; i < end; ++i) {
        const float weight = attention_power(raw[static_cast<size_t>(i)] * 0.37f - maximum);
        lanes[i % 16] += weight;
        ASSERT_EQ(scores[i], weight) << i;
      }
      for (int64_t i = begin / 16 * 16; i < (end + 15) / 16 * 16; ++i) {
        if (i < begin || i >= end) {
          ASSERT_EQ(scores[i], 0.0f) << i;
        }
      }
      ASSERT_EQ(job.maximum, maximum);
      ASSERT_EQ(job.sum, tree(lanes));
    }
  }
}

// Against double: exp2 is within an ulp or two, so are weights and their sum.
TEST_P(AttentionKernel, SoftmaxIsClose) {
  random::Sequence draw(75);
  for (const float softcap : {0.0f, 30.0f}) {
    const Guarded<float> scores(random_floats(draw, kAttendChunk, 50.0f));
    const std::vector<float> raw = scores.values();
    const float scale = softcap > 0.0f ? 1.0f : 1.44269504f;
    ChunkSoftmax job = {.scores = scores.data(),
                        .begin = 0,
                        .end = kAttendChunk,
                        .factor = scale,
                        .softcap = softcap,
                        .maximum = 0.0f,
                        .sum = 0.0f};
    kernels().softmax(job);
    double largest = -INFINITY, sum = 0.0;
    std::vector<double> truth;
    for (const float x : raw) {
      truth.push_back(softcap > 0.0f ? softcap * std::tanh(double{x} / softcap) : double{x});
      largest = std::max(largest, truth.back());
    }
    for (int64_t i = 0; i < kAttendChunk; ++i) {
      const double weight = std::exp(truth[static_cast<size_t>(i)] - largest);
      sum += weight;
      // Scores are rounded, three times with a cap: some 2^-24 of 72 each. Nothing is denormal.
      ASSERT_NEAR(scores[i], weight, std::max(weight * 3e-5, 0x1p-126)) << "seed 75, " << i;
    }
    ASSERT_NEAR(job.sum, sum, sum * 3e-5);
    ASSERT_NEAR(job.maximum, largest * 1.4426950408889634, 3e-5);
  }
}

// Whatever its sign and payload: a payload of low bits must not run into the exponent.
TEST_P(AttentionKernel, SoftmaxKeepsNan) {
  for (const uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fc00001u, 0xffc000ffu, 0x7fffffffu}) {
    const Guarded<float> scores(std::vector<float>(kAttendChunk, 1.0f));
    scores[40] = std::bit_cast<float>(bits);
    ChunkSoftmax job = {scores.data(), 0, kAttendChunk, 1.0f, 0.0f, 0.0f, 0.0f};
    kernels().softmax(job);
    EXPECT_TRUE(std::isnan(scores[40])) << std::hex << bits;
    EXPECT_TRUE(std::isnan(job.sum)) << std::hex << bits;
  }
}

TEST_P(AttentionKernel, ValueCodesInTheDocumentedOrder) {
  random::Sequence draw(76);
  for (const auto& [begin, end] : kRanges) {
    for (const float size : {1.0f, 1e-33f}) {
      SCOPED_TRACE(testing::Message() << "seed 76, [" << begin << ", " << end << "), " << size);
      const Guarded<float> weights(kAttendChunk), scales(kAttendChunk);
      for (int64_t i = 0; i < kAttendChunk; ++i) {
        const bool seen = i >= begin && i < end;
        weights[i] = seen ? static_cast<float>(draw.uniform()) : 0.0f;
        scales[i] = seen ? static_cast<float>(draw.uniform()) * size
                         : std::numeric_limits<float>::infinity();
      }
      const float* pages[] = {scales.data(), scales.data() + 64, scales.data() + 128,
                              scales.data() + 192};
      const Guarded<int16_t> codes(kAttendChunk);
      for (int64_t i = 0; i < kAttendChunk; ++i) codes[i] = -5;
      ValueCodes job = {weights.data(), pages, begin, end, codes.data(), -1.0f};
      kernels().value_codes(job);
      float top = 0.0f;
      for (int64_t i = begin; i < end; ++i) top = std::max(top, weights[i] * scales[i]);
      const bool some = top >= 1e-30f;
      ASSERT_EQ(some, size == 1.0f);
      ASSERT_EQ(job.factor, some ? top / 32767.0f : 0.0f);
      for (int64_t i = 0; i < kAttendChunk; ++i) {
        if (i < begin / 16 * 16 || i >= (end + 15) / 16 * 16) {
          ASSERT_EQ(codes[i], -5) << i;
        } else if (i < begin || i >= end || !some) {
          ASSERT_EQ(codes[i], 0) << i;
        } else {
          const float code = std::nearbyintf(weights[i] * scales[i] * (32767.0f / top));
          ASSERT_EQ(codes[i], static_cast<int16_t>(code)) << i;
        }
      }
    }
  }
}

// One weight of 1 among zeros and scales of `top`.
TEST_P(AttentionKernel, ValueCodesOfEveryTop) {
  random::Sequence draw(78);
  // The least top that has codes is 1e-30: 32767 over a smaller one would overflow.
  std::vector<float> tops = {1e-30f, std::nextafter(1e-30f, 0.0f), 1.5e-30f, 3e38f};
  for (int i = 0; i < 600; ++i) tops.push_back(static_cast<float>(draw.uniform()) + 0.01f);
  for (const float top : tops) {
    const Guarded<float> weights(kAttendChunk), scales(std::vector<float>(kAttendChunk, top));
    weights[70] = 1.0f;
    weights[71] = std::numeric_limits<float>::quiet_NaN();
    const float* pages[] = {scales.data(), scales.data() + 64, scales.data() + 128,
                            scales.data() + 192};
    const Guarded<int16_t> codes(kAttendChunk);
    ValueCodes job = {weights.data(), pages, 0, kAttendChunk, codes.data(), -1.0f};
    kernels().value_codes(job);
    ASSERT_EQ(job.factor, top >= 1e-30f ? top / 32767.0f : 0.0f) << "seed 78";
    ASSERT_EQ(codes[70], top >= 1e-30f ? 32767 : 0) << top;
    ASSERT_EQ(codes[71], 32767) << "NaN has the greatest code";
  }
}

TEST_P(AttentionKernel, SoftmaxOfScoresFarBelowZero) {
  const Guarded<float> scores(std::vector<float>(kAttendChunk, -1e37f));
  ChunkSoftmax job = {scores.data(), 3, 9, 1.0f, 0.0f, 0.0f, 0.0f};
  kernels().softmax(job);
  EXPECT_EQ(job.maximum, -1e37f);
  EXPECT_EQ(job.sum, 6.0f);
}

TEST_P(AttentionKernel, JoinInTheDocumentedOrder) {
  random::Sequence draw(77);
  const float none = -std::numeric_limits<float>::infinity();
  const float maxima[][2] = {{none, 3.0f}, {1.5f, 3.25f}, {3.25f, 1.5f}, {-200.0f, 10.0f},
                             {1.1f, 2.7f}, {0.3f, -0.9f}, {5.5f, 5.1f}};
  for (const auto& [before, now] : maxima) {
    for (const int64_t width : {16, 80, 256}) {
      const Guarded<float> total(random_floats(draw, width, 1.0f));
      const Guarded<float> chunk(random_floats(draw, width, 1.0f));
      for (int64_t i = 0; before == none && i < width; ++i) total[i] = 0.0f;
      const std::vector<float> old = total.values();
      const float old_sum = before == none ? 0.0f : random_floats(draw, 1, 9.0f)[0];
      const float new_sum = random_floats(draw, 1, 9.0f)[0];
      AttendState state = {total.data(), before, old_sum};
      kernels().join(state, {chunk.data(), now, new_sum}, width);
      const float maximum = std::max(before, now);
      const float a = attention_power(before - maximum), b = attention_power(now - maximum);
      EXPECT_EQ(state.maximum, maximum);
      EXPECT_EQ(state.sum, std::fmaf(new_sum, b, old_sum * a));
      for (int64_t i = 0; i < width; ++i)
        ASSERT_EQ(total[i], std::fmaf(chunk[i], b, old[static_cast<size_t>(i)] * a)) << "seed 77";
    }
  }
}

}  // namespace
}  // namespace bittern::kernel
