// Cursor over hostile bytes, overflow arithmetic, printable text, and the invariant check.

#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/check.h"
#include "base/checked_math.h"
#include "throws.h"

namespace bittern {
namespace {

using test::message_of;
using test::thrown_by;

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(ByteReader, ReadsInOrderAndUnaligned) {
  ByteReader reader(bytes_of(std::string_view("\x07\x01\x02\x03\x04\xff", 6)), "x.bin");
  EXPECT_EQ(reader.read<uint8_t>("a"), 7);
  EXPECT_EQ(reader.read<uint32_t>("b"), 0x04030201u);
  EXPECT_EQ(reader.position(), 5u);
  EXPECT_EQ(reader.remaining(), 1u);
  EXPECT_EQ(as_text(reader.take(0, "nothing")), "");
  EXPECT_EQ(reader.read<int8_t>("c"), -1);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, NamesFileFieldExpectedAndGot) {
  ByteReader reader(bytes_of("abc"), "x.bin");
  reader.take(1, "head");
  EXPECT_EQ(message_of([&] { reader.read<uint32_t>("tensor count"); }),
            "x.bin: tensor count: 4 bytes expected at byte 1, file ends after 3");
  EXPECT_EQ(message_of([&] { reader.take(std::numeric_limits<uint64_t>::max(), "name"); }),
            "x.bin: name: 18446744073709551615 bytes expected at byte 1, file ends after 3");
  EXPECT_EQ(message_of([&] { reader.take(3, "one too many"); }),
            "x.bin: one too many: 3 bytes expected at byte 1, file ends after 3");
  EXPECT_EQ(as_text(reader.take(2, "rest")), "bc") << "a failed read takes nothing";
}

TEST(Bytes, StoreThenLoad) {
  std::byte buffer[9]{};
  store(buffer + 1, 0x1122334455667788);
  EXPECT_EQ(load<int64_t>(buffer + 1), 0x1122334455667788);
  EXPECT_EQ(buffer[1], std::byte{0x88});
}

TEST(CheckedMath, OverflowIsAnAnswer) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(checked_multiply(3, 5), 15);
  EXPECT_EQ(checked_multiply(kMost, 2), std::nullopt);
  EXPECT_EQ(checked_multiply(int64_t{1} << 32, int64_t{1} << 31), std::nullopt);
  EXPECT_EQ(checked_add(kMost - 1, 1), kMost);
  EXPECT_EQ(checked_add(kMost, 1), std::nullopt);
  EXPECT_EQ(checked_product(std::vector<int64_t>{}), 1);
  EXPECT_EQ(checked_product(std::vector<int64_t>{4, 0, 7}), 0);
  EXPECT_EQ(checked_product(std::vector<int64_t>{4, -1}), std::nullopt);
  EXPECT_EQ(checked_product(std::vector<int64_t>{kMost, 2, 0}), std::nullopt);
  EXPECT_EQ(checked_align(0, 32), 0);
  EXPECT_EQ(checked_align(1, 32), 32);
  EXPECT_EQ(checked_align(32, 32), 32);
  EXPECT_EQ(checked_align(kMost - 3, 32), std::nullopt);
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("plain \xc3\xa9"), "plain \xc3\xa9");
  EXPECT_EQ(printable("a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\x7f\xc2\x9b"), "\\x7f\\xc2\\x9b") << "DEL and C1 controls";
  EXPECT_EQ(printable("\xff\xe2\x82"), "\\xff\\xe2\\x82") << "invalid UTF-8";
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(Check, NamesPlaceConditionAndValues) {
  const auto thrown = thrown_by([] { BITTERN_CHECK(1 > 2, "left {}, right {}", 1, 2); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::internal);
  EXPECT_TRUE(
      thrown->message.ends_with(": broken invariant: 1 > 2 | left 1, right 2 (please report this)"))
      << thrown->message;
  EXPECT_NE(thrown->message.find("bytes_test.cc:"), std::string::npos);
  EXPECT_FALSE(thrown_by([] { BITTERN_CHECK(true, "unused"); }));
}

}  // namespace
}  // namespace bittern
