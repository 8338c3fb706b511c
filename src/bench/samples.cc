#include "bench/samples.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace bittern::bench {

double quantile(std::span<const double> sorted, double q) {
  BITTERN_CHECK(!sorted.empty() && q >= 0.0 && q <= 1.0, "quantile {} of {}", q, sorted.size());
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = place - static_cast<double>(below);
  return sorted[below] + (sorted[above] - sorted[below]) * share;
}

Spread spread_of(std::span<const double> samples) {
  if (samples.empty()) return {};
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return {.median = quantile(sorted, 0.5),
          .p10 = quantile(sorted, 0.1),
          .p90 = quantile(sorted, 0.9),
          .least = sorted.front(),
          .most = sorted.back(),
          .count = static_cast<int64_t>(sorted.size())};
}

Spread add(const Spread& a, const Spread& b) {
  return {.median = a.median + b.median,
          .p10 = a.p10 + b.p10,
          .p90 = a.p90 + b.p90,
          .least = a.least + b.least,
          .most = a.most + b.most,
          .count = a.count + b.count};
}

Spread scaled(const Spread& spread, double factor) {
  return {.median = spread.median * factor,
          .p10 = spread.p10 * factor,
          .p90 = spread.p90 * factor,
          .least = spread.least * factor,
          .most = spread.most * factor,
          .count = spread.count};
}

}  // namespace bittern::bench
