// Regular expressions as automata: ECMA-262 syntax read as with the u flag, by characters.
//
//   supported  literals, . [...] [^...] \d \D \w \W \s \S, \t \n \r \f \v \0 \cX \xHH \uHHHH
//              \u{H...}, groups (capturing, named, (?:...)), | * + ? {m} {m,} {m,n} and their lazy
//              forms (the same texts), ^ and $ anywhere
//   refused    look-around, references, \b \B, \p{...} but L, N and M and their parts that the
//              tables know, flags in groups, possessive and atomic forms
//
// \d, \w and \s have ECMA's meaning (ASCII digits and word characters, Unicode spaces).
#pragma once

#include <string>
#include <string_view>

#include "chat/grammar/automaton.h"

namespace bittern::chat::grammar {

enum class Anchored : uint8_t {
  whole,   // the whole text matches
  search,  // some part of the text matches, as JSON Schema's pattern means it
};

// The texts (UTF-8) that match. Throws Error{bad_input} where malformed or past a limit,
// Error{unsupported} for what is refused; messages begin with `where`.
Automaton regular_language(std::string_view expression, Anchored anchored,
                           const std::string& where);

}  // namespace bittern::chat::grammar
