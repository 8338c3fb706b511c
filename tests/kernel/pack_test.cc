// T2 and T1.6: the pictures in pack.h, byte by byte, and the round trips.
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

// The same weights among zeros in T1.6: 80 columns are 4 lines of 64 bytes.
TEST(T16, OneWeightLiesWhereThePictureSays) {
  EXPECT_EQ(t16_strip_bytes(64), 256);        // no whole block: T2
  EXPECT_EQ(t16_strip_bytes(65), 256 + 192);  // 128 padded columns: a block and 48
  EXPECT_EQ(t16_strip_bytes(320), 4 * 256);
  constexpr uint8_t kZeros = 1 * 64 + 40;  // t0..t3 are 1 + 3 + 9 + 27 as a number, t4 is 1
  std::vector<int8_t> codes(16 * 320, 0);
  codes[5 * 320 + 80 + 16 * 2 + 4 * 3 + 1] = 1;  // row 5, block 1, line 2, p 3, i 1
  codes[15 * 320 + 80 + 64 + 4 * 3 + 2] = -1;    // row 15, block 1, t4 of line 3, i 2
  codes[0 * 320 + 16 * 1 + 4 * 3] = 1;           // row 0, block 0, line 1, p 3 and t4, i 0
  codes[0 * 320 + 64 + 4 * 1] = 1;
  std::vector<uint8_t> strip(4 * 256);
  t16_pack_strip(codes.data(), 16, 320, strip.data());
  std::vector<uint8_t> expected(4 * 256, kZeros);
  expected[256 + 2 * 64 + 4 * 5 + 1] = 192 + (40 + 27 - 64) * 3 + 1;  // 67: an escape
  expected[256 + 3 * 64 + 4 * 15 + 2] = 40;
  expected[0 * 256 + 1 * 64] = 192 + (40 + 27 - 64) * 3 + 2;
  EXPECT_EQ(strip, expected);
}

struct Layout {
  const char* name;
  int64_t (*strip_bytes)(int64_t columns);
  void (*pack)(const int8_t* codes, int64_t rows, int64_t columns, uint8_t* strip);
  void (*unpack)(const uint8_t* strip, int64_t columns, int8_t* codes);
};

class TernaryLayout : public testing::TestWithParam<Layout> {};

TEST_P(TernaryLayout, RoundTripWithPadding) {
  const Layout& layout = GetParam();
  random::Sequence draw(7);
  for (const int64_t rows : {0, 1, 15, 16}) {
    for (const int64_t columns : {1, 15, 16, 17, 63, 64, 65, 80, 257, 320, 6912}) {
      SCOPED_TRACE(testing::Message() << rows << " x " << columns);
      std::vector<int8_t> codes(static_cast<size_t>(rows * columns));
      for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
      std::vector<uint8_t> strip(static_cast<size_t>(layout.strip_bytes(columns)), 0xff);
      layout.pack(codes.data(), rows, columns, strip.data());
      const int64_t padded = t2_columns(columns);
      std::vector<int8_t> back(static_cast<size_t>(16 * padded), 9);
      layout.unpack(strip.data(), columns, back.data());
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

INSTANTIATE_TEST_SUITE_P(
    Layouts, TernaryLayout,
    testing::Values(Layout{"T2", t2_strip_bytes, t2_pack_strip, t2_unpack_strip},
                    Layout{"T16", t16_strip_bytes, t16_pack_strip, t16_unpack_strip}),
    [](const testing::TestParamInfo<Layout>& layout) { return std::string(layout.param.name); });

}  // namespace
}  // namespace bittern::kernel
