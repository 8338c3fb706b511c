// The tile kernel for ternary weights against the scalar one, its instructions executed in software
// where the processor has none.
#include "base/cpu.h"
#include "kernel/amx_emulator_support.h"
#include "kernel/kernel_support.h"
#include "kernel/pack.h"

namespace bittern::kernel {
namespace {

#if defined(__x86_64__)

TEST(TernaryAmx, EqualsScalar) {
  constexpr uint64_t kVectors =
      cpu::kAvx512F | cpu::kAvx512BW | cpu::kAvx512VL | cpu::kAvx512DQ | cpu::kAvx512Vnni;
  if ((cpu::detect_features() & kVectors) != kVectors) GTEST_SKIP() << "no AVX-512 VNNI";
  const AmxEmulator emulator;
  random::Sequence draw(81);
  for (const int64_t columns : {64, 1024, 1088, 2112}) {
    const int64_t strip_bytes = t2_strip_bytes(columns);
    for (const int64_t strips : {1, 2, 3, 4}) {
      Guarded<uint8_t> packed(strips * strip_bytes);
      std::vector<int8_t> weights(static_cast<size_t>(kStripRows * columns));
      for (int64_t strip = 0; strip < strips; ++strip) {
        for (int8_t& weight : weights) weight = static_cast<int8_t>(int(draw.below(3)) - 1);
        t2_pack_strip(weights.data(), kStripRows, columns, packed.data() + strip * strip_bytes);
      }
      for (const int64_t rows : {1, 15, 16, 17, 32, 33, 47, 64}) {
        SCOPED_TRACE(testing::Message() << "seed 81: " << columns << " columns, " << strips
                                        << " strips, " << rows << " rows");
        Guarded<int8_t> codes(rows * columns);
        Guarded<int32_t> sums(rows);
        for (int64_t i = 0; i < rows * columns; ++i) {
          codes[i] = static_cast<int8_t>(int(draw.below(255)) - 127);
          sums[i / columns] += codes[i];
        }
        const Guarded<int32_t> tiles(strips * rows * kStripRows), truth(tiles.size());
        TernaryDots job = {packed.data(), strips,      strip_bytes, columns,
                           codes.data(),  sums.data(), rows,        tiles.data()};
        const int64_t before = AmxEmulator::executed();
        amx_ternary.dots(job);
        const bool native = (cpu::detect_features() & cpu::kAmxInt8) != 0;
        if (rows >= 16 && strips >= 2 && !native) {
          EXPECT_GT(AmxEmulator::executed(), before);
        }
        job.out = truth.data();
        scalar_ternary.dots(job);
        ASSERT_EQ(tiles.values(), truth.values());
      }
    }
  }
}

#endif

}  // namespace
}  // namespace bittern::kernel
