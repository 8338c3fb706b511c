// Regular expressions of foreign vocabularies, which no hand-written scanner knows: Oniguruma with
// its own syntax over UTF-8, as Python's `tokenizers` has it. Patterns and texts are both hostile,
// so every search is bounded in steps and stack; one that would pass the bound throws.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::text {

class Regex {
 public:
  // Throws bad_input naming `source` where the pattern is not one.
  Regex(std::string_view pattern, std::string_view source);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  struct Match {
    size_t begin, end;
  };
  // All matches in valid UTF-8 from the left, without overlap; an empty match right behind another
  // match is passed over. Throws bad_input where the bound on work is passed. Thread-safe.
  std::vector<Match> find_all(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  std::string source_, pattern_;
};

// The same for a pattern that stands for itself; an empty one is found nowhere.
std::vector<Regex::Match> find_literal(std::string_view text, std::string_view pattern);

}  // namespace bittern::text
