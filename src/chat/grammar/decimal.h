// Numbers as regular languages of their decimal text: -?(0|[1-9][0-9]*)(\.[0-9]+)?, any number of
// zeros behind the fraction. A bound or a divisor becomes an automaton over these texts, exact for
// every value, so sets of numbers are closed under "and", "or" and "not" with no rounding anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/grammar/automaton.h"

namespace bittern::chat::grammar {

// A JSON number taken apart: (-1)^negative * whole.fraction, without zeros that mean nothing.
struct Decimal {
  bool negative = false;
  std::string whole = "0";  // no zeros in front of others
  std::string fraction;     // no zeros at the end
  bool operator==(const Decimal&) const = default;

  bool is_zero() const { return whole == "0" && fraction.empty(); }
  bool is_integer() const { return fraction.empty(); }
  std::string text() const;
};
// Reads any JSON number. Throws Error{bad_input} past kDigitsMax digits, beginning with `where`.
Decimal decimal(std::string_view json, const std::string& where);

// Every decimal text; those of integers (1.0 is one); those of integers without a fraction.
const Automaton& all_numbers();
const Automaton& integer_values();
const Automaton& plain_integers();
// The texts with this value.
Automaton equal_to(const Decimal& value);
// The texts with a value above (or, `inclusive`, not below) the bound; below likewise.
Automaton above(const Decimal& bound, bool inclusive);
Automaton below(const Decimal& bound, bool inclusive);
// Multiples of a positive number. Throws Error{unsupported} past kRemaindersMax states.
Automaton multiples_of(const Decimal& divisor, const std::string& where);
// One text for each value: no zeros at the end of a fraction, no -0.
const Automaton& canonical_numbers();

}  // namespace bittern::chat::grammar
