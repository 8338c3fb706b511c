// Guesses that a text goes on as it did before: the longest end of it that stood earlier is looked
// up, and what followed there is copied (prompt lookup). Good for edits, extracts, answers from a
// document, code; for free text it soon says nothing.
#pragma once

#include <array>
#include <cstdint>

#include "engine/drafter.h"
#include "engine/suffix_automaton.h"

namespace bittern::engine {

class RepeatDrafter final : public Drafter {
 public:
  Guesses guess(std::span<const int32_t> tokens, const GuessLimits& limits) override;

 private:
  // Longer repeats are righter: each class of lengths is learned by itself.
  static constexpr std::array<int64_t, 5> kLeastLength = {1, 2, 4, 8, 16};
  static size_t class_of(int64_t length);

  SuffixAutomaton automaton_;
  std::array<GuessRecord, 5> records_ = {GuessRecord(0.1), GuessRecord(0.3), GuessRecord(0.5),
                                         GuessRecord(0.7), GuessRecord(0.85)};
  size_t last_class_ = 0;
  std::vector<int32_t> last_guesses_;
};

}  // namespace bittern::engine
