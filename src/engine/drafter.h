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

// Of one text, whose tokens only grow between calls.
class Drafter {
 public:
  virtual ~Drafter() = default;
  // At most `most` tokens that may follow `tokens`; any number less, none where it has no idea.
  // What has come since the last call tells how right those guesses were, computed or not.
  virtual Guesses guess(std::span<const int32_t> tokens, int64_t most) = 0;
};

using MakeDrafter = std::function<std::unique_ptr<Drafter>()>;

}  // namespace bittern::engine
