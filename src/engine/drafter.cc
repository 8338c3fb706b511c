#include "engine/drafter.h"

#include <algorithm>

namespace bittern::engine {
namespace {

constexpr double kWeight = 0.1;  // of one guess

}  // namespace

void GuessRecord::learn(std::span<const int32_t> guesses, std::span<const int32_t> came) {
  for (size_t place = 0; place < std::min(guesses.size(), came.size()); ++place) {
    const bool is_right = guesses[place] == came[place];
    probability_ += kWeight * ((is_right ? 1.0 : 0.0) - probability_);
    if (!is_right) return;
  }
}

}  // namespace bittern::engine
