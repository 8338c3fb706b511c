// Philox4x32-10 against the published known answers (Random123, tests/kat_vectors), and what is
// built on it.

#include "base/random.h"

#include <gtest/gtest.h>

namespace bittern::random {
namespace {

using Words = std::array<uint32_t, 4>;

TEST(Philox, KnownAnswers) {
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The same vectors through the 64-bit interface pin which word of the counter and of the key the
// seed, the stream and the index are: a stored seed must give the same text for ever.
TEST(Random, LayoutOfCounterAndKey) {
  EXPECT_EQ(bits(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88), 0x94fdccebd16cfe09);
  EXPECT_EQ(bits(0, 0, 0), 0xe169c58d6627e8d5);
}

TEST(Random, UniformIsTheTop53Bits) {
  EXPECT_EQ(uniform(0, 0, 0), static_cast<double>(0xe169c58d6627e8d5 >> 11) / 0x1p53);
  double sum = 0;
  double least = 1;
  double most = 0;
  for (uint64_t i = 0; i < 100000; ++i) {
    const double u = uniform(1, 2, i);
    sum += u;
    least = std::min(least, u);
    most = std::max(most, u);
  }
  EXPECT_GE(least, 0.0);
  EXPECT_LT(most, 1.0);
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);  // five standard deviations of the mean are 0.0046
}

TEST(Sequence, IsTheStreamInOrder) {
  Sequence sequence(7, 9);
  EXPECT_EQ(sequence.bits(), bits(7, 9, 0));
  EXPECT_EQ(sequence.uniform(), uniform(7, 9, 1));
  EXPECT_EQ(sequence.bits(), bits(7, 9, 2));
}

TEST(Sequence, BelowReachesEveryValueAndNoOther) {
  Sequence sequence(3);
  std::vector<int> seen(7, 0);
  for (int i = 0; i < 7000; ++i) seen.at(sequence.below(7)) += 1;
  for (const int count : seen) EXPECT_NEAR(count, 1000, 150);
  EXPECT_EQ(Sequence(3).below(1), 0u);
}

}  // namespace
}  // namespace bittern::random
