// States sorted into classes that no text of at most `rounds` bytes tells apart (Moore's partition
// refinement, each round looking only at states before what changed in the last one, so that a long
// chain that counts costs its length and not its square).
// Without a bound this minimises automata; with the length of tokens as the bound it finds states
// that share their token mask (mask.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chat/grammar/automaton.h"

namespace bittern::chat::grammar {

inline constexpr int kUnboundedRounds = 1 << 30;

// `classes`: what tells states apart at once. `with_calls`: calls are symbols too.
std::vector<int32_t> refined(std::span<const State> states, std::vector<int32_t> classes,
                             int rounds, bool with_calls);

}  // namespace bittern::chat::grammar
