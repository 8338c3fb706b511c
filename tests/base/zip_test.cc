// Archives made by CPython's zipfile (tests/data/README.md), whole and damaged at every byte; and
// unpacking taken up again at every block boundary.
#include "base/zip.h"

#include <gtest/gtest.h>

#include "base/file_map.h"
#include "base/inflate.h"
#include "throws.h"

namespace bittern {
namespace {

using test::message_of;
using test::thrown_by;

FileMap data(const std::string& name) {
  return FileMap::open(std::string(BITTERN_TEST_DATA "/base/zip/") + name);
}

std::string unpacked(RangeSource& source, const zip::Entry& entry) {
  const auto packed = source.read(zip::data_offset(source, entry), entry.packed_bytes);
  if (entry.method == zip::Method::stored) return std::string(as_text(packed));
  std::string text;
  Inflater inflater;
  inflater.push(packed, entry.name, [&](Bytes bytes) { text += as_text(bytes); });
  EXPECT_TRUE(inflater.finished());
  return text;
}

TEST(Zip, MembersOfAWheel) {
  const FileMap map = data("wheel.zip");
  MemorySource source(map.bytes(), "wheel.zip");
  const auto entries = zip::read_directory(source);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[1].name, "pkg/data/words.txt");
  EXPECT_EQ(entries[1].method, zip::Method::deflated);
  const std::string words = unpacked(source, entries[1]);
  EXPECT_EQ(static_cast<int64_t>(words.size()), entries[1].bytes);
  EXPECT_EQ(crc32(0, std::as_bytes(std::span(words))), entries[1].crc32);  // CPython's
  EXPECT_EQ(entries[2].method, zip::Method::stored);
  EXPECT_EQ(unpacked(source, entries[2]).size(), 768u);
}

TEST(Zip, CommentsLargeFieldsAndNothing) {
  for (const char* name : {"comment.zip", "zip64.zip"}) {
    const FileMap map = data(name);
    MemorySource source(map.bytes(), name);
    const auto entries = zip::read_directory(source);
    ASSERT_EQ(entries.size(), 2u) << name;
    EXPECT_EQ(unpacked(source, entries[0]).substr(0, 18), "the bittern booms\n") << name;
    EXPECT_EQ(unpacked(source, entries[1]), std::string_view("\0\1", 2)) << name;
  }
  const FileMap empty = data("empty.zip");
  MemorySource source(empty.bytes(), "empty.zip");
  EXPECT_TRUE(zip::read_directory(source).empty());
}

TEST(Zip, EveryCutAndEveryChangedByteIsReadOrRefused) {
  for (const char* name : {"comment.zip", "zip64.zip"}) {
    const FileMap map = data(name);
    const std::string whole(as_text(map.bytes()));
    const auto read = [&](const std::string& text) {
      thrown_by([&] {
        MemorySource source(std::as_bytes(std::span(text)), name);
        for (const auto& entry : zip::read_directory(source)) unpacked(source, entry);
      });
    };
    for (size_t length = 0; length < whole.size(); ++length) {
      const std::string cut = whole.substr(0, length);
      MemorySource source(std::as_bytes(std::span(cut)), name);
      EXPECT_TRUE(thrown_by([&] { zip::read_directory(source); })) << name << " " << length;
    }
    for (size_t at = 0; at < whole.size(); ++at)
      for (const int value : {0x00, 0x01, 0x7f, 0xff}) {
        std::string changed = whole;
        changed[at] = static_cast<char>(value);
        MemorySource source(std::as_bytes(std::span(changed)), name);
        thrown_by([&] {
          for (const auto& entry : zip::read_directory(source)) zip::data_offset(source, entry);
        });
      }
    read(whole);
  }
}

// The directory begins at the offset that the end record names (22 bytes from the end, at +16).
size_t directory_of(const std::string& archive) {
  return load<uint32_t>(reinterpret_cast<const std::byte*>(archive.data() + archive.size() - 6));
}

TEST(Zip, RefusalsSayWhatIsWrong) {
  const FileMap map = data("wheel.zip");
  const std::string whole(as_text(map.bytes()));
  const auto with = [&](size_t offset, uint32_t value, size_t width) {
    std::string changed = whole;
    for (size_t i = 0; i < width; ++i)
      changed[directory_of(whole) + offset + i] = static_cast<char>(value >> (8 * i));
    MemorySource source(std::as_bytes(std::span(changed)), "x.whl");
    return message_of([&] { zip::read_directory(source); });
  };
  EXPECT_EQ(with(8, 1, 2), "x.whl: zip: member 'pkg/__init__.py' is encrypted");
  EXPECT_EQ(with(10, 99, 2),
            "x.whl: zip: member 'pkg/__init__.py': method 99; stored and deflated can be read");
  EXPECT_EQ(with(24, 1u << 30, 4),
            "x.whl: zip: member 'pkg/__init__.py': at most 2064 bytes fit into 2 packed ones, got "
            "1073741824");
  EXPECT_EQ(with(0, 0, 4),
            "x.whl: zip: directory entry: signature 02014b50 expected, got 00000000");
}

TEST(Inflate, GoesOnFromEveryBlockBoundary) {
  const FileMap map = data("wheel.zip");
  MemorySource source(map.bytes(), "wheel.zip");
  const auto entry = zip::read_directory(source)[1];
  const std::string expected = unpacked(source, entry);
  const auto packed = source.read(zip::data_offset(source, entry), entry.packed_bytes);

  // One byte at a time, so that every boundary is seen.
  std::vector<InflatePoint> points;
  Inflater inflater;
  std::string text;
  for (size_t at = 0; at < packed.size(); ++at) {
    inflater.push(Bytes(packed).subspan(at, 1), "x", [&](Bytes bytes) { text += as_text(bytes); });
    if (points.empty() || points.back().out != inflater.point().out)
      points.push_back(inflater.point());
  }
  EXPECT_EQ(text, expected);
  ASSERT_GE(points.size(), 4u);  // or the data show nothing
  bool some_bits = false;
  for (const InflatePoint& point : points) {
    some_bits |= point.bits != 0;
    const auto begin = static_cast<size_t>(std::max<int64_t>(0, point.out - kInflateWindow));
    const std::string window(expected.substr(begin, static_cast<size_t>(point.out) - begin));
    std::string rest;
    Inflater again(point, std::as_bytes(std::span(window)));
    again.push(Bytes(packed).subspan(static_cast<size_t>(point.in)), "x",
               [&](Bytes bytes) { rest += as_text(bytes); });
    EXPECT_TRUE(again.finished());
    EXPECT_EQ(rest, expected.substr(static_cast<size_t>(point.out))) << point.out;
  }
  EXPECT_TRUE(some_bits);
}

TEST(Inflate, RefusesWhatIsNotDeflateAndStopsAtTheEnd) {
  const std::string noise(64, '\xff');
  EXPECT_NE(message_of([&] {
              Inflater inflater;
              inflater.push(std::as_bytes(std::span(noise)), "member", [](Bytes) {});
            }).find("member: broken packed data after"),
            std::string::npos);
  // An empty stored block, the last one (RFC 1951, 3.2.4), then bytes that are not its own.
  const std::string ended("\x01\x00\x00\xff\xffrest", 9);
  Inflater inflater;
  EXPECT_EQ(inflater.push(std::as_bytes(std::span(ended)), "x", [](Bytes) {}), 5u);
  EXPECT_TRUE(inflater.finished());
  EXPECT_TRUE(thrown_by([] { Inflater({10, 10, 8, 0}, {}); }));
}

}  // namespace
}  // namespace bittern
