#include "chat/grammar/decimal.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/nfa.h"
#include "chat/grammar/regex.h"

namespace bittern::chat::grammar {
namespace {

Automaton pattern(std::string_view expression) {
  return regular_language(expression, Anchored::whole, "numbers");
}

std::string zeros(size_t count) { return std::string(count, '0'); }

// Texts without sign of the values above `whole.fraction` (not below, where `inclusive`).
// By length: a whole part of more digits is larger; of as many, the first different digit decides.
Automaton magnitude_above(const Decimal& bound, bool inclusive) {
  Nfa nfa;
  const int32_t start = nfa.add_state(), final = nfa.add_state();
  const int32_t digits = nfa.add_state();  // larger whatever comes
  const int32_t point = nfa.add_state(), behind = nfa.add_state();
  nfa.on_bytes(digits, '0', '9', digits);
  nfa.on_empty(digits, final);
  nfa.on_bytes(digits, '.', '.', point);
  nfa.on_bytes(point, '0', '9', behind);
  nfa.on_bytes(behind, '0', '9', behind);
  nfa.on_empty(behind, final);
  const std::string& whole = bound.whole;
  // More digits in the whole part.
  int32_t at = nfa.add_state();
  nfa.on_bytes(start, '1', '9', at);
  for (size_t i = 1; i < whole.size(); ++i) {
    const int32_t next = nfa.add_state();
    nfa.on_bytes(at, '0', '9', next);
    at = next;
  }
  nfa.on_bytes(at, '0', '9', digits);
  // As many digits: equal up to i, then larger, then exactly the digits that are left.
  int32_t equal = start;
  std::vector<int32_t> larger{nfa.add_state()};  // by digits of the whole part still to come
  nfa.on_empty(larger[0], final);
  nfa.on_bytes(larger[0], '.', '.', point);
  for (size_t i = 1; i < whole.size(); ++i) {
    larger.push_back(nfa.add_state());
    nfa.on_bytes(larger[i], '0', '9', larger[i - 1]);
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] < '9') {
      const auto first = static_cast<uint8_t>(whole[i] + 1);
      nfa.on_bytes(equal, first, '9', larger[whole.size() - 1 - i]);
    }
    const int32_t next = nfa.add_state();
    nfa.on_bytes(equal, static_cast<uint8_t>(whole[i]), static_cast<uint8_t>(whole[i]), next);
    equal = next;
  }
  // The whole parts are equal: the fraction decides.
  const bool whole_enough = bound.fraction.empty() && inclusive;
  if (whole_enough) nfa.on_empty(equal, final);
  int32_t next = nfa.add_state();
  nfa.on_bytes(equal, '.', '.', next);
  for (const char digit : bound.fraction) {
    equal = next;
    if (digit < '9') nfa.on_bytes(equal, static_cast<uint8_t>(digit + 1), '9', behind);
    next = nfa.add_state();
    nfa.on_bytes(equal, static_cast<uint8_t>(digit), static_cast<uint8_t>(digit), next);
  }
  // All digits of the bound: more of them, other than zeros, make it larger.
  const int32_t tail = nfa.add_state();
  nfa.on_empty(next, tail);
  nfa.on_bytes(tail, '0', '0', tail);
  nfa.on_bytes(tail, '1', '9', behind);
  if (inclusive && !bound.fraction.empty()) nfa.on_empty(next, final);
  if (inclusive) {
    const int32_t zero = nfa.add_state();
    nfa.on_bytes(next, '0', '0', zero);
    nfa.on_bytes(zero, '0', '0', zero);
    nfa.on_empty(zero, final);
  }
  return nfa.deterministic(start, final);
}

Automaton with_minus(const Automaton& magnitudes) {
  Nfa nfa;
  const int32_t start = nfa.add_state(), first = nfa.add_state(), final = nfa.add_state();
  nfa.on_bytes(start, '-', '-', first);
  nfa.on_language(first, magnitudes, final);
  return nfa.deterministic(start, final);
}

const Automaton& unsigned_numbers() {
  static const Automaton made = pattern("(0|[1-9][0-9]*)(\\.[0-9]+)?");
  return made;
}
const Automaton& negative_texts() {
  static const Automaton made = pattern("-(0|[1-9][0-9]*)(\\.[0-9]+)?");
  return made;
}
const Automaton& zero_texts() {
  static const Automaton made = pattern("-?0(\\.0+)?");
  return made;
}

int64_t to_integer(const std::string& digits, const std::string& where) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value > kRemaindersMax)
    fail(ErrorKind::unsupported,
         "{}: a divisor of more than {} (its digits without the point) is "
         "not supported",
         where, kRemaindersMax);
  return value;
}

}  // namespace

std::string Decimal::text() const {
  return (negative ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction);
}

Decimal decimal(std::string_view json, const std::string& where) {
  Decimal result;
  size_t at = 0;
  if (!json.empty() && json[0] == '-') {
    result.negative = true;
    ++at;
  }
  std::string digits;
  int64_t point = -1;
  for (; at < json.size() && json[at] != 'e' && json[at] != 'E'; ++at) {
    if (json[at] == '.') {
      point = static_cast<int64_t>(digits.size());
    } else {
      digits += json[at];
    }
  }
  if (point < 0) point = static_cast<int64_t>(digits.size());
  if (at < json.size()) {
    ++at;
    if (at < json.size() && json[at] == '+') ++at;
    int64_t exponent = 0;
    const auto [end, error] =
        std::from_chars(json.data() + at, json.data() + json.size(), exponent);
    if (error != std::errc() || end != json.data() + json.size() ||
        std::abs(exponent) > static_cast<int64_t>(kDigitsMax))
      bad_input("{}: the number {} has more than {} digits, the limit", where, printable(json),
                kDigitsMax);
    point += exponent;
  }
  if (digits.size() > kDigitsMax)
    bad_input("{}: a number has more than {} digits, the limit", where, kDigitsMax);
  if (point < 0) {
    digits = zeros(static_cast<size_t>(-point)) + digits;
    point = 0;
  }
  if (point > static_cast<int64_t>(digits.size()))
    digits += zeros(static_cast<size_t>(point) - digits.size());
  result.whole = digits.substr(0, static_cast<size_t>(point));
  result.fraction = digits.substr(static_cast<size_t>(point));
  result.whole.erase(0, std::min(result.whole.find_first_not_of('0'), result.whole.size()));
  if (result.whole.empty()) result.whole = "0";
  result.fraction.erase(result.fraction.find_last_not_of('0') + 1);
  if (result.is_zero()) result.negative = false;
  return result;
}

const Automaton& all_numbers() {
  static const Automaton made = pattern("-?(0|[1-9][0-9]*)(\\.[0-9]+)?");
  return made;
}
const Automaton& integer_values() {
  static const Automaton made = pattern("-?(0|[1-9][0-9]*)(\\.0+)?");
  return made;
}
const Automaton& plain_integers() {
  static const Automaton made = pattern("-?(0|[1-9][0-9]*)");
  return made;
}
const Automaton& canonical_numbers() {
  static const Automaton made =
      difference(pattern("-?(0|[1-9][0-9]*)(\\.[0-9]*[1-9])?"), literal("-0"));
  return made;
}

Automaton equal_to(const Decimal& value) {
  if (value.is_zero()) return zero_texts();
  Nfa nfa;
  const int32_t start = nfa.add_state(), final = nfa.add_state(), end = nfa.add_state();
  nfa.on_text(start, value.text(), end);
  nfa.on_empty(end, final);
  const int32_t zero = nfa.add_state();
  if (value.is_integer()) {
    const int32_t point = nfa.add_state();
    nfa.on_bytes(end, '.', '.', point);
    nfa.on_bytes(point, '0', '0', zero);
  } else {
    nfa.on_bytes(end, '0', '0', zero);
  }
  nfa.on_bytes(zero, '0', '0', zero);
  nfa.on_empty(zero, final);
  return nfa.deterministic(start, final);
}

Automaton above(const Decimal& bound, bool inclusive) {
  if (bound.negative) {
    // Every value that is not below it.
    Decimal magnitude = bound;
    magnitude.negative = false;
    return difference(all_numbers(), with_minus(magnitude_above(magnitude, !inclusive)));
  }
  Automaton made = magnitude_above(bound, inclusive);
  if (bound.is_zero()) {
    // -0 is zero.
    made = inclusive ? union_of(made, zero_texts()) : difference(made, zero_texts());
  }
  return made;
}

Automaton below(const Decimal& bound, bool inclusive) {
  return difference(all_numbers(), above(bound, !inclusive));
}

// With k digits behind the point of the divisor p / 10^k: the digits of x * 10^k, read from the
// left, keep a remainder; past k digits of fraction only zeros.
Automaton multiples_of(const Decimal& divisor, const std::string& where) {
  std::string digits = divisor.whole + divisor.fraction;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  const int64_t p = to_integer(digits, where);
  const auto k = static_cast<int64_t>(divisor.fraction.size());
  if (p * (k + 1) > kRemaindersMax)
    fail(ErrorKind::unsupported, "{}: it needs {} states, the limit is {}", where, p * (k + 1),
         kRemaindersMax);
  int64_t power = 1;  // 10^(k - j) mod p, j from k down
  std::vector<int64_t> left(static_cast<size_t>(k) + 1);
  for (int64_t j = k; j >= 0; --j) {
    left[static_cast<size_t>(j)] = power % p;
    power = power * 10 % p;
  }
  // State 1 + j * p + r: j digits of the fraction read (0: in the whole part), remainder r.
  Automaton made;
  made.states.resize(static_cast<size_t>(2 + p * (k + 1)));
  const auto state = [&](int64_t j, int64_t r) { return static_cast<int32_t>(1 + j * p + r); };
  const auto tail = static_cast<int32_t>(made.states.size()) - 1;  // zeros that mean nothing
  for (int64_t j = 0; j <= k; ++j) {
    for (int64_t r = 0; r < p; ++r) {
      State& from = made.states[static_cast<size_t>(state(j, r))];
      from.accept = r * left[static_cast<size_t>(j)] % p == 0;
      if (j == k) {
        if (j > 0 && r == 0) from.bytes.push_back({'0', '0', tail});
        if (j > 0) continue;
      }
      for (int digit = 0; digit < 10; ++digit) {
        const auto byte = static_cast<uint8_t>('0' + digit);
        from.bytes.push_back({byte, byte, state(j == 0 ? 0 : j + 1, (r * 10 + digit) % p)});
      }
    }
  }
  made.states[static_cast<size_t>(tail)].accept = true;
  made.states[static_cast<size_t>(tail)].bytes.push_back({'0', '0', tail});
  // The start reads like remainder 0 of the whole part; the point leads to the first digit of the
  // fraction, by states of their own, as no text ends in a point.
  for (int digit = 0; digit < 10; ++digit) {
    const auto byte = static_cast<uint8_t>('0' + digit);
    made.states[0].bytes.push_back({byte, byte, state(0, digit % p)});
  }
  for (int64_t r = 0; r < p; ++r) {
    const auto point = static_cast<int32_t>(made.states.size());
    State behind;
    if (k == 0) {
      if (r == 0) behind.bytes.push_back({'0', '0', tail});
    } else {
      for (int digit = 0; digit < 10; ++digit) {
        const auto byte = static_cast<uint8_t>('0' + digit);
        behind.bytes.push_back({byte, byte, state(1, (r * 10 + digit) % p)});
      }
    }
    made.states.push_back(std::move(behind));
    auto& edges = made.states[static_cast<size_t>(state(0, r))].bytes;
    edges.insert(edges.begin(), {'.', '.', point});
  }
  // Adding the sign, and dropping 012 and the like.
  const Automaton magnitudes = intersection(made, unsigned_numbers());
  return union_of(magnitudes, intersection(with_minus(magnitudes), negative_texts()));
}

}  // namespace bittern::chat::grammar
