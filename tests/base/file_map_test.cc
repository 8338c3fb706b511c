// Mapped files, small text files, and files that appear whole or not at all.

#include "base/file_map.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "base/error.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::TemporaryFolder;
using test::thrown_by;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(FileMap, MapsAndMoves) {
  const TemporaryFolder folder;
  FileMap map = FileMap::open(folder.write("a", "hello"));
  EXPECT_EQ(as_text(map.bytes()), "hello");
  const FileMap moved = std::move(map);
  EXPECT_EQ(as_text(moved.bytes()), "hello");
  map = FileMap::open(folder.write("b", "other"));
  EXPECT_EQ(as_text(map.bytes()), "other");
  EXPECT_EQ(map.name(), (folder.path() / "b").string());
}

TEST(FileMap, AnEmptyFileIsEmpty) {
  const TemporaryFolder folder;
  EXPECT_TRUE(FileMap::open(folder.write("empty", "")).bytes().empty());
}

TEST(FileMap, SaysWhyItCannot) {
  const TemporaryFolder folder;
  const std::string absent = (folder.path() / "absent").string();
  EXPECT_EQ(message_of([&] { FileMap::open(absent); }), absent + ": no such file");
  EXPECT_EQ(thrown_by([&] { FileMap::open(absent); })->kind, ErrorKind::bad_input);
  EXPECT_EQ(message_of([&] { FileMap::open(folder.path()); }),
            folder.path().string() + ": not a regular file");
}

TEST(FileMap, ReleasedPagesAreReadAgain) {
  const TemporaryFolder folder;
  const std::string text(3 * 4096 + 5, 'x');
  const FileMap map = FileMap::open(folder.write("a", text));
  FileMap::release(map.bytes());
  FileMap::release(map.bytes().subspan(1, 2));  // less than a page: nothing to do
  EXPECT_EQ(as_text(map.bytes()), text);
}

TEST(FileMap, PopulatedPagesAreThoseOfTheFile) {
  const TemporaryFolder folder;
  const std::string text(3 * 4096 + 5, 'x');
  FileMap map = FileMap::open(folder.write("a", text));
  map.prefer_huge_pages();
  FileMap::populate(map.bytes());
  FileMap::populate(map.bytes().subspan(4095, 2));
  FileMap::populate({});
  EXPECT_EQ(as_text(map.bytes()), text);
}

TEST(FileStamp, EveryWriteMovesItEvenOfTheSameSizeWithTheTimeRestored) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("a", "hello");
  while (!FileMap::stamp_of(path)->settled) ::sched_yield();
  const FileMap map = FileMap::open(path);
  EXPECT_EQ(map.stamp().bytes, 5);
  EXPECT_TRUE(map.stamp().is_same(*FileMap::stamp_of(path)));
  const auto time = fs::last_write_time(path);
  std::fstream(path, std::ios::in | std::ios::out) << "jello";
  fs::last_write_time(path, time);
  EXPECT_FALSE(map.stamp().is_same(*FileMap::stamp_of(path)));
  const fs::path other = folder.write("b", "hello");
  EXPECT_FALSE(FileMap::stamp_of(other)->is_same(map.stamp()));
  EXPECT_FALSE(FileMap::stamp_of(folder.path()).has_value());
  EXPECT_FALSE(FileMap::stamp_of(folder.path() / "none").has_value());
}

TEST(FileStamp, OfTheFutureIsNotSettled) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("a", "hello");
  fs::last_write_time(path, fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_FALSE(FileMap::stamp_of(path)->settled);
}

TEST(ReadTextFile, RefusesALargerOne) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("a", "12345");
  EXPECT_EQ(read_text_file(path, 5), "12345");
  EXPECT_EQ(message_of([&] { read_text_file(path, 4); }),
            path.string() + ": 5 bytes, at most 4 expected");
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "out";
  {
    AtomicFile file(path);
    file.write("abc");
    file.write(std::string_view(""));
    file.write("de");
    EXPECT_EQ(file.bytes_written(), 5);
    EXPECT_FALSE(fs::exists(path));
    file.commit();
    EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"out"});
  }
  EXPECT_EQ(read_text_file(path, 100), "abcde");
}

TEST(AtomicFile, UncommittedLeavesNothingAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("out", "old");
  {
    AtomicFile file(path);
    file.write("new and unfinished");
  }
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"out"});
  EXPECT_EQ(read_text_file(path, 100), "old");
}

TEST(AtomicFile, SealedIsCompleteButNotThere) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "out";
  {
    AtomicFile file(path);
    file.write("all of it");
    file.seal();
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "never committed";
  AtomicFile file(path);
  file.write("all of it");
  file.seal();
  file.commit();
  EXPECT_EQ(read_text_file(path, 100), "all of it");
}

TEST(AtomicFile, AFailedCommitLeavesNothing) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "out";
  AtomicFile file(path);
  file.write("x");
  fs::create_directory(path);  // a folder stands where the file should go
  const auto thrown = thrown_by([&] { file.commit(); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::resources);
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"out"});
}

TEST(AtomicFile, SaysWhereItCannotWrite) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "no" / "out";
  EXPECT_EQ(message_of([&] { AtomicFile file(path); }),
            path.string() + ".part: cannot write: no such file");
}

}  // namespace
}  // namespace bittern
