// The file of packed weights: its layout as documented, and every way in which it can be wrong.
#include "backend/cpu/pack_file.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::test {
namespace {

using backend::kPackAlignment;
using backend::PackDirectory;
using backend::parse_pack;

const std::string kFirst(5000, 'a'), kSecond(10, 'b');

PackDirectory two_entries() {
  PackDirectory directory;
  directory.sources.push_back({.sha256 = {}, .bytes = 77, .samples = 99});
  directory.sources[0].sha256.fill(std::byte{0x5a});
  for (const std::string* data : {&kFirst, &kSecond}) {
    backend::PackEntry entry;
    entry.key.fill(static_cast<std::byte>((*data)[0]));
    entry.layout = data == &kFirst ? "T2" : "sixteen letters.";
    entry.scale = data == &kFirst ? 0.25f : 1.0f;
    entry.data = std::as_bytes(std::span(*data));
    directory.entries.push_back(entry);
  }
  return directory;
}

std::string written(const PackDirectory& directory) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "pack";
  AtomicFile file(path);
  write_pack(file, directory, [] { return false; });
  file.commit();
  EXPECT_EQ(file.bytes_written(), pack_bytes(directory));
  return read_text_file(path, 1 << 24);
}

PackDirectory parsed(const std::string& text) {
  return parse_pack(std::as_bytes(std::span(text)), "pack");
}

template <typename T>
T at(const std::string& file, size_t offset) {
  return load<T>(reinterpret_cast<const std::byte*>(file.data()) + offset);
}

TEST(PackFile, LiesAsDocumented) {
  const std::string file = written(two_entries());
  EXPECT_EQ(file.substr(0, 8), "BITTERNP");
  EXPECT_EQ(at<uint32_t>(file, 8), backend::kPackVersion);
  EXPECT_EQ(at<uint32_t>(file, 12), 1u);
  EXPECT_EQ(at<uint32_t>(file, 16), 2u);
  EXPECT_EQ(at<uint32_t>(file, 20), 0u);
  EXPECT_EQ(at<uint64_t>(file, 24), file.size());
  EXPECT_EQ(file.substr(40, 32), std::string(32, '\x5a'));
  EXPECT_EQ(at<uint64_t>(file, 72), 77u);
  EXPECT_EQ(at<uint64_t>(file, 80), 99u);
  EXPECT_EQ(file.substr(88, 16), std::string(16, 'a'));
  EXPECT_EQ(file.substr(104, 16), "T2" + std::string(14, '\0'));
  EXPECT_EQ(at<uint64_t>(file, 120), 4096u);
  EXPECT_EQ(at<uint64_t>(file, 128), kFirst.size());
  EXPECT_EQ(at<float>(file, 144), 0.25f);
  EXPECT_EQ(at<uint64_t>(file, 152 + 32), 3u * 4096);
  EXPECT_EQ(file.substr(4096, kFirst.size()), kFirst);
  EXPECT_EQ(file.substr(size_t{3} * 4096), kSecond);
}

TEST(PackFile, IsReadBack) {
  const std::string file = written(two_entries());
  const PackDirectory directory = parsed(file);
  EXPECT_EQ(directory.sources, two_entries().sources);
  ASSERT_EQ(directory.entries.size(), 2u);
  for (const backend::PackEntry& expected : two_entries().entries) {
    const backend::PackEntry* entry = directory.find(expected.key);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->layout, expected.layout);
    EXPECT_EQ(entry->scale, expected.scale);
    EXPECT_EQ(as_text(entry->data), as_text(expected.data));
    EXPECT_EQ(entry->checksum, backend::pack_checksum(expected.data));
  }
  EXPECT_EQ(directory.find({}), nullptr);
}

// tools/golden/pack_file.py wrote it, by the description of the format.
TEST(PackFile, WrittenByAnotherProgramIsRead) {
  const std::string file =
      read_text_file(BITTERN_SOURCE "/fuzz/seeds/pack_cache/two_entries", 1 << 20);
  const PackDirectory directory = parsed(file);  // points into `file`
  ASSERT_EQ(directory.entries.size(), 2u);
  EXPECT_EQ(directory.sources, two_entries().sources);
  EXPECT_EQ(directory.entries[0].layout, "T2");
  EXPECT_EQ(directory.entries[0].scale, 0.25f);
  EXPECT_EQ(as_text(directory.entries[0].data), std::string(500, 'a'));
  for (const backend::PackEntry& entry : directory.entries)
    EXPECT_EQ(backend::pack_checksum(entry.data), entry.checksum);
}

TEST(PackFile, WithoutEntriesIsADirectory) {
  PackDirectory directory = two_entries();
  directory.entries.clear();
  EXPECT_TRUE(parsed(written(directory)).entries.empty());
}

TEST(PackFile, CutAnywhereIsRefused) {
  const std::string file = written(two_entries());
  for (size_t size = 0; size < file.size(); size += size < 300 ? 1 : 97)
    EXPECT_TRUE(thrown_by([&] { parsed(file.substr(0, size)); })) << size;
  EXPECT_TRUE(thrown_by([&] { parsed(file + '\0'); }));
}

TEST(PackFile, EveryFlippedBitOfTheDirectoryIsRefused) {
  const std::string file = written(two_entries());
  for (size_t bit = 0; bit < 216 * 8; ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_TRUE(thrown_by([&] { parsed(damaged); })) << bit;
  }
}

// With a checksum that fits, so that the checks behind it are what refuses.
TEST(PackFile, ADirectoryThatContradictsTheFileIsRefused) {
  struct Row {
    size_t offset;
    std::string bytes;
    std::string reason;
  };
  const auto number = [](uint64_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const Row rows[] = {
      {0, "BITTERNX", "BITTERNP expected, got BITTERNX"},
      {8, number(9).substr(0, 4), "version 2 expected, got 9"},
      {12, number(0).substr(0, 4), "1 to 65536 sources"},
      {12, number(60000).substr(0, 4), "bytes expected"},
      {16, number(0xffffffff).substr(0, 4), "up to 4194304 entries"},
      {24, number(1 << 20), "1048576 bytes expected"},
      {120, number(4097), "offset: 4096 expected, got 4097"},
      {128, number(0), "1 to"},
      {128, number(~uint64_t{0}), "1 to"},
      {128, number(4096), "offset: 8192 expected"},
      {144, number(0x7f800000).substr(0, 4), "a finite number expected"},
      {148, number(1).substr(0, 4), "0 expected"},
      {152, std::string(16, 'a'), "a key of its own"},
      {152 + 40, number(9), "do not end with the last entry"},
  };
  const std::string file = written(two_entries());
  for (const Row& row : rows) {
    std::string changed = file;
    changed.replace(row.offset, row.bytes.size(), row.bytes);
    changed.replace(32, 8, number(0));
    const Bytes directory = std::as_bytes(std::span(changed)).first(216);
    changed.replace(32, 8, number(backend::pack_checksum(directory)));
    const std::string message = message_of([&] { parsed(changed); });
    EXPECT_NE(message.find(row.reason), std::string::npos) << message << "\n" << row.reason;
  }
}

TEST(PackFile, WritingStopsWhenAskedTo) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "pack";
  {
    AtomicFile file(path);
    const auto thrown = thrown_by([&] { write_pack(file, two_entries(), [] { return true; }); });
    ASSERT_TRUE(thrown);
    EXPECT_EQ(thrown->kind, ErrorKind::interrupted);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(PackChecksum, SeesEveryBitAndTheOrder) {
  std::string data(2 * 1048576 + 77, 'x');
  random::Sequence draw(5);
  for (char& byte : data) byte = static_cast<char>(draw.below(256));
  const auto sum = [&] { return backend::pack_checksum(std::as_bytes(std::span(data))); };
  const uint64_t whole = sum();
  for (const size_t at : {size_t{0}, size_t{7}, size_t{63}, size_t{64}, size_t{1048575},
                          size_t{1048576}, data.size() - 1}) {
    for (int bit = 0; bit < 8; ++bit) {
      data[at] = static_cast<char>(data[at] ^ (1 << bit));
      EXPECT_NE(sum(), whole) << at << " " << bit;
      data[at] = static_cast<char>(data[at] ^ (1 << bit));
    }
  }
  // The highest bits of two words of a lane, which a plain product would let cancel.
  data[7] = static_cast<char>(data[7] ^ 0x80);
  data[71] = static_cast<char>(data[71] ^ 0x80);
  EXPECT_NE(sum(), whole);
  data[7] = static_cast<char>(data[7] ^ 0x80);
  data[71] = static_cast<char>(data[71] ^ 0x80);
  EXPECT_EQ(sum(), whole);
  std::swap_ranges(data.begin(), data.begin() + 64, data.begin() + 64);
  EXPECT_NE(sum(), whole);
  std::swap_ranges(data.begin(), data.begin() + 64, data.begin() + 64);
  std::swap_ranges(data.begin(), data.begin() + 1048576, data.begin() + 1048576);
  EXPECT_NE(sum(), whole);
  EXPECT_NE(backend::pack_checksum({}), backend::pack_checksum(std::as_bytes(std::span("", 1))));
}

TEST(SampleChecksum, SeesAnExchangedFileOfAnySize) {
  for (const size_t size : {0u, 1u, 15u, 4096u, 5000u, 1u << 20}) {
    std::string data(size, 'x');
    const auto sum = [&] { return backend::sample_checksum(std::as_bytes(std::span(data))); };
    const uint64_t before = sum();
    EXPECT_EQ(sum(), before);
    if (size == 0) continue;
    data[0] = 'y';
    EXPECT_NE(sum(), before) << size;
    data.assign(size, 'z');
    EXPECT_NE(sum(), before) << size;
  }
}

}  // namespace
}  // namespace bittern::test
