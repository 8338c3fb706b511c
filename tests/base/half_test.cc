// f16 and bf16: every f16 pattern, and f32 values against numpy, torch and the processor.

#include "base/half.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/bytes.h"
#include "base/cpu.h"
#include "base/file_map.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bittern {
namespace {

bool is_f16_nan(uint16_t bits) { return (bits & 0x7fff) > 0x7c00; }

// The value of a finite pattern, from the definition of binary16.
double f16_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 0x3ff;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Half, EveryPatternHasItsValueAndComesBack) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const auto bits = static_cast<uint16_t>(pattern);
    const float value = f16_to_f32(bits);
    if (is_f16_nan(bits)) {
      ASSERT_TRUE(std::isnan(value)) << pattern;
      ASSERT_EQ(f32_to_f16(value), bits | 0x200) << "NaN is quieted, the rest kept";
    } else {
      if ((bits & 0x7fff) == 0x7c00) {
        ASSERT_TRUE(std::isinf(value)) << pattern;
      } else {
        ASSERT_EQ(double{value}, f16_value(bits)) << pattern;
      }
      ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << pattern;
      ASSERT_EQ(f32_to_f16(value), bits) << pattern;
    }
  }
}

TEST(Half, EveryBf16PatternComesBack) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const auto bits = static_cast<uint16_t>(pattern);
    const float value = bf16_to_f32(bits);
    ASSERT_EQ(std::bit_cast<uint32_t>(value), pattern << 16);
    ASSERT_EQ(f32_to_bf16(value), std::isnan(value) ? bits | 0x40 : bits) << pattern;
  }
}

struct Record {
  float f32;
  uint16_t f16;
  uint16_t bf16;
};

std::vector<Record> golden() {
  const FileMap map = FileMap::open(BITTERN_TEST_DATA "/base/half.bin");
  ByteReader reader(map.bytes(), map.name());
  std::vector<Record> records;
  while (reader.remaining() > 0)
    records.push_back(Record{reader.read<float>("f32"), reader.read<uint16_t>("f16"),
                             reader.read<uint16_t>("bf16")});
  return records;
}

// NaN payloads differ among libraries (numpy keeps them, torch has one NaN): there only NaN-ness
// and, for f16, the sign are compared.
TEST(Half, RoundsAsNumpyAndTorch) {
  const auto records = golden();
  ASSERT_EQ(records.size(), 6030u);
  for (const Record& record : records) {
    const uint32_t bits = std::bit_cast<uint32_t>(record.f32);
    if (std::isnan(record.f32)) {
      EXPECT_TRUE(is_f16_nan(f32_to_f16(record.f32))) << std::hex << bits;
      EXPECT_EQ(f32_to_f16(record.f32) & 0x8000, record.f16 & 0x8000) << std::hex << bits;
      EXPECT_GT(f32_to_bf16(record.f32) & 0x7fff, 0x7f80) << std::hex << bits;
    } else {
      EXPECT_EQ(f32_to_f16(record.f32), record.f16) << std::hex << bits;
      EXPECT_EQ(f32_to_bf16(record.f32), record.bf16) << std::hex << bits;
    }
  }
}

#if defined(__x86_64__)

__attribute__((target("f16c"))) uint16_t hardware_f16(float value) {
  const __m128i halves = _mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT);
  return static_cast<uint16_t>(_mm_cvtsi128_si32(halves));
}
__attribute__((target("f16c"))) float hardware_f32(uint16_t bits) { return _cvtsh_ss(bits); }

TEST(Half, EqualsTheProcessorBitForBitNanIncluded) {
  if ((cpu::detect_features() & cpu::kF16c) == 0) GTEST_SKIP() << "no F16C on this processor";
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const auto bits = static_cast<uint16_t>(pattern);
    ASSERT_EQ(std::bit_cast<uint32_t>(f16_to_f32(bits)),
              std::bit_cast<uint32_t>(hardware_f32(bits)))
        << pattern;
  }
  // A prime step walks all exponents and every kind of mantissa of the 2^32 floats.
  for (uint64_t pattern = 0; pattern < uint64_t{1} << 32; pattern += 9973) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(pattern));
    ASSERT_EQ(f32_to_f16(value), hardware_f16(value)) << std::hex << pattern;
  }
}

#endif

}  // namespace
}  // namespace bittern
