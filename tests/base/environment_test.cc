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
  const auto former = get(Variable::models);
  ::unsetenv("BITTERN_MODELS");
  EXPECT_EQ(get(Variable::models), std::nullopt);
  ::setenv("BITTERN_MODELS", "", 1);
  EXPECT_EQ(get(Variable::models), std::nullopt);
  ::setenv("BITTERN_MODELS", "/models", 1);
  EXPECT_EQ(get(Variable::models), "/models");
  ::unsetenv("BITTERN_MODELS");
  if (former) ::setenv("BITTERN_MODELS", former->c_str(), 1);
}

}  // namespace
}  // namespace bittern::environment
