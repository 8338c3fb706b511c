// Guesses that a text goes on as it did before, or as an earlier text did: the longest end of it
// that stood somewhere is looked up, and what followed there is copied (prompt lookup). Good for
// edits, extracts, answers from a document, code, and questions that come again; for free text it
// soon says nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "engine/drafter.h"
#include "engine/suffix_automaton.h"
#include "engine/text_pool.h"

namespace bittern::engine {

class RepeatDrafter final : public Drafter {
 public:
  // `pool`: earlier texts; may be null.
  explicit RepeatDrafter(std::shared_ptr<TextPool> pool = nullptr) : pool_(std::move(pool)) {}
  Guesses guess(std::span<const int32_t> tokens, const GuessLimits& limits) override;
  void ended(std::span<const int32_t> tokens) override;

 private:
  // Longer repeats are righter: each class of lengths is learned by itself, and those of other
  // texts by themselves.
  static constexpr std::array<int64_t, 5> kLeastLength = {1, 2, 4, 8, 16};
  using Records = std::array<GuessRecord, kLeastLength.size()>;
  static size_t class_of(int64_t length);

  std::shared_ptr<TextPool> pool_;
  SuffixAutomaton automaton_;
  Records own_ = {GuessRecord(0.1), GuessRecord(0.3), GuessRecord(0.5), GuessRecord(0.7),
                  GuessRecord(0.85)};
  Records others_ = own_;
  GuessRecord* last_record_ = &own_[0];
  std::vector<int32_t> last_guesses_;
};

// Drafters of an engine's texts: with pools of `pool_tokens` tokens that have ended, or none (0).
inline constexpr int64_t kPoolTokens = int64_t{1} << 18;
MakeDrafter repeat_drafters(int64_t pool_tokens = kPoolTokens);

}  // namespace bittern::engine
