#include "engine/repeat_drafter.h"

#include <algorithm>

namespace bittern::engine {
namespace {

// What one guess more counts for. Few guesses must tell whether a text repeats itself.
constexpr double kWeight = 0.1;

}  // namespace

size_t RepeatDrafter::class_of(int64_t length) {
  size_t found = 0;
  while (found + 1 < kLeastLength.size() && kLeastLength[found + 1] <= length) ++found;
  return found;
}

Guesses RepeatDrafter::guess(std::span<const int32_t> tokens, int64_t most) {
  learn(tokens.subspan(static_cast<size_t>(automaton_.length())));
  while (automaton_.length() < std::ssize(tokens))
    automaton_.append(tokens[static_cast<size_t>(automaton_.length())]);
  last_guesses_.clear();
  const SuffixAutomaton::Repeat repeat = automaton_.longest_repeat();
  if (repeat.length == 0) return {};
  last_class_ = class_of(repeat.length);
  // A repeat that ends one period ago goes on with what is guessed itself.
  const int64_t period = std::ssize(tokens) - repeat.end;
  for (int64_t place = 0; place < most; ++place)
    last_guesses_.push_back(tokens[static_cast<size_t>(repeat.end + place % period)]);
  return {last_guesses_, probability_[last_class_]};
}

void RepeatDrafter::learn(std::span<const int32_t> came) {
  double& probability = probability_[last_class_];
  for (size_t place = 0; place < std::min(came.size(), last_guesses_.size()); ++place) {
    const bool is_right = came[place] == last_guesses_[place];
    probability += kWeight * ((is_right ? 1.0 : 0.0) - probability);
    if (!is_right) return;
  }
}

}  // namespace bittern::engine
