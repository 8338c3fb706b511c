#include "format/token_ids.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace bittern::format {
namespace {

TEST(TokenIds, IsAMap) {
  std::mt19937 random(7);
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back(std::to_string(random() % 2000));
  for (const size_t reserved : {0, 10, 5000}) {
    TokenIds ids;
    EXPECT_EQ(ids.find("1"), -1);
    if (reserved > 0) ids.reserve(reserved);
    std::map<std::string, int32_t> wanted;
    for (int32_t i = 0; i < 3000; ++i) {
      const std::string& text = texts[static_cast<size_t>(i)];
      if (i % 3 == 0) {
        ids.set(text, i);
        wanted[text] = i;
      } else {
        EXPECT_EQ(ids.add(text, i), wanted.emplace(text, i).second);
      }
    }
    for (int i = 0; i < 2100; ++i) {
      const std::string text = std::to_string(i);
      const auto it = wanted.find(text);
      EXPECT_EQ(ids.find(text), it == wanted.end() ? -1 : it->second);
    }
    EXPECT_TRUE(ids.add("", 5));
    EXPECT_EQ(ids.find(""), 5);
  }
}

}  // namespace
}  // namespace bittern::format
