// Checks of float products: real-valued weights of every format, and bf16 as the units for it
// compute it. Every fill, any bits of weights, rows of up to 131072 columns; what stands between
// rows is poison (NaN, or codes that would be seen), the end a guard page.
#include <cmath>
#include <limits>
#include <memory>

#include "base/cpu.h"
#include "base/half.h"
#include "kernel/amx_emulator_support.h"
#include "kernel/bf16.h"
#include "kernel/entry_checks.h"
#include "kernel/real.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kLong = 131072;

struct Shape {
  int64_t columns, rows, strips;
};

// ---- real-valued weights

struct RealCase {
  const char* name;  // of RealFormat
  RealFormat format;
  int64_t bytes;
};
constexpr RealCase kRealCases[] = {
    {"f32", RealFormat::f32, 4},
    {"f16", RealFormat::f16, 2},
    {"bf16", RealFormat::bf16, 2},
    {"f8_e4m3", RealFormat::f8_e4m3, 1},
    {"f8_e5m2", RealFormat::f8_e5m2, 1},
    {"f8_e4m3fnuz", RealFormat::f8_e4m3fnuz, 1},
    {"f8_e5m2fnuz", RealFormat::f8_e5m2fnuz, 1},
};

// Any bits, or only such as keep every format finite and small.
std::vector<uint8_t> weight_bytes(random::Sequence& draw, const RealCase& format, int64_t count,
                                  bool any) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count * format.bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const bool top = static_cast<int64_t>(i) % format.bytes == format.bytes - 1;
    bytes[i] = static_cast<uint8_t>(draw.below(256) & (any || !top ? 0xff : 0xbb));
  }
  return bytes;
}

void check_real(const Table& table, const RealCase& format, const Shape& shape, const Fill& fill,
                bool any, random::Sequence& draw) {
  const int64_t columns = shape.columns, outputs = shape.strips, rows = shape.rows;
  std::vector<std::unique_ptr<Guarded<uint8_t>>> weights;
  const uint8_t* at[kRealOutputs];
  for (int64_t n = 0; n < outputs; ++n) {  // each at an address of its own oddness, before a guard
    weights.push_back(std::make_unique<Guarded<uint8_t>>(weight_bytes(draw, format, columns, any)));
    at[n] = weights.back()->data();
  }
  const int64_t apart = columns + 3, stride = outputs + 2;
  std::vector<float> values;
  for (int64_t m = 0; m < rows; ++m) {
    const std::vector<float> row = fill.make(draw, columns);
    values.insert(values.end(), row.begin(), row.end());
    if (m + 1 < rows) values.insert(values.end(), 3, std::numeric_limits<float>::quiet_NaN());
  }
  const Guarded<float> in(values), bias(random_floats(draw, outputs, 1.0f));
  Guarded<float> scratch(kRealScratch);
  const auto run = [&](const RealKernels& kernels) {
    Guarded<float> out(std::vector<float>(static_cast<size_t>(rows * stride - 2), -5.0f));
    kernels.dots({.format = format.format,
                  .weights = at,
                  .outputs = outputs,
                  .columns = columns,
                  .scale = rows % 2 == 0 ? 0.37f : 1.0f,
                  .in = in.data(),
                  .rows = rows,
                  .in_stride = apart,
                  .bias = columns % 2 == 0 ? bias.data() : nullptr,
                  .out = out.data(),
                  .stride = stride,
                  .scratch = scratch.data()});
    return out.values();
  };
  ASSERT_TRUE(same_numbers(run(*table.real), run(scalar_real)))
      << format.name << ", " << columns << " columns, " << rows << " rows, " << outputs
      << " outputs, " << fill.name << (any ? ", any weights" : "");
}

void real_dots(const Table& table) {
  random::Sequence draw(96);
  SCOPED_TRACE("seed 96");
  for (const RealCase& format : kRealCases) {
    const auto check = [&](const Shape& shape, const Fill& fill, bool any) {
      if (!testing::Test::HasFatalFailure()) check_real(table, format, shape, fill, any, draw);
    };
    for (const Fill& fill : fills()) {
      for (const bool any : {false, true}) {
        check({33, 1, 5}, fill, any);
        check({270, 3, 2}, fill, any);
        check({31, 22, 3}, fill, any);
      }
    }
    check({kLong, 1, 2}, fills()[0], false);
    check({kLong, 2, 1}, fills()[0], false);
    check({kLong / 4 + 5, 18, 1}, fills()[0], false);
  }
}

// ---- bf16 on units for it

uint64_t features_of(Bf16Needs needs) {
  switch (needs) {
    case Bf16Needs::nothing:
      return 0;
    case Bf16Needs::avx512_bf16:
      return cpu::kAvx512Bf16;
    case Bf16Needs::amx_bf16:
      return cpu::kAvx512Bf16 | cpu::kAmxTile | cpu::kAmxBf16 | cpu::kAmxPermission;
  }
  return 0;
}

// Each kernel that the table may choose against the truth of its order.
template <typename Check>
void for_each_bf16(const Table& table, const Check& check) {
  for (const Bf16Kernels* kernels = table.bf16; kernels != nullptr; kernels = kernels->fallback) {
    const uint64_t missing = features_of(kernels->needs) & ~cpu::detect_features();
    const auto emulator = AmxEmulator::for_missing(missing);
    if (missing != 0 && !emulator) continue;
    check(*kernels, kernels->order == Bf16Order::tiles ? scalar_tilebfloat : scalar_bfloat);
  }
}

void bf16_encode(const Table& table) {
  random::Sequence draw(103);
  SCOPED_TRACE("seed 103");
  for_each_bf16(table, [&](const Bf16Kernels& kernels, const Bf16Kernels& truth) {
    for (const Fill& fill : fills()) {
      for (const int64_t width : {1, 15, 31, 32, 33, 255, 257, 700}) {
        const Guarded<float> in(fill.make(draw, width));
        const int64_t panels = (width + kBf16Panel - 1) / kBf16Panel, pitch = 2;
        const auto run = [&](const Bf16Kernels& with) {
          Guarded<uint16_t> codes(((panels - 1) * pitch + 1) * kBf16Panel);
          with.encode(in.data(), width, pitch, codes.data());
          std::vector<float> values;
          for (int64_t i = 0; i < codes.size(); ++i) values.push_back(bf16_to_f32(codes[i]));
          return values;
        };
        ASSERT_TRUE(same_numbers(run(kernels), run(truth)))
            << kernels.name << ", " << fill.name << ", width " << width;
      }
    }
  });
}

void check_bf16(const Bf16Kernels& kernels, const Bf16Kernels& truth, const Shape& shape,
                const Fill& fill, random::Sequence& draw) {
  const int64_t panels = (shape.columns + kBf16Panel - 1) / kBf16Panel;
  const int64_t padded = (shape.columns + kBf16Chunk - 1) / kBf16Chunk * kBf16Chunk;
  const int64_t outputs = shape.strips * kBf16Outputs - 3, stride = outputs + 2;
  Guarded<uint16_t> strips(shape.strips * kBf16Outputs * padded);
  const std::vector<float> weights = fill.make(draw, strips.size());
  for (int64_t i = 0; i < strips.size(); ++i) {
    // Of strip and line: 16 outputs of two columns.
    const int64_t column = i / 32 % (padded / 2) * 2 + i % 2;
    strips[i] = column < shape.columns ? f32_to_bf16(weights[static_cast<size_t>(i)]) : uint16_t{0};
  }
  Guarded<uint16_t> codes(panels * shape.rows * kBf16Panel);
  for (int64_t m = 0; m < shape.rows; ++m) {
    const Guarded<float> row(fill.make(draw, shape.columns));
    scalar_bfloat.encode(row.data(), shape.columns, shape.rows, codes.data() + m * kBf16Panel);
  }
  const Guarded<float> bias(random_floats(draw, outputs, 1.0f));
  Guarded<float> scratch(kBf16Scratch);
  const auto run = [&](const Bf16Kernels& with) {
    Guarded<float> out(std::vector<float>(static_cast<size_t>(shape.rows * stride - 2), -5.0f));
    with.dots({.strips = reinterpret_cast<const uint8_t*>(strips.data()),
               .strip_count = shape.strips,
               .columns = padded,
               .codes = codes.data(),
               .pitch = shape.rows,
               .rows = shape.rows,
               .outputs = outputs,
               .bias = shape.rows % 2 == 0 ? bias.data() : nullptr,
               .out = out.data(),
               .stride = stride,
               .scratch = scratch.data()});
    return out.values();
  };
  ASSERT_TRUE(same_numbers(run(kernels), run(truth)))
      << kernels.name << ", " << shape.columns << " columns, " << shape.rows << " rows, "
      << shape.strips << " strips, " << fill.name;
}

void bf16_dots(const Table& table) {
  random::Sequence draw(104);
  SCOPED_TRACE("seed 104");
  for_each_bf16(table, [&](const Bf16Kernels& kernels, const Bf16Kernels& truth) {
    const auto check = [&](const Shape& shape, const Fill& fill) {
      if (!testing::Test::HasFatalFailure()) check_bf16(kernels, truth, shape, fill, draw);
    };
    for (const Fill& fill : fills()) {
      check({33, 1, 3}, fill);
      check({290, 6, 2}, fill);
      check({64, 21, 1}, fill);
    }
    check({kLong, 1, 1}, fills()[0]);
    check({kLong / 8, 3, 2}, fills()[0]);
  });
}

constexpr EntryCheck kChecks[] = {
    {"RealKernels.dots", real_dots},
    {"Bf16Kernels.dots", bf16_dots},
    {"Bf16Kernels.encode", bf16_encode},
};

}  // namespace

std::span<const EntryCheck> float_checks() { return kChecks; }

}  // namespace bittern::kernel
