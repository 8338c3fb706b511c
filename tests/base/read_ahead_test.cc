// Parts of a file wanted in order, out of order and beside one another are in memory afterwards.

#include "base/read_ahead.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include "base/file_map.h"
#include "temporary_folder.h"

namespace bittern {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

constexpr size_t kPage = 4096;

// A file of `bytes` that the system has been asked to forget.
fs::path forgotten_file(const TemporaryFolder& folder, const std::string& name, size_t bytes) {
  const fs::path path = folder.write(name, std::string(bytes, 'x'));
  const int file = ::open(path.c_str(), O_RDONLY);
  EXPECT_EQ(::fdatasync(file), 0);
  EXPECT_EQ(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(file);
  return path;
}

template <typename Condition>
bool comes_true(const Condition& condition) {
  int64_t patience = 10'000'000;
  while (!condition() && --patience > 0) ::sched_yield();
  return patience > 0;
}

// Nothing but the disk brings a page that nobody touches.
bool is_read(const FileMap& map, size_t at) {
  return comes_true([&] { return FileMap::is_resident(map.bytes().subspan(at, 1)); });
}

TEST(ReadAhead, WhatWasWantedIsThere) {
  const TemporaryFolder folder;
  const FileMap map = FileMap::open(forgotten_file(folder, "a", 20 << 20));
  const size_t size = map.bytes().size();
  ReadAhead ahead;
  // Windows that overlap, as a reader asks for them while it goes on.
  for (size_t first = 0; first < size; first += 3 << 20)
    ahead.want(map, map.bytes().subspan(first, std::min<size_t>(8 << 20, size - first)));
  for (size_t at = 0; at < size; at += 64 * kPage) ASSERT_TRUE(is_read(map, at)) << at;
}

TEST(ReadAhead, PartsOutOfOrderOfSeveralFilesAndNone) {
  const TemporaryFolder folder;
  const FileMap first = FileMap::open(forgotten_file(folder, "a", (9 << 20) + 5));
  const FileMap second = FileMap::open(forgotten_file(folder, "b", kPage / 2));
  ReadAhead ahead;
  ahead.want(first, {});
  ahead.want(first, first.bytes().subspan(6 << 20));
  EXPECT_TRUE(is_read(first, first.bytes().size() - 1));
  ahead.want(second, second.bytes());
  EXPECT_TRUE(is_read(second, 0));
  ahead.want(first, first.bytes().subspan(0, 1));
  EXPECT_TRUE(is_read(first, 0));
  ahead.want(FileMap(), {});
  EXPECT_EQ(as_text(first.bytes()).find_first_not_of('x'), std::string_view::npos);
  EXPECT_EQ(as_text(second.bytes()).find_first_not_of('x'), std::string_view::npos);
}

TEST(ReadAhead, EndsWhileMuchIsWanted) {
  const TemporaryFolder folder;
  const FileMap map = FileMap::open(forgotten_file(folder, "a", 64 << 20));
  for (int i = 0; i < 3; ++i) {
    ReadAhead ahead;
    ahead.want(map, map.bytes());
    ahead.want(map, map.bytes().subspan(32 << 20));
  }
}

// What is unmapped while much of it is wanted goes at once but for the part that is being asked
// for, and what comes to lie in its place is another file's.
TEST(ReadAhead, AFileMayGoMeanwhile) {
  const TemporaryFolder folder;
  ReadAhead ahead;
  for (const char* name : {"a", "b", "c"}) {
    FileMap map = FileMap::open(forgotten_file(folder, name, 32 << 20));
    ahead.want(map, map.bytes());
    ASSERT_TRUE(is_read(map, 0)) << name;
    const auto mapping = map.mapping();
    map = FileMap();
    EXPECT_TRUE(comes_true([&] { return mapping.expired(); })) << name;
  }
}

}  // namespace
}  // namespace bittern
