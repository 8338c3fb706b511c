// A deterministic automaton over bytes, with calls of other rules as further symbols: what every
// rule of a grammar becomes. Without calls it is a regular language, and closed under the set
// operations below, which is how `not`, `oneOf` and bounds of numbers are made exact.
//
// State 0 is the start; an automaton without states matches nothing. Edges are sorted and disjoint.
// Every state lies on a way from the start to an accepting state, so to be in a state is to be able
// to finish (while the called rules can).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::chat::grammar {

struct ByteEdge {
  uint8_t first, last;
  int32_t target;
  bool operator==(const ByteEdge&) const = default;
};
struct CallEdge {
  int32_t rule, target;
  bool operator==(const CallEdge&) const = default;
};
struct State {
  std::vector<ByteEdge> bytes;
  std::vector<CallEdge> calls;
  bool accept = false;
  bool operator==(const State&) const = default;

  // -1: none.
  int32_t next(uint8_t byte) const {
    for (const ByteEdge& edge : bytes)
      if (byte <= edge.last) return byte >= edge.first ? edge.target : -1;
    return -1;
  }
};
struct Automaton {
  std::vector<State> states;
  bool operator==(const Automaton&) const = default;

  bool matches_nothing() const { return states.empty(); }
};

// Drops what cannot be reached or cannot finish; calls of rules for which `productive` says no are
// dropped first (null: all can). State 0 stays the start.
void trim(Automaton& automaton, const std::function<bool(int32_t rule)>& productive = {});

// The smallest automaton of the same language, numbered canonically: equal languages (without
// calls) give equal automata. Trims.
Automaton minimised(Automaton automaton);

// Set operations on automata without calls; results are minimised. Throw Error{bad_input} past
// kAutomatonStatesMax.
Automaton intersection(const Automaton& a, const Automaton& b);
Automaton union_of(const Automaton& a, const Automaton& b);
Automaton difference(const Automaton& a, const Automaton& b);

// Exactly the given text.
Automaton literal(std::string_view text);
bool accepts(const Automaton& automaton, std::string_view text);
// Every text of the language in byte order, where there are at most `limit`; nothing otherwise.
std::optional<std::vector<std::string>> listed(const Automaton& automaton, size_t limit);

}  // namespace bittern::chat::grammar
