// Texts that have ended, for guesses at others: where the last few tokens of a text stood in an
// earlier one, and what followed there (prompt lookup over requests). A ring of tokens, an index of
// every run of kGram of them; what the ring writes over is forgotten.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace bittern::engine {

class TextPool {
 public:
  // Tokens that must be equal before a text counts as the same.
  static constexpr int64_t kGram = 4;

  explicit TextPool(int64_t capacity);

  void add(std::span<const int32_t> tokens);

  struct Match {
    int64_t length = 0;                  // of the equal tokens, as far as they are looked at
    std::span<const int32_t> following;  // valid until add()
  };
  // The last place where `tokens` ends, kGram tokens of it at least; at most `most` tokens that
  // followed. Empty where there is none.
  Match find(std::span<const int32_t> tokens, int64_t most) const;

 private:
  std::vector<int32_t> ring_;                     // kEnd behind each text
  std::unordered_map<uint64_t, int64_t> places_;  // of a run: behind its last token, the last one
  int64_t end_ = 0;                               // tokens written, ever
};

// One for each tenant: what one of them wrote is never guessed for another, as the time a guess
// saves would tell.
class TextPools {
 public:
  TextPools(int64_t capacity, size_t most_tenants);
  std::shared_ptr<TextPool> of(const std::string& tenant);

 private:
  struct Entry {
    std::shared_ptr<TextPool> pool;
    uint64_t used_at = 0;
  };
  int64_t capacity_;
  size_t most_tenants_;
  std::map<std::string, Entry> pools_;
  uint64_t uses_ = 0;
};

}  // namespace bittern::engine
