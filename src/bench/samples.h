// What many short timings say together. On a shared machine a mean says little: a stall of one
// second in a run of ten moves it by a tenth. So work is cut into short slices, each timed by
// itself; the median counts, and the tenth and ninetieth percentiles say how quiet it was.
#pragma once

#include <cstdint>
#include <span>

namespace bittern::bench {

struct Spread {
  double median = 0.0;
  double p10 = 0.0, p90 = 0.0;
  double least = 0.0, most = 0.0;
  int64_t count = 0;
};

// The value below which a share `q` of the samples lies, linear between neighbours (the usual
// definition: numpy.quantile's default). `sorted` ascending, not empty.
double quantile(std::span<const double> sorted, double q);

// All zeros where there is no sample.
Spread spread_of(std::span<const double> samples);

// Each number of `a` plus that of `b`: two threads that ran side by side. Counts add up too.
Spread add(const Spread& a, const Spread& b);

// Each number times `factor`, which is positive.
Spread scaled(const Spread& spread, double factor);

}  // namespace bittern::bench
