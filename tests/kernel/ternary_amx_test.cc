// The tile kernels of ternary weights against the scalar one, its instructions executed in software
// where the processor has none.
#include "base/cpu.h"
#include "kernel/amx_emulator_support.h"
#include "kernel/kernel_support.h"
#include "kernel/pack.h"

namespace bittern::kernel {
namespace {

#if defined(__x86_64__)

struct Layout {
  const char* name;
  void (*dots)(const TernaryDots&);
  int64_t (*strip_bytes)(int64_t columns);
  void (*pack)(const int8_t* codes, int64_t rows, int64_t columns, uint8_t* strip);
};
const Layout kLayouts[] = {
    {"T2", amx_ternary.dots, t2_strip_bytes, t2_pack_strip},
    {"T1.6", amxvbmi_dense.dots, t16_strip_bytes, t16_pack_strip},
};

// One job of random numbers. Where there are two strips and 16 rows, tiles have to run.
void compare(random::Sequence& draw, const Layout& layout, int64_t columns, int64_t strips,
             int64_t rows, bool emulated) {
  std::vector<int8_t> weights(static_cast<size_t>(strips * kStripRows * columns));
  for (int8_t& weight : weights) weight = static_cast<int8_t>(int(draw.below(3)) - 1);
  const int64_t strip_bytes = layout.strip_bytes(columns);
  const Guarded<uint8_t> packed(strips * strip_bytes), plain(strips * t2_strip_bytes(columns));
  for (int64_t strip = 0; strip < strips; ++strip) {
    const int8_t* own = weights.data() + strip * kStripRows * columns;
    layout.pack(own, kStripRows, columns, packed.data() + strip * strip_bytes);
    t2_pack_strip(own, kStripRows, columns, plain.data() + strip * t2_strip_bytes(columns));
  }
  const Guarded<int8_t> codes(rows * columns);
  const Guarded<int32_t> sums(rows);
  for (int64_t i = 0; i < rows * columns; ++i) {
    codes[i] = static_cast<int8_t>(int(draw.below(255)) - 127);
    sums[i / columns] += codes[i];
  }
  const Guarded<int32_t> tiles(strips * rows * kStripRows), truth(tiles.size());
  TernaryDots job = {packed.data(), strips,      strip_bytes, columns,
                     codes.data(),  sums.data(), rows,        tiles.data()};
  const int64_t before = AmxEmulator::executed();
  layout.dots(job);
  if (rows >= 16 && strips >= 2 && emulated) {
    EXPECT_GT(AmxEmulator::executed(), before);
  }
  job.strips = plain.data();
  job.strip_bytes = t2_strip_bytes(columns);
  job.out = truth.data();
  scalar_ternary.dots(job);
  ASSERT_EQ(tiles.values(), truth.values())
      << layout.name << ", " << columns << " columns, " << strips << " strips, " << rows << " rows";
}

TEST(TernaryAmx, EqualsScalar) {
  constexpr uint64_t kNeeds = cpu::kAvx512F | cpu::kAvx512BW | cpu::kAvx512VL | cpu::kAvx512DQ |
                              cpu::kAvx512Vnni | cpu::kAvx512Vbmi | AmxEmulator::kFeatures;
  const uint64_t missing = kNeeds & ~cpu::detect_features();
  const auto emulator = AmxEmulator::for_missing(missing);
  if (missing != 0 && !emulator) GTEST_SKIP() << "no AVX-512 VNNI and VBMI";
  random::Sequence draw(81);
  for (const Layout& layout : kLayouts) {
    SCOPED_TRACE("seed 81");
    for (const int64_t columns : {64, 960, 1024, 1088, 2112}) {
      for (const int64_t rows : {1, 15, 16, 47}) {
        for (const int64_t strips : {2, 3})
          compare(draw, layout, columns, strips, rows, emulator != nullptr);
      }
    }
    for (const int64_t rows : {17, 32, 33, 64}) {
      for (const int64_t strips : {1, 4})
        compare(draw, layout, 192, strips, rows, emulator != nullptr);
    }
  }
}

#endif

}  // namespace
}  // namespace bittern::kernel
