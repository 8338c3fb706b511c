#include "engine/repeat_drafter.h"

namespace bittern::engine {

size_t RepeatDrafter::class_of(int64_t length) {
  size_t found = 0;
  while (found + 1 < kLeastLength.size() && kLeastLength[found + 1] <= length) ++found;
  return found;
}

Guesses RepeatDrafter::guess(std::span<const int32_t> tokens, const GuessLimits& limits) {
  records_[last_class_].learn(last_guesses_,
                              tokens.subspan(static_cast<size_t>(automaton_.length())));
  while (automaton_.length() < std::ssize(tokens))
    automaton_.append(tokens[static_cast<size_t>(automaton_.length())]);
  last_guesses_.clear();
  const SuffixAutomaton::Repeat repeat = automaton_.longest_repeat();
  if (repeat.length == 0) return {};
  last_class_ = class_of(repeat.length);
  // A repeat that ends one period ago goes on with what is guessed itself.
  const int64_t period = std::ssize(tokens) - repeat.end;
  for (int64_t place = 0; place < limits.most; ++place)
    last_guesses_.push_back(tokens[static_cast<size_t>(repeat.end + place % period)]);
  return {last_guesses_, records_[last_class_].probability()};
}

}  // namespace bittern::engine
