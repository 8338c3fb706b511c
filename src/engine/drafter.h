// Guesses at what follows a text. The engine computes guesses beside the next token and keeps those
// that equal what it draws, so they change how long a text takes and nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace bittern::engine {

struct Guesses {
  std::vector<int32_t> tokens;
  // How often a guess like these was right when those before it were.
  double probability = 0.0;
};

struct GuessLimits {
  int64_t most = 0;            // guesses
  double token_seconds = 0.0;  // what a token of the text takes without guesses; 0: not known yet
};

// Of one text, whose tokens only grow between calls.
class Drafter {
 public:
  virtual ~Drafter() = default;
  // What may follow `tokens`; no guesses where it has no idea. What has come since the last call
  // tells how right those guesses were, computed or not.
  virtual Guesses guess(std::span<const int32_t> tokens, const GuessLimits& limits) = 0;
  // The text is `tokens`, prompt and all, and others of its tenant may be guessed by it.
  virtual void ended(std::span<const int32_t> tokens) { static_cast<void>(tokens); }
};

// How right guesses are, learned one by one: few must tell.
class GuessRecord {
 public:
  explicit GuessRecord(double probability) : probability_(probability) {}
  double probability() const { return probability_; }
  // `came` followed where `guesses` were made.
  void learn(std::span<const int32_t> guesses, std::span<const int32_t> came);

 private:
  double probability_;
};

struct Request;
using MakeDrafter = std::function<std::unique_ptr<Drafter>(const Request& request)>;

}  // namespace bittern::engine
