// Facts about the machine. What they must be is not known here, so they are held against what
// the compiler's run time and the kernel's files say, and against each other.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"

namespace bittern {
namespace {

#if defined(__x86_64__)

TEST(Cpu, FeaturesAreThoseTheKernelLists) {
  std::ifstream file("/proc/cpuinfo");
  std::string flags;
  while (std::getline(file, flags) && !flags.starts_with("flags")) {
  }
  if (flags.empty()) GTEST_SKIP() << "no flags in /proc/cpuinfo";
  flags += ' ';
  const auto listed = [&](std::string_view name) {
    return flags.find(fmt::format(" {} ", name)) != std::string::npos;
  };
  const uint64_t features = cpu::detect_features();
  const std::pair<cpu::Feature, std::string_view> rows[] = {
      {cpu::kAvx2, "avx2"},
      {cpu::kFma, "fma"},
      {cpu::kF16c, "f16c"},
      {cpu::kAvx512F, "avx512f"},
      {cpu::kAvx512BW, "avx512bw"},
      {cpu::kAvx512VL, "avx512vl"},
      {cpu::kAvx512DQ, "avx512dq"},
      {cpu::kAvx512Vnni, "avx512_vnni"},
      {cpu::kAvx512Vbmi, "avx512vbmi"},
      {cpu::kAvx512Bf16, "avx512_bf16"},
      {cpu::kGfni, "gfni"},
      {cpu::kAvxVnni, "avx_vnni"},
      {cpu::kAmxTile, "amx_tile"},
      {cpu::kAmxInt8, "amx_int8"},
      {cpu::kAmxBf16, "amx_bf16"},
  };
  for (const auto& [feature, name] : rows)
    EXPECT_EQ((features & feature) != 0, listed(name)) << name;
}

#endif

TEST(Cpu, NamesFollowTheBits) {
  EXPECT_TRUE(cpu::feature_names(0).empty());
  EXPECT_EQ(cpu::feature_names(cpu::kAvx2 | cpu::kAmxBf16),
            (std::vector<std::string>{"avx2", "amx-bf16"}));
  EXPECT_FALSE(cpu::model_name().empty());
}

TEST(Cpu, CoresFollowTheAffinityMask) {
  cpu_set_t former;
  ASSERT_EQ(sched_getaffinity(0, sizeof former, &former), 0);
  const int all = cpu::usable_core_count();
  EXPECT_GE(all, 1);
  EXPECT_LE(all, CPU_COUNT(&former));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &former)) {
      CPU_SET(i, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(cpu::usable_core_count(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof former, &former), 0);
  EXPECT_EQ(cpu::usable_core_count(), all);
}

TEST(Memory, FollowsWhatIsTouched) {
  constexpr int64_t kBytes = 64 << 20;
  const int64_t before = memory::resident_bytes();
  EXPECT_GT(before, 0);
  EXPECT_GT(memory::available_bytes(), 0);
  std::vector<char> block(static_cast<size_t>(kBytes));
  // Through volatile, or the compiler may see that nobody reads the block and drop it.
  volatile char* bytes = block.data();
  for (int64_t i = 0; i < kBytes; i += 4096) bytes[i] = 'x';
  EXPECT_GE(memory::resident_bytes(), before + kBytes * 9 / 10);
  EXPECT_GE(memory::peak_resident_bytes(), before + kBytes * 9 / 10);
}

TEST(Clock, NeverGoesBack) {
  double last = monotonic_seconds();
  for (int i = 0; i < 1000; ++i) {
    const double now = monotonic_seconds();
    EXPECT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace bittern
