// T2: the picture in pack.h, byte by byte, and the round trip.
#include "kernel/pack.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace bittern::kernel {
namespace {

TEST(T2, Sizes) {
  EXPECT_EQ(t2_columns(1), 64);
  EXPECT_EQ(t2_columns(64), 64);
  EXPECT_EQ(t2_columns(65), 128);
  EXPECT_EQ(t2_strip_bytes(64), 256);
  EXPECT_EQ(t2_bytes(1, 64), 256);
  EXPECT_EQ(t2_bytes(17, 65), 2 * 512);
}

// One weight of each sign, placed by hand from the picture: byte 4n + i of line k / 16, bits 2p,
// for row n and column 16 * line + 4p + i.
TEST(T2, OneWeightLiesWhereThePictureSays) {
  std::vector<int8_t> codes(16 * 64, 0);
  codes[5 * 64 + 16 * 2 + 4 * 3 + 1] = 1;    // row 5, line 2, p 3, i 1
  codes[15 * 64 + 16 * 0 + 4 * 1 + 2] = -1;  // row 15, line 0, p 1, i 2
  std::vector<uint8_t> strip(256);
  t2_pack_strip(codes.data(), 16, 64, strip.data());
  std::vector<uint8_t> expected(256, 0x55);
  expected[2 * 64 + 4 * 5 + 1] = 0x95;   // code 2 in bits 6..7
  expected[0 * 64 + 4 * 15 + 2] = 0x51;  // code 0 in bits 2..3
  EXPECT_EQ(strip, expected);
}

TEST(T2, RoundTripWithPadding) {
  random::Sequence draw(7);
  for (const int64_t rows : {0, 1, 15, 16}) {
    for (const int64_t columns : {1, 15, 16, 17, 63, 64, 65, 257}) {
      SCOPED_TRACE(testing::Message() << rows << " x " << columns);
      std::vector<int8_t> codes(static_cast<size_t>(rows * columns));
      for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
      std::vector<uint8_t> strip(static_cast<size_t>(t2_strip_bytes(columns)), 0xff);
      t2_pack_strip(codes.data(), rows, columns, strip.data());
      const int64_t padded = t2_columns(columns);
      std::vector<int8_t> back(static_cast<size_t>(16 * padded), 9);
      t2_unpack_strip(strip.data(), columns, back.data());
      for (int64_t row = 0; row < 16; ++row) {
        for (int64_t column = 0; column < padded; ++column) {
          const bool real = row < rows && column < columns;
          const int expected = real ? codes[static_cast<size_t>(row * columns + column)] : 0;
          ASSERT_EQ(back[static_cast<size_t>(row * padded + column)], expected)
              << row << ", " << column;
        }
      }
    }
  }
}

}  // namespace
}  // namespace bittern::kernel
