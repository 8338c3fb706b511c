#include "cli/choice_stream.h"

#include <gtest/gtest.h>

namespace bittern::cli {
namespace {

class ChoiceStreamTest : public testing::Test {
 protected:
  ChoiceStream stream(int64_t choices, std::string echo = "") {
    return {choices, std::move(echo), [this](std::string_view text) { shown_ += text; }};
  }
  std::string shown_;
};

TEST_F(ChoiceStreamTest, ASingleTextStandsAlone) {
  ChoiceStream one = stream(1);
  one.add(0, "a");
  EXPECT_EQ(shown_, "a") << "at once";
  one.add(0, "");
  one.end(0);
  EXPECT_EQ(shown_, "a\n");
}

TEST_F(ChoiceStreamTest, ALineThatHasEndedIsLeftSo) {
  ChoiceStream one = stream(1);
  one.add(0, "a\n");
  one.add(0, "");
  one.end(0);
  EXPECT_EQ(shown_, "a\n");
  shown_.clear();
  ChoiceStream empty = stream(1, "echoed\n");
  empty.end(0);
  EXPECT_EQ(shown_, "echoed\n\n");
}

TEST_F(ChoiceStreamTest, OneAfterTheOtherWhateverTheOrder) {
  ChoiceStream three = stream(3, ">");
  three.add(1, "b1 ");
  three.add(0, "a1 ");
  EXPECT_EQ(shown_, "--- choice 1 ---\n>a1 ");
  three.add(2, "c1");
  three.end(2);
  three.add(0, "a2");
  EXPECT_EQ(shown_, "--- choice 1 ---\n>a1 a2");
  three.end(0);
  EXPECT_EQ(shown_, "--- choice 1 ---\n>a1 a2\n--- choice 2 ---\n>b1 ");
  three.add(1, "b2\n");
  three.end(1);
  EXPECT_EQ(shown_, "--- choice 1 ---\n>a1 a2\n--- choice 2 ---\n>b1 b2\n--- choice 3 ---\n>c1\n");
}

}  // namespace
}  // namespace bittern::cli
