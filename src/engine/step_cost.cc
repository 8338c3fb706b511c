#include "engine/step_cost.h"

#include <algorithm>

namespace bittern::engine {
namespace {

// A new measurement counts so much: steps differ by what else the machine does. One that another
// process held up is no measure of the step: beyond twice the average it counts as that.
constexpr double kWeight = 0.25;

void learn(double value, double& average) {
  average = average == 0.0 ? value : average + kWeight * std::min(value - average, average);
}

}  // namespace

void StepCost::observe(int64_t decode_rows, int64_t prompt_rows, double seconds) {
  const int64_t rows = std::min(decode_rows, kRows);
  if (prompt_rows == 0) {
    learn(seconds, decode_seconds_[static_cast<size_t>(rows)]);
    return;
  }
  // Decoding rows come and go during a long prompt, in numbers that never were alone: the nearest
  // number that was speaks for them. Where none is known, all of it counts for the prompt: that
  // errs on the side of those who wait.
  const double rest = seconds - decode_seconds(rows);
  if (rest > 0.0) learn(rest / static_cast<double>(prompt_rows), row_seconds_);
}

double StepCost::decode_seconds(int64_t rows) const {
  rows = std::min(rows, kRows);
  if (rows == 0) return 0.0;
  const auto seen = [&](int64_t count) { return decode_seconds_[static_cast<size_t>(count)]; };
  int64_t fewer = rows, more = rows;
  while (fewer > 0 && seen(fewer) == 0.0) --fewer;
  while (more <= kRows && seen(more) == 0.0) ++more;
  if (fewer == 0) return more <= kRows ? seen(more) : 0.0;
  if (fewer == rows || more > kRows) return seen(fewer);
  const double share = static_cast<double>(rows - fewer) / static_cast<double>(more - fewer);
  return seen(fewer) + share * (seen(more) - seen(fewer));
}

int64_t StepCost::prompt_rows(int64_t decode_rows, int64_t most) const {
  if (decode_rows == 0) return most;
  const double decode = decode_seconds(decode_rows);
  if (decode == 0.0 || row_seconds_ == 0.0) return std::min(most, kFirstRows);
  const double rows = (kGap - 1.0) * decode / row_seconds_;
  return rows < static_cast<double>(most)
             ? std::clamp(static_cast<int64_t>(rows), std::min(kLeastRows, most), most)
             : most;
}

int64_t StepCost::guess_rows(int64_t decode_rows, double probability, int64_t most) const {
  // What guesses gain is known only beside what the step takes without them.
  const double alone = decode_seconds_[static_cast<size_t>(std::min(decode_rows, kRows))];
  if (alone == 0.0) return 0;
  int64_t best = 0;
  double tokens = 1.0, right = 1.0, best_gain = kLeastGain;
  double seconds = alone;
  for (int64_t guesses = 1; guesses <= most; ++guesses) {
    right *= probability;
    tokens += right;
    // More rows never take less, whatever was measured.
    seconds = std::max(seconds, decode_seconds(decode_rows + guesses));
    // Others in the step wait for the guesses of this one.
    const double others = static_cast<double>(decode_rows - 1);
    const double gain = (others + tokens) / static_cast<double>(decode_rows) * alone / seconds;
    if (gain <= best_gain) continue;
    best = guesses;
    best_gain = gain;
  }
  return best;
}

}  // namespace bittern::engine
