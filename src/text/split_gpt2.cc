#include "text/split_gpt2.h"

#include "text/unicode.h"

namespace bittern::text::scan {
namespace {

// What the Digits stage isolates: the numbers of a newer Unicode than Oniguruma's.
struct StopAtDigits {
  static bool stops(Char c) {
    if (c.category != 0) return c.is(kNumber);
    return c.length > 1 && (properties(c.code_point) & kDigit) != 0;
  }
};

}  // namespace

Place single_digits_piece(Place at, Place end) {
  const Char c = decode(at, end);
  return StopAtDigits::stops(c) ? at + c.length : gpt2_piece<StopAtDigits>(at, end);
}

Place upper_then_lower(Place at, Place end) {
  Place behind_caseless = nullptr;  // of the last one in U*
  Place run = at;
  while (run != end && *run >= 'A' && *run <= 'Z') ++run;
  Char c = decode(run, end);
  for (; c.is(kU); c = decode(run, end)) {
    run += c.length;
    if (c.is(kCaseless)) behind_caseless = run;
  }
  if (c.is(kLower)) {
    run = skip_ascii<false>(run, end);
    return skip<NoStop>(run, end, kL);
  }
  return behind_caseless != nullptr ? behind_caseless : at;
}

}  // namespace bittern::text::scan
