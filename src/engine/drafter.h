// Guesses at what follows a text. The engine computes guesses beside the next token and keeps those
// that equal what it draws, so they change how long a text takes and nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace bittern::engine {

// Of one text, whose tokens only grow between calls.
class Drafter {
 public:
  virtual ~Drafter() = default;
  // At most `most` tokens that may follow `tokens`; any number less, none where it has no idea.
  virtual std::vector<int32_t> guess(std::span<const int32_t> tokens, int64_t most) = 0;
};

using MakeDrafter = std::function<std::unique_ptr<Drafter>()>;

}  // namespace bittern::engine
