// What a person at the terminal sees: progress lines, log levels, suggestions, Ctrl-C.

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/suggest.h"
#include "throws.h"

namespace bittern {
namespace {

Progress::Facts packing(int64_t done, double seconds) {
  return {"packing", done, 1000000000, Progress::Unit::bytes, "", seconds};
}

TEST(Progress, LabelShareBarRateAndTimeLeft) {
  EXPECT_EQ(Progress::render(packing(250000000, 1.0), 70),
            "packing  25% [=======>                      ]  250 MB/s  0:03 left");
  EXPECT_EQ(Progress::render(packing(0, 1.0), 60), "packing   0% [>                             ]");
  EXPECT_EQ(Progress::render(packing(1000000000, 4.0), 60),
            "packing 100% [==============================]  250 MB/s");
  EXPECT_EQ(Progress::render(packing(2000000000, 4.0), 60).substr(0, 12), "packing 100%");
}

TEST(Progress, ANoteStandsBehindTheRate) {
  Progress::Facts facts{"answering", 5, 10, Progress::Unit::items, "requests", 1.0};
  facts.note = "412 tokens/s";
  EXPECT_EQ(Progress::render(facts, 60), "answering  50%  5.0 requests/s  412 tokens/s  0:01 left");
  // Before the first is done it is all that moves.
  facts.done = 0;
  EXPECT_EQ(Progress::render(facts, 30), "answering   0%  412 tokens/s");
}

TEST(Progress, TheBarGivesWayToANarrowTerminal) {
  EXPECT_EQ(Progress::render(packing(250000000, 1.0), 52),
            "packing  25% [====>           ]  250 MB/s  0:03 left");
  EXPECT_EQ(Progress::render(packing(250000000, 1.0), 40), "packing  25%  250 MB/s  0:03 left");
  EXPECT_EQ(Progress::render(packing(250000000, 1.0), 10), "packing  2");
  EXPECT_EQ(Progress::render(packing(250000000, 1.0), 0), "");
  for (int columns = 0; columns < 120; ++columns)
    EXPECT_LE(Progress::render(packing(250000000, 1.0), columns).size(), size_t(columns));
}

TEST(Progress, ItemsAndUnknownTotals) {
  EXPECT_EQ(Progress::render({"eval", 30, 120, Progress::Unit::items, "tokens", 10.0}, 47),
            "eval  25% [==>       ]  3.0 tokens/s  0:30 left");
  EXPECT_EQ(Progress::render({"reading", 3, 0, Progress::Unit::items, "files", 1.0}, 80),
            "reading  3 files  3.0 files/s");
}

TEST(Progress, SilentWhereNobodyWatches) {
  testing::internal::CaptureStderr();  // a file, not a terminal
  {
    Progress progress("packing", 2, Progress::Unit::items, "tensors", false);
    progress.advance(1);
    progress.advance(1);
    EXPECT_EQ(progress.done(), 2);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Format, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.00 kB");
  EXPECT_EQ(format_bytes(12345678), "12.3 MB");
  EXPECT_EQ(format_bytes(999600000), "1.00 GB");
  EXPECT_EQ(format_bytes(5e15), "5000 TB");
}

TEST(Format, Durations) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(59.6), "1:00");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(-5), "0:00");
}

std::string logged(Log::Level level) {
  std::FILE* file = std::tmpfile();
  const Log log(level, file);
  log.info("loaded {}", "model");
  log.warning("{} kernels", "scalar");
  log.detail("probe {}", 3);
  std::rewind(file);
  std::string text(1000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(Log, Levels) {
  EXPECT_EQ(logged(Log::Level::quiet), "");
  EXPECT_EQ(logged(Log::Level::normal), "loaded model\nbittern: warning: scalar kernels\n");
  EXPECT_EQ(logged(Log::Level::verbose),
            "loaded model\nbittern: warning: scalar kernels\nprobe 3\n");
}

TEST(Suggest, Distance) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("threads", "thraeds"), 1) << "neighbours swapped are one edit";
  EXPECT_EQ(edit_distance("ca", "abc"), 3) << "no letter is edited twice";
}

TEST(Suggest, TheNearestNameOrNone) {
  const std::vector<std::string_view> flags{"--temperature", "--threads", "--top-k", "--top-p"};
  EXPECT_EQ(suggest("--thread", flags), "--threads");
  EXPECT_EQ(suggest("--temprature", flags), "--temperature");
  EXPECT_EQ(suggest("--topk", flags), "--top-k");
  EXPECT_EQ(suggest("--top-q", flags), "--top-k") << "the first of equals";
  EXPECT_EQ(suggest("--colour-of-the-sky", flags), std::nullopt);
  EXPECT_EQ(suggest(std::string(100000, 'x'), flags), std::nullopt);
  EXPECT_EQ(suggest("x", {}), std::nullopt);
}

TEST(Interrupt, TheFirstAsksAndTheSecondKills) {
  interrupt::install();
  EXPECT_FALSE(interrupt::requested());
  interrupt::check();
  std::raise(SIGINT);
  EXPECT_TRUE(interrupt::requested());
  EXPECT_EQ(test::thrown_by([] { interrupt::check(); })->kind, ErrorKind::interrupted);
  struct sigaction now {};
  ASSERT_EQ(::sigaction(SIGINT, nullptr, &now), 0);
  EXPECT_EQ(now.sa_handler, SIG_DFL) << "the next one has its default effect";
  interrupt::install();
  EXPECT_FALSE(interrupt::requested());
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace
}  // namespace bittern
