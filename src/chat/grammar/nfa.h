// A non-deterministic automaton under construction, and the subset construction that makes it
// deterministic. Calls of rules are symbols like bytes. Empty moves may hold only at the start or
// only at the end of the text, which gives ^ and $ of regular expressions their meaning anywhere.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chat/grammar/automaton.h"
#include "chat/grammar/characters.h"

namespace bittern::chat::grammar {

class Nfa {
 public:
  enum class When : uint8_t { always, at_start, at_end };

  int32_t add_state();
  void on_bytes(int32_t from, uint8_t first, uint8_t last, int32_t to);
  void on_empty(int32_t from, int32_t to, When when = When::always);
  void on_call(int32_t from, int32_t rule, int32_t to);
  void on_text(int32_t from, std::string_view text, int32_t to);
  void on_characters(int32_t from, const Characters& tidy, int32_t to);
  void on_language(int32_t from, const Automaton& language, int32_t to);

  // Minimal. Throws Error{bad_input} past kAutomatonStatesMax or kSubsetWorkMax.
  Automaton deterministic(int32_t start, int32_t final) const;

 private:
  friend class Subsets;
  struct Empty {
    int32_t target;
    When when;
  };
  struct Node {
    std::vector<ByteEdge> bytes;
    std::vector<CallEdge> calls;
    std::vector<Empty> empties;
  };
  std::vector<Node> nodes_;
};

}  // namespace bittern::chat::grammar
