// Choosing a table: features, force, refusal, and a self-test that notices wrong results.
#include "kernel/select.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <stdexcept>

#include "base/cpu.h"
#include "base/error.h"
#include "kernel/amx_emulator_support.h"
#include "kernel/attention.h"
#include "kernel/block.h"
#include "kernel/real.h"

namespace bittern::kernel {
namespace {

const Log kQuiet(Log::Level::quiet);

TEST(Select, ScalarIsLastAndNeedsNothing) {
  EXPECT_STREQ(candidates().back().table->name, "scalar");
  EXPECT_EQ(candidates().back().features, 0u);
}

TEST(Select, TablesThatCanRunPassTheirSelfTest) {
  const uint64_t features = cpu::detect_features();
  for (const Candidate& candidate : candidates()) {
    if ((candidate.features & ~features) != 0) continue;
    EXPECT_EQ(self_test(*candidate.table), std::nullopt) << candidate.table->name;
  }
}

TEST(Select, TakesTheBestThatTheMachineHas) {
  const uint64_t features = cpu::detect_features();
  const Table& chosen = select(features, std::nullopt, kQuiet);
  for (const Candidate& candidate : candidates()) {
    if (((candidate.features | candidate.suits) & ~features) != 0) continue;
    EXPECT_STREQ(chosen.name, candidate.table->name);
    break;
  }
  EXPECT_STREQ(select(0, std::nullopt, kQuiet).name, "scalar");
  // One feature short of a table is not that table.
  for (const Candidate& candidate : candidates()) {
    if (candidate.features == 0) continue;
    const uint64_t lowest = candidate.features & (~candidate.features + 1);
    EXPECT_STRNE(select(features & ~lowest, std::nullopt, kQuiet).name, candidate.table->name);
  }
}

TEST(Select, ForcedTableRunsOrIsRefused) {
  const uint64_t features = cpu::detect_features();
  for (const Candidate& candidate : candidates()) {
    if ((candidate.features & ~features) != 0) continue;
    EXPECT_EQ(&select(features, candidate.table->name, kQuiet), candidate.table);
  }
}

ErrorKind refusal(uint64_t features, const std::string& name, std::string& message) {
  try {
    select(features, name, kQuiet);
  } catch (const Error& error) {
    message = error.message();
    return error.kind();
  }
  ADD_FAILURE() << name << " was accepted";
  return ErrorKind::internal;
}

TEST(Select, RefusalsNameWhatIsWrong) {
  std::string message;
  EXPECT_EQ(refusal(~uint64_t{0}, "sse9", message), ErrorKind::usage);
  EXPECT_NE(message.find("sse9"), std::string::npos) << message;
  EXPECT_NE(message.find("scalar"), std::string::npos) << message;
#if defined(__x86_64__)
  EXPECT_EQ(refusal(cpu::kAvx2 | cpu::kF16c, "avx2", message), ErrorKind::unsupported);
  EXPECT_NE(message.find("lacks fma"), std::string::npos) << message;
#endif
}

#if defined(__x86_64__)

// Which of the two tables of AVX-512, by what was measured; by name either runs.
TEST(Select, TakesTheTableForThePortsOfTheCore) {
  const uint64_t features =
      cpu::detect_features() & ~uint64_t{cpu::kDualPorts | cpu::kAmxPermission};
  if ((features & cpu::kAvx512Vnni) == 0) GTEST_SKIP() << "no AVX-512 VNNI";
  EXPECT_EQ(&select(features, std::nullopt, kQuiet), &avx512_table);
  EXPECT_EQ(&select(features | cpu::kDualPorts, std::nullopt, kQuiet), &avx512dual_table);
  EXPECT_EQ(&select(features, "avx512dual", kQuiet), &avx512dual_table);
  EXPECT_EQ(&select(features | cpu::kDualPorts, "avx512", kQuiet), &avx512_table);
}

constexpr uint64_t kTiles = cpu::kAmxTile | cpu::kAmxInt8 | cpu::kAmxPermission;

const Candidate& amx() {
  for (const Candidate& candidate : candidates())
    if (candidate.table == &amx_table) return candidate;
  throw std::logic_error("amx is no candidate");
}

// A processor that has tiles on a system that keeps them from the process.
TEST(Select, PassesOverTilesThatTheSystemRefuses) {
  const uint64_t features = cpu::detect_features() & ~uint64_t{cpu::kAmxPermission};
  const uint64_t refused = features | cpu::kAmxTile | cpu::kAmxInt8;
  testing::internal::CaptureStderr();
  EXPECT_STREQ(select(refused, std::nullopt, Log(Log::Level::normal)).name,
               select(features & ~kTiles, std::nullopt, kQuiet).name);
  const std::string logged = testing::internal::GetCapturedStderr();
  if ((amx().features & ~refused) == cpu::kAmxPermission) {
    EXPECT_NE(logged.find("refuses this process the tile registers"), std::string::npos) << logged;
  }
  std::string message;
  EXPECT_EQ(refusal(refused, "amx", message), ErrorKind::unsupported);
  EXPECT_NE(message.find("amx-permission"), std::string::npos) << message;
  EXPECT_EQ(refusal(features & ~kTiles, "amx", message), ErrorKind::unsupported);
  EXPECT_NE(message.find("amx-tile, amx-int8, amx-permission"), std::string::npos) << message;
}

// The self-test of the amx table, in software where the processor has no tiles.
TEST(Select, TilesRunInTheSelfTest) {
  const uint64_t features = cpu::detect_features();
  const uint64_t missing = amx().features & ~features;
  const auto emulator = AmxEmulator::for_missing(missing);
  if (missing != 0 && !emulator) GTEST_SKIP() << "no AVX-512 VNNI";
  const int64_t before = AmxEmulator::executed();
  EXPECT_EQ(&select(features | kTiles, std::nullopt, kQuiet), &amx_table);
  EXPECT_EQ(&select(features | kTiles, "amx", kQuiet), &amx_table);
  if (emulator) {
    EXPECT_GT(AmxEmulator::executed(), before);
  }
}

#endif

// A table with one wrong entry must be noticed, whichever entry it is.
TEST(Select, SelfTestNoticesEachWrongEntry) {
  const auto noticed = [](const auto& spoil) {
    Table table = scalar_table;
    spoil(table);
    return self_test(table).has_value();
  };
  EXPECT_FALSE(noticed([](Table&) {}));
  EXPECT_TRUE(noticed([](Table& t) {
    static TernaryKernels ternary = *t.ternary;
    ternary.dots = [](const TernaryDots& job) {
      scalar_ternary.dots(job);
      if (job.rows == 6) job.out[5 * 16 + 3] += 1;
    };
    t.ternary = &ternary;
  }));
  EXPECT_TRUE(noticed([](Table& t) {
    static TernaryKernels ternary = *t.ternary;
    ternary.dots = [](const TernaryDots& job) {
      scalar_ternary.dots(job);
      if (job.rows > 40) job.out[40 * 16] -= 1;
    };
    t.ternary = &ternary;
  }));
  EXPECT_TRUE(noticed([](Table& t) {
    static BlockKernels block = *t.block;
    block.dots = [](const BlockDots& job) {
      scalar_block.dots(job);
      if (job.rows > 16) job.out[16 * job.stride] *= 1.0000001f;
    };
    t.block = &block;
  }));
  EXPECT_TRUE(noticed([](Table& t) {
    static TernaryKernels ternary = *t.ternary;
    ternary.scale = [](const TernaryScale& job) {
      scalar_ternary.scale(job);
      job.out[17] *= 1.0000001f;
    };
    t.ternary = &ternary;
  }));
  EXPECT_TRUE(noticed([](Table& t) {
    static RealKernels real = *t.real;
    real.dots = [](const RealDots& job) {
      scalar_real.dots(job);
      if (job.rows == 7 && job.format == RealFormat::f8_e4m3) job.out[18] *= 1.0000001f;
    };
    t.real = &real;
  }));
  EXPECT_TRUE(noticed([](Table& t) { t.decode_q4_1 = scalar_table.decode_q4_0; }));
  EXPECT_TRUE(noticed([](Table& t) { t.decode_f16 = scalar_table.decode_bf16; }));
  EXPECT_TRUE(noticed([](Table& t) {
    t.rms_norm = [](const float* in, const float* weight, float eps, int64_t width, float* out) {
      scalar_table.rms_norm(in, weight, eps * 1.1f, width, out);
    };
  }));
  EXPECT_TRUE(noticed([](Table& t) {
    t.softmax_chunk = [](SoftmaxChunk& chunk) {
      scalar_table.softmax_chunk(chunk);
      chunk.correction = 1.0f;
    };
  }));
  const auto wrong_attention = [&](const auto& spoil_attention) {
    return noticed([&](Table& t) {
      static AttentionKernels attention;
      attention = *t.attention;
      spoil_attention(attention);
      t.attention = &attention;
    });
  };
  EXPECT_TRUE(wrong_attention([](AttentionKernels& a) {
    a.products_f16 = [](const PanelProduct& job) {
      scalar_attention.products_f16(job);
      job.out[1] += 1e-3f;
    };
  }));
  EXPECT_TRUE(wrong_attention([](AttentionKernels& a) {
    a.key_dots = [](const KeyDots& job) {
      scalar_attention.key_dots(job);
      job.out[5 * job.out_stride + 3] *= 1.0000001f;
    };
  }));
  EXPECT_TRUE(wrong_attention([](AttentionKernels& a) {
    a.value_dots = [](const ValueDots& job) {
      scalar_attention.value_dots(job);
      job.out[5 * job.out_stride + 3] *= 1.0000001f;
    };
  }));
  EXPECT_TRUE(wrong_attention([](AttentionKernels& a) {
    a.value_dots = [](const ValueDots& job) {
      scalar_attention.value_dots(job);
      if (job.queries > 16) job.out[16 * job.out_stride] *= 1.0000001f;
    };
  }));
  EXPECT_TRUE(wrong_attention([](AttentionKernels& a) {
    a.softmax = [](ChunkSoftmax& job) {
      scalar_attention.softmax(job);
      job.sum *= 1.000001f;
    };
  }));
  EXPECT_TRUE(wrong_attention([](AttentionKernels& a) {
    a.value_codes = [](ValueCodes& job) {
      scalar_attention.value_codes(job);
      job.factor *= 1.000001f;
    };
  }));
  EXPECT_TRUE(wrong_attention([](AttentionKernels& a) {
    a.join = [](AttendState& total, const AttendState& chunk, int64_t width) {
      scalar_attention.join(total, chunk, width - 16);
    };
  }));
  EXPECT_TRUE(noticed([](Table& t) {
    t.rotate = [](bool, const float* c, const float* s, int64_t half, float* x) {
      scalar_table.rotate(false, c, s, half, x);
    };
  }));
}

}  // namespace
}  // namespace bittern::kernel
