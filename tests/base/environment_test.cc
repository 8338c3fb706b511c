#include "base/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace bittern::environment {
namespace {

TEST(Environment, TheTableIsInTheOrderOfTheEnum) {
  for (size_t i = 0; i < table().size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(table()[i].variable), i);
    EXPECT_EQ(name(table()[i].variable), table()[i].name);
    EXPECT_FALSE(table()[i].meaning.empty());
  }
}

TEST(Environment, UnsetAndEmptyAreNothing) {
  ::unsetenv("BITTERN_HOME");
  EXPECT_EQ(get(Variable::home), std::nullopt);
  ::setenv("BITTERN_HOME", "", 1);
  EXPECT_EQ(get(Variable::home), std::nullopt);
  ::setenv("BITTERN_HOME", "/models", 1);
  EXPECT_EQ(get(Variable::home), "/models");
  ::unsetenv("BITTERN_HOME");
}

}  // namespace
}  // namespace bittern::environment
