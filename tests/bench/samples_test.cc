// Quantiles as numpy.quantile gives them.
#include "bench/samples.h"

#include <gtest/gtest.h>

#include <vector>

namespace bittern::bench {
namespace {

TEST(Samples, QuantilesAreNumpys) {
  // numpy.quantile([1, 2, 4, 8, 16], [0, .1, .25, .5, .9, 1])
  const std::vector<double> sorted = {1, 2, 4, 8, 16};
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.1), 1.4);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.25), 2.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.5), 4.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.9), 12.8);
  EXPECT_DOUBLE_EQ(quantile(sorted, 1.0), 16.0);
}

TEST(Samples, SpreadDoesNotCareForOrder) {
  const Spread spread = spread_of(std::vector<double>{8, 1, 16, 4, 2});
  EXPECT_DOUBLE_EQ(spread.median, 4.0);
  EXPECT_DOUBLE_EQ(spread.p10, 1.4);
  EXPECT_DOUBLE_EQ(spread.p90, 12.8);
  EXPECT_DOUBLE_EQ(spread.least, 1.0);
  EXPECT_DOUBLE_EQ(spread.most, 16.0);
  EXPECT_EQ(spread.count, 5);
  EXPECT_DOUBLE_EQ(spread_of(std::vector<double>{3, 1}).median, 2.0);
  EXPECT_DOUBLE_EQ(spread_of(std::vector<double>{7}).p90, 7.0);
  EXPECT_EQ(spread_of({}).count, 0);
}

TEST(Samples, AddsAndScales) {
  const Spread a = spread_of(std::vector<double>{1, 2, 3});
  EXPECT_DOUBLE_EQ(add(a, a).median, 4.0);
  EXPECT_EQ(add(a, a).count, 6);
  EXPECT_DOUBLE_EQ(scaled(a, 10.0).most, 30.0);
  EXPECT_EQ(scaled(a, 10.0).count, 3);
}

}  // namespace
}  // namespace bittern::bench
