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

TEST(ReadAhead, WhatWasWantedIsThere) {
  const TemporaryFolder folder;
  const FileMap map = FileMap::open(forgotten_file(folder, "a", 20 << 20));
  ReadAhead ahead;
  // Windows that overlap, as a reader asks for them while it goes on.
  for (size_t first = 0; first < map.bytes().size(); first += 3 << 20)
    ahead.want(map.bytes().subspan(first, std::min<size_t>(8 << 20, map.bytes().size() - first)));
  ahead.wait();
  // The disk may still be at work; nothing but it brings these pages, as nobody touches them.
  for (size_t at = 0; at < map.bytes().size(); at += 64 * kPage) {
    int64_t patience = 10'000'000;
    while (!FileMap::is_resident(map.bytes().subspan(at, 1)) && --patience > 0) ::sched_yield();
    ASSERT_GT(patience, 0) << at;
  }
}

TEST(ReadAhead, PartsOutOfOrderOfSeveralFilesAndNone) {
  const TemporaryFolder folder;
  const FileMap first = FileMap::open(forgotten_file(folder, "a", (9 << 20) + 5));
  const FileMap second = FileMap::open(forgotten_file(folder, "b", kPage / 2));
  ReadAhead ahead;
  ahead.want({});
  ahead.want(first.bytes().subspan(6 << 20));
  ahead.want(second.bytes());
  ahead.want(first.bytes().subspan(0, 1));
  ahead.wait();
  EXPECT_EQ(as_text(first.bytes()).find_first_not_of('x'), std::string_view::npos);
  EXPECT_EQ(as_text(second.bytes()).find_first_not_of('x'), std::string_view::npos);
}

TEST(ReadAhead, EndsWhileMuchIsWanted) {
  const TemporaryFolder folder;
  const FileMap map = FileMap::open(forgotten_file(folder, "a", 64 << 20));
  for (int i = 0; i < 3; ++i) {
    ReadAhead ahead;
    ahead.want(map.bytes());
    ahead.want(map.bytes().subspan(32 << 20));
  }
}

}  // namespace
}  // namespace bittern
