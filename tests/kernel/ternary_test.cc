// Ternary products of every instruction set and layout against a plain integer loop over the
// unpacked codes, on odd and adversarial shapes, with every buffer ending at a guard page
// (guarantee G1).
#include <cmath>
#include <functional>

#include "base/cpu.h"
#include "kernel/kernel_support.h"
#include "kernel/pack.h"

namespace bittern::kernel {
namespace {

struct TernaryCase {
  int64_t columns = 0;
  int64_t rows = 0;
  int64_t strips = 1;
  std::vector<int8_t> weights;  // [strips * 16, columns]
  std::vector<int8_t> codes;    // [rows, columns]
};

using Fill = std::function<int8_t(int64_t)>;

struct Shape {
  int64_t columns, rows, strips = 1;
};

TernaryCase make_case(const Shape& shape, const Fill& weight, const Fill& code) {
  TernaryCase made{shape.columns, shape.rows, shape.strips, {}, {}};
  for (int64_t i = 0; i < made.strips * kStripRows * made.columns; ++i)
    made.weights.push_back(weight(i));
  for (int64_t i = 0; i < made.rows * made.columns; ++i) made.codes.push_back(code(i));
  return made;
}

// What runs on a layout.
struct Product {
  void (*dots)(const TernaryDots&);
  int64_t (*strip_bytes)(int64_t columns);
  void (*pack)(const int8_t* codes, int64_t rows, int64_t columns, uint8_t* strip);
};

void check(const Product& product, const TernaryCase& made) {
  const int64_t padded = t2_columns(made.columns);
  // Strips may stand apart: what is between them is not looked at.
  const int64_t strip_bytes = product.strip_bytes(made.columns) + (made.strips > 1 ? 64 : 0);
  Guarded<uint8_t> strips(made.strips * strip_bytes - (made.strips > 1 ? 64 : 0));
  for (int64_t s = 0; s < made.strips; ++s) {
    product.pack(&made.weights[static_cast<size_t>(s * kStripRows * made.columns)], kStripRows,
                 made.columns, strips.data() + s * strip_bytes);
  }
  Guarded<int8_t> codes(made.rows * padded);
  Guarded<int32_t> sums(made.rows);
  for (int64_t m = 0; m < made.rows; ++m) {
    for (int64_t k = 0; k < made.columns; ++k) {
      codes[m * padded + k] = made.codes[static_cast<size_t>(m * made.columns + k)];
      sums[m] += codes[m * padded + k];
    }
  }
  Guarded<int32_t> out(made.strips * made.rows * kStripRows);
  product.dots({strips.data(), made.strips, strip_bytes, padded, codes.data(), sums.data(),
                made.rows, out.data()});
  for (int64_t n = 0; n < made.strips * kStripRows; ++n) {
    for (int64_t m = 0; m < made.rows; ++m) {
      const int8_t* weights = &made.weights[static_cast<size_t>(n * made.columns)];
      const int8_t* row = &made.codes[static_cast<size_t>(m * made.columns)];
      int64_t expected = 0;
      for (int64_t k = 0; k < made.columns; ++k) expected += int64_t{weights[k]} * row[k];
      const int64_t at = (n / kStripRows * made.rows + m) * kStripRows + n % kStripRows;
      ASSERT_EQ(out[at], expected) << "row " << m << ", output " << n;
    }
  }
}

// Every kernel of this build: T2 by instruction set, T1.6 as "dense".
struct Kernel {
  const char* name;
  uint64_t features;
  const TernaryKernels* ternary;
  const DenseTernary* dense;
};
constexpr Kernel kKernels[] = {
    {"scalar", 0, &scalar_ternary, nullptr},
    {"dense_scalar", 0, nullptr, &scalar_dense},
#if defined(__x86_64__)
    {"avx2", cpu::kAvx2 | cpu::kFma, &avx2_ternary, nullptr},
    {"avxvnni", cpu::kAvx2 | cpu::kFma | cpu::kAvxVnni, &avxvnni_ternary, nullptr},
    {"avx512", cpu::kAvx512BW | cpu::kAvx512Vnni, &avx512_ternary, nullptr},
    {"dense_avx512vbmi", cpu::kAvx512BW | cpu::kAvx512Vnni | cpu::kAvx512Vbmi, nullptr,
     &avx512vbmi_dense},
    {"avx512dual", cpu::kAvx512BW | cpu::kAvx512Vnni, &avx512dual_ternary, nullptr},
    {"dense_avx512gfni", cpu::kAvx512BW | cpu::kAvx512Vnni | cpu::kAvx512Vbmi | cpu::kGfni, nullptr,
     &avx512gfni_dense},
    {"amx", cpu::kAvx512BW | cpu::kAvx512Vnni | AmxEmulator::kFeatures, &amx_ternary, nullptr},
    {"dense_amxvbmi",
     cpu::kAvx512BW | cpu::kAvx512Vnni | cpu::kAvx512Vbmi | cpu::kGfni | AmxEmulator::kFeatures,
     nullptr, &amxvbmi_dense},
#elif defined(__aarch64__)
    {"neon", cpu::kDotProd, &neon_ternary, nullptr},
    {"neoni8mm", cpu::kDotProd | cpu::kI8mm, &neoni8mm_ternary, nullptr},
#endif
};

std::string kernel_name(const testing::TestParamInfo<Kernel>& info) { return info.param.name; }

class TernaryKernel : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    const uint64_t missing = GetParam().features & ~cpu::detect_features();
    emulator_ = AmxEmulator::for_missing(missing);
    if (missing != 0 && !emulator_) GTEST_SKIP() << GetParam().name << " not on this machine";
  }
  Product product() const {
    const Kernel& kernel = GetParam();
    if (kernel.ternary != nullptr) return {kernel.ternary->dots, t2_strip_bytes, t2_pack_strip};
    return {kernel.dense->dots, t16_strip_bytes, t16_pack_strip};
  }

 private:
  std::unique_ptr<AmxEmulator> emulator_;
};
INSTANTIATE_TEST_SUITE_P(Kernels, TernaryKernel, testing::ValuesIn(kKernels), kernel_name);

TEST_P(TernaryKernel, RandomOnOddShapes) {
  random::Sequence draw(11);
  const Fill weight = [&](int64_t) { return static_cast<int8_t>(int(draw.below(3)) - 1); };
  const Fill code = [&](int64_t) { return static_cast<int8_t>(int(draw.below(255)) - 127); };
  // 960 columns are a panel of many rows, 80 a block of T1.6.
  for (const int64_t columns : {1, 63, 64, 65, 127, 256, 320, 959, 961, 1985}) {
    for (const int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 17, 33}) {
      for (const int64_t strips : {1, 4, 6}) {
        SCOPED_TRACE(testing::Message() << "seed 11, " << columns << " columns, " << rows
                                        << " rows, " << strips << " strips");
        check(product(), make_case({columns, rows, strips}, weight, code));
      }
    }
  }
}

TEST_P(TernaryKernel, Extremes) {
  random::Sequence draw(12);
  const Fill random_weight = [&](int64_t) { return static_cast<int8_t>(int(draw.below(3)) - 1); };
  const auto always = [](int8_t value) { return [value](int64_t) { return value; }; };
  const Fill one_huge = [](int64_t i) { return static_cast<int8_t>(i == 100 ? 127 : 0); };
  for (const int64_t columns : {65, 4097}) {
    for (const int64_t rows : {1, 2, 4, 5, 9}) {
      for (const Fill& weight :
           {Fill(always(1)), Fill(always(-1)), Fill(always(0)), random_weight}) {
        for (const Fill& code :
             {Fill(always(127)), Fill(always(-127)), Fill(always(1)), Fill(always(0)), one_huge}) {
          check(product(), make_case({columns, rows}, weight, code));
        }
      }
    }
  }
}

// Each of the 243 bytes of T1.6 in every place of a block: row n has the digits of n + 16 * s.
TEST_P(TernaryKernel, EveryByte) {
  constexpr int kDigit[] = {1, 3, 9, 27, 81};
  const Fill weight = [&](int64_t i) {
    const int64_t output = i / 160, column = i % 160 % 80;
    const int64_t digit = column < 64 ? column % 16 / 4 : 4;
    return static_cast<int8_t>(output / kDigit[digit] % 3 - 1);
  };
  const Fill code = [](int64_t i) { return static_cast<int8_t>(i * 37 % 255 - 127); };
  for (const int64_t rows : {1, 4, 7}) check(product(), make_case({160, rows, 16}, weight, code));
}

// As many columns as there may be: partial sums pass 2^24, and the plane of weight 64 reaches
// 2^31 - 2^24.
TEST_P(TernaryKernel, VeryLongRows) {
  const auto always = [](int8_t value) { return [value](int64_t) { return value; }; };
  for (const int64_t rows : {1, 7}) {
    const Shape shape = {kMaxTernaryColumns, rows};
    check(product(), make_case(shape, always(1), always(127)));
    check(product(), make_case(shape, always(1), always(-127)));
    check(product(), make_case(shape, always(-1), always(127)));
  }
}

class TernaryScaling : public TernaryKernel {};
INSTANTIATE_TEST_SUITE_P(Kernels, TernaryScaling, testing::ValuesIn(kKernels), kernel_name);

// The chain of roundings, in the documented order, equals the same chain written out here.
TEST_P(TernaryScaling, Order) {
  if (GetParam().ternary == nullptr) return;
  random::Sequence draw(13);
  for (const int64_t outputs : {1, 15, 16}) {
    const int64_t rows = 3, stride = outputs + 2;
    Guarded<int32_t> dots(rows * kStripRows);
    for (int64_t i = 0; i < dots.size(); ++i)
      dots[i] = static_cast<int32_t>(draw.below(1u << 30)) - (1 << 29);
    const Guarded<float> inverse(random_floats(draw, rows, 0.1f));
    const Guarded<float> scales(random_floats(draw, kStripRows, 0.8f));
    const Guarded<float> bias(random_floats(draw, outputs, 3.0f));
    for (const bool with_bias : {false, true}) {
      Guarded<float> out(rows * stride - 2);
      GetParam().ternary->scale({dots.data(), rows, outputs, inverse.data(), scales.data(),
                                 with_bias ? bias.data() : nullptr, out.data(), stride});
      for (int64_t m = 0; m < rows; ++m) {
        for (int64_t n = 0; n < outputs; ++n) {
          volatile float expected = static_cast<float>(dots[m * kStripRows + n]);
          expected = expected * inverse[m];
          expected = expected * scales[n];
          if (with_bias) expected = expected + bias[n];
          ASSERT_EQ(out[m * stride + n], expected) << m << ", " << n;
        }
        if (m + 1 == rows) continue;
        ASSERT_EQ(out[m * stride + outputs], 0.0f) << "written past the strip";
      }
    }
  }
}

}  // namespace
}  // namespace bittern::kernel
