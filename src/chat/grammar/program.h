// A compiled grammar: the automata of all rules in one array of states. Immutable.
//
// Text is matched by a set of pairs (state, stack of states to return to); a state's own edges keep
// the stack, a call pushes, an accepting state pops. A call whose target only returns is a tail
// call: it pushes nothing, so right recursion does not grow the stack.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "chat/grammar/automaton.h"
#include "chat/grammar/expression.h"

namespace bittern::chat::grammar {

inline constexpr int32_t kTailCall = -1;

// Tokens of at most this many bytes share masks between states that no text of that length tells
// apart; longer tokens (the last bucket) are looked at state by state.
inline constexpr std::array<int, 2> kBucketBytes{6, 16};
inline constexpr size_t kBuckets = kBucketBytes.size() + 1;

struct Program {
  std::vector<State> states;        // targets of byte edges are indices into this
  std::vector<int32_t> rule_start;  // CallEdge::rule is an index into this
  int32_t start = 0;
  // For each bucket of tokens, the class of each state.
  std::array<std::vector<int32_t>, kBuckets> classes;

  // Text can end here or go on in another rule.
  bool is_exit(int32_t state) const { return states[state].accept || !states[state].calls.empty(); }
};

// Throws Error{bad_input}: left recursion (naming the rules), a grammar that matches nothing, or a
// limit of limits.h.
Program compile(const Rules& rules, RuleId root);

}  // namespace bittern::chat::grammar
