// Large blocks: zeroed, writable to the last byte, aligned for huge pages, refused by name.
#include "base/region.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "throws.h"

namespace bittern {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

TEST(Region, IsZeroedAndWritableToItsLastByte) {
  for (const int64_t bytes : {int64_t{1}, int64_t{4096}, kHugePage - 1, kHugePage, kHugePage + 1,
                              3 * kHugePage + 12345}) {
    Region region(bytes, "test");
    ASSERT_EQ(region.bytes(), bytes);
    std::byte* data = region.data();
    EXPECT_TRUE(std::all_of(data, data + bytes, [](std::byte b) { return b == std::byte{0}; }));
    std::fill_n(data, bytes, std::byte{0x5a});
    EXPECT_EQ(data[bytes - 1], std::byte{0x5a});
    if (bytes >= kHugePage) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % kHugePage, 0u) << bytes;
    }
  }
}

TEST(Region, MovesAndMayBeEmpty) {
  Region empty(0, "test");
  EXPECT_EQ(empty.data(), nullptr);
  Region first(100, "test");
  std::byte* data = first.data();
  Region second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(first.data(), nullptr);
  empty = std::move(second);
  EXPECT_EQ(empty.data(), data);
  EXPECT_EQ(empty.bytes(), 100);
}

TEST(Region, MoreThanThereIsIsRefusedByName) {
  const auto error = test::thrown_by([] { Region region(int64_t{1} << 60, "the test's block"); });
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind, ErrorKind::resources);
  EXPECT_NE(error->message.find("the test's block needs 1152921504606846976 bytes"),
            std::string::npos)
      << error->message;
}

}  // namespace
}  // namespace bittern
