// What a batch has done survives a kill at any byte, and nothing else is ever taken for it.
#include "serve/batch/journal.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file_map.h"
#include "serve/batch/batch_line.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::serve {
namespace {

using bittern::test::message_of;
using bittern::test::TemporaryFolder;

const BatchSettings kSettings = {{"seed", "1"}, {"temperature", "0.8"}};

std::string read_all(const std::filesystem::path& path) { return read_text_file(path, 1 << 20); }

class JournalTest : public testing::Test {
 protected:
  JournalTest()
      : input_(BatchInput::open(folder_.write(
            "in.jsonl",
            "{\"custom_id\":\"a\"}\n\n{\"custom_id\":\"b\"}\n{\"custom_id\":\"c\"}\n"))) {}

  std::string line(int64_t index, int status = 200) const {
    const std::string ids[] = {"a", "b", "c"};
    return batch_output(batch_ids(input_.sha256(), input_.line_number(index)),
                        ids[static_cast<size_t>(index)], status, {{"value", index}});
  }

  TemporaryFolder folder_;
  BatchInput input_;
  std::filesystem::path path_ = folder_.path() / "out.jsonl.partial";
  std::filesystem::path output_ = folder_.path() / "out.jsonl";
  std::filesystem::path errors_ = folder_.path() / "out.errors.jsonl";
};

TEST_F(JournalTest, TheOutputIsSortedAsTheInput) {
  Journal journal(path_, input_, kSettings);
  journal.append(2, line(2), false);
  journal.append(0, line(0), false);
  EXPECT_FALSE(std::filesystem::exists(output_));
  journal.append(1, line(1, 400), true);
  EXPECT_EQ(journal.done_count(), 3);
  EXPECT_EQ(journal.error_count(), 1);
  journal.finish(output_, errors_);
  EXPECT_EQ(read_all(output_), line(0) + "\n" + line(2) + "\n");
  EXPECT_EQ(read_all(errors_), line(1, 400) + "\n");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(JournalTest, WithoutErrorsThereIsNoFileOfThem) {
  Journal journal(path_, input_, kSettings);
  for (int64_t i = 0; i < 3; ++i) journal.append(i, line(i), false);
  journal.finish(output_, errors_);
  EXPECT_FALSE(std::filesystem::exists(errors_));
}

TEST_F(JournalTest, AnOlderOutputStaysUntilTheNewOneReplacesItAndItsErrors) {
  folder_.write("out.jsonl", "old\n");
  folder_.write("out.errors.jsonl", "old errors\n");
  {
    Journal killed(path_, input_, kSettings);
    killed.append(0, line(0), false);
  }
  Journal journal(path_, input_, kSettings);
  EXPECT_EQ(journal.done_count(), 1);
  for (const int64_t index : {1, 2}) journal.append(index, line(index), false);
  EXPECT_EQ(read_all(output_), "old\n");
  EXPECT_EQ(read_all(errors_), "old errors\n");
  journal.finish(output_, errors_);
  EXPECT_EQ(read_all(output_), line(0) + "\n" + line(1) + "\n" + line(2) + "\n");
  EXPECT_FALSE(std::filesystem::exists(errors_));
}

// Cut at every byte: what has its line is kept, and only that.
TEST_F(JournalTest, AKillAtAnyByteLosesNothingAndRepeatsNothing) {
  std::string whole;
  std::vector<size_t> ends;  // of its lines
  const auto append = [&](Journal& journal, int64_t index) {
    journal.append(index, line(index, index == 2 ? 500 : 200), index == 2);
  };
  {
    Journal journal(path_, input_, kSettings);
    ends.push_back(read_all(path_).size());
    for (const int64_t index : {1, 2, 0}) {
      append(journal, index);
      ends.push_back(read_all(path_).size());
    }
    whole = read_all(path_);
    journal.finish(output_, errors_);
  }
  const std::string output = read_all(output_), errors = read_all(errors_);
  // In the first line few cuts will do: each begins a journal, which waits for the disk.
  for (size_t size = 0; size <= whole.size(); size += size + 20 < ends[0] ? 19 : 1) {
    folder_.write(path_.filename(), whole.substr(0, size));
    const auto lines = std::ranges::count_if(ends, [&](size_t end) { return end <= size; });
    Journal journal(path_, input_, kSettings);
    ASSERT_EQ(journal.done_count(), std::max<int64_t>(0, lines - 1)) << size;
    // The file is one of whole lines again, and ends where the next is to begin.
    ASSERT_EQ(read_all(path_),
              whole.substr(0, ends[static_cast<size_t>(std::max<int64_t>(1, lines)) - 1]))
        << size;
    // Waiting for the disk takes long: the rest around the ends of lines only.
    if (std::ranges::none_of(ends, [&](size_t end) { return end - 1 <= size && size <= end + 1; }))
      continue;
    for (const int64_t index : {0, 1, 2})
      if (!journal.is_done(index)) append(journal, index);
    journal.finish(output_, errors_);
    ASSERT_EQ(read_all(output_), output) << size;
    ASSERT_EQ(read_all(errors_), errors) << size;
  }
}

TEST_F(JournalTest, WhatIsNotOfThisBatchIsCutOff) {
  const std::string header = [&] {
    { Journal begun(path_, input_, kSettings); }
    return read_all(path_);
  }();
  const std::string other = batch_output(batch_ids("other input", 1), "a", 200, {{"value", 0}});
  const std::string unknown = batch_output(batch_ids(input_.sha256(), 9), "z", 200, {{"value", 0}});
  for (const std::string& bad :
       {other, unknown, line(1), std::string(20, '\0'), std::string("{}")}) {
    folder_.write(path_.filename(), header + line(1) + "\n" + bad + "\n" + line(2) + "\n");
    Journal journal(path_, input_, kSettings);
    EXPECT_EQ(journal.done_count(), 1) << bad;
    EXPECT_TRUE(journal.is_done(1));
    EXPECT_EQ(journal.cut_bytes(), std::ssize(bad) + 1 + std::ssize(line(2)) + 1);
    journal.append(0, line(0), false);
    EXPECT_EQ(read_all(path_), header + line(1) + "\n" + line(0) + "\n");
  }
}

TEST_F(JournalTest, AnotherInputOrOtherSettingsAreRefusedByName) {
  { Journal begun(path_, input_, kSettings); }
  EXPECT_EQ(Journal::settings_of(path_), kSettings);
  EXPECT_TRUE(Journal::belongs_to(path_, input_, kSettings));
  const BatchSettings warmer = {{"seed", "1"}, {"temperature", "0.9"}};
  EXPECT_FALSE(Journal::belongs_to(path_, input_, warmer));
  EXPECT_NE(message_of([&] {
              Journal(path_, input_, warmer);
            }).find("begun with temperature 0.8, now 0.9"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              Journal(path_, input_, {{"seed", "1"}});
            }).find("begun with temperature 0.8, now nothing"),
            std::string::npos);
  const BatchInput other =
      BatchInput::open(folder_.write("other.jsonl", "{\"custom_id\":\"a\"}\n"));
  EXPECT_NE(message_of([&] { Journal(path_, other, kSettings); }).find("begun with another input"),
            std::string::npos);
  folder_.write(path_.filename(), "my notes\n");
  EXPECT_NE(message_of([&] { Journal(path_, input_, kSettings); }).find("no journal of a batch"),
            std::string::npos);
  EXPECT_NE(message_of([&] { Journal::settings_of(path_); }).find("no journal of a batch"),
            std::string::npos);
  EXPECT_EQ(read_all(path_), "my notes\n");
  EXPECT_FALSE(Journal::settings_of(folder_.path() / "none"));
}

TEST_F(JournalTest, OneProcessWritesAtATime) {
  const Journal first(path_, input_, kSettings);
  EXPECT_NE(message_of([&] { Journal(path_, input_, kSettings); }).find("another process"),
            std::string::npos);
}

// Killed after the output was written and before the journal went.
TEST_F(JournalTest, TheEndCanBeRepeated) {
  std::string whole;
  {
    Journal journal(path_, input_, kSettings);
    for (int64_t i = 0; i < 3; ++i) journal.append(i, line(i), false);
    whole = read_all(path_);
    journal.finish(output_, errors_);
  }
  const std::string output = read_all(output_);
  folder_.write(path_.filename(), whole);
  Journal journal(path_, input_, kSettings);
  EXPECT_EQ(journal.done_count(), 3);
  journal.finish(output_, errors_);
  EXPECT_EQ(read_all(output_), output);
}

}  // namespace
}  // namespace bittern::serve
