// Filters of single values: numbers, defaults, attributes.
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "chat/jinja/characters.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/string_operations.h"

namespace bittern::chat::jinja::value_filter {
namespace {

using Args = const Arguments&;

[[noreturn]] void fail_overflow(Interpreter& run) {
  run.fail("an integer outside 64 bits, which are all there are here");
}

// Digits with single underscores between them, less those; nothing for another text.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
      continue;
    }
    const auto digit = [&](size_t at) {
      return at < text.size() && ((text[at] >= '0' && text[at] <= '9') ||
                                  ((text[at] | 32) >= 'a' && (text[at] | 32) <= 'z'));
    };
    if (i == 0 || !digit(i - 1) || !digit(i + 1)) return std::nullopt;
  }
  return digits;
}

// Python's int(text, base).
std::optional<int64_t> parse_whole(Interpreter& run, const Str& text, int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;  // read as a float then
  std::string_view rest = stripped(run.heap, text, nullptr, Side::both)->bytes;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.size() > 2 && rest[0] == '0') {
    const char kind = static_cast<char>(rest[1] | 32);
    const int64_t prefixed = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    if (prefixed != 0 && (base == prefixed || base == 0)) {
      base = prefixed;
      rest.remove_prefix(rest[2] == '_' ? 3 : 2);
    }
  }
  const bool any_base = base == 0;
  if (any_base) base = 10;
  const auto digits = without_underscores(rest);
  if (!digits || digits->empty() || (*digits)[0] == '-') return std::nullopt;
  if (any_base && digits->size() > 1 && (*digits)[0] == '0' &&
      digits->find_first_not_of('0') != std::string::npos)
    return std::nullopt;
  const std::string signed_digits = (negative ? "-" : "") + *digits;
  int64_t number = 0;
  const char* end = signed_digits.data() + signed_digits.size();
  const auto result = std::from_chars(signed_digits.data(), end, number, static_cast<int>(base));
  if (result.ptr != end) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) fail_overflow(run);
  if (result.ec != std::errc()) return std::nullopt;
  return number;
}

// Python's float(text).
std::optional<double> parse_real(Interpreter& run, const Str& text) {
  std::string_view rest = stripped(run.heap, text, nullptr, Side::both)->bytes;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const auto digits = without_underscores(rest);
  if (!digits || digits->empty() || (*digits)[0] == '-' || (*digits)[0] == '+') return std::nullopt;
  double number = 0;
  const char* end = digits->data() + digits->size();
  const auto result = std::from_chars(digits->data(), end, number);
  if (result.ptr != end || result.ec == std::errc::invalid_argument) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) {
    // Too large or too small, which the exponent's sign tells.
    const bool small =
        digits->find("e-") != std::string::npos || digits->find("E-") != std::string::npos;
    number = small ? 0.0 : HUGE_VAL;
  }
  return negative ? -number : number;
}

// int(float), or nothing where the reference falls back on its default.
std::optional<int64_t> truncated(Interpreter& run, double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (!(std::fabs(value) < 0x1p63)) fail_overflow(run);
  return static_cast<int64_t>(value);
}

}  // namespace

Object absolute(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "abs", args);
  if (value.is(Type::floating)) return of(std::fabs(value.floating));
  if (value.is_whole()) return value.whole() < 0 ? negated(run.heap, value) : of(value.whole());
  if (value.is(Type::undefined)) fail_undefined(run.heap, value);
  run.fail(fmt::format("abs: a number expected, got {}", type_name(value.type)));
}

Object attribute(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "attr", args, {"name"}, 1);
  return run.attribute_only(value, p.text(0));
}

Object default_value(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "default", args, {"default_value", "boolean"});
  const bool missing = value.is(Type::undefined) || (p.truth_or(1, false) && !truth(value));
  if (!missing) return value;
  return p.given(0) ? p.at(0) : of(run.heap.literal(""));
}

Object length(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "length", args);
  return of(jinja::length(run.heap, value));
}

Object round(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "round", args, {"precision", "method"});
  const int64_t precision = p.whole_or(0, 0);
  const std::string_view method = p.text_or(1, "common")->bytes;
  if (method != "common" && method != "ceil" && method != "floor")
    run.fail("round: common, ceil or floor expected");
  if (value.is(Type::undefined)) fail_undefined(run.heap, value);
  if (!value.is_number())
    run.fail(fmt::format("round: a number expected, got {}", type_name(value.type)));
  if (method == "common") {
    if (value.is(Type::floating)) return of(rounded(value.floating, precision));
    if (precision >= 0) return of(value.whole());
    const double unit = std::pow(10.0, static_cast<double>(std::min<int64_t>(-precision, 18)));
    return of(
        static_cast<int64_t>(std::nearbyint(static_cast<double>(value.whole()) / unit) * unit));
  }
  const Object unit = binary(run.heap, Operator::power, of(int64_t{10}), of(precision));
  const Object scaled = binary(run.heap, Operator::multiply, value, unit);
  if (scaled.is(Type::floating) && !std::isfinite(scaled.floating))
    run.fail("round: a finite number expected");
  const double number = scaled.number();
  const double whole = method == "ceil" ? std::ceil(number) : std::floor(number);
  return binary(run.heap, Operator::divide, of(whole), unit);
}

Object to_float(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "float", args, {"default"});
  if (value.is(Type::undefined)) fail_undefined(run.heap, value);
  if (value.is_number()) return of(value.number());
  if (value.is(Type::string))
    if (const auto number = parse_real(run, *value.string)) return of(*number);
  return p.given(0) ? p.at(0) : of(0.0);
}

Object to_int(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "int", args, {"default", "base"});
  if (value.is(Type::undefined)) fail_undefined(run.heap, value);
  const Object otherwise = p.given(0) ? p.at(0) : of(int64_t{0});
  if (value.is_whole()) return of(value.whole());
  if (value.is(Type::floating)) {
    if (std::isinf(value.floating)) run.fail("int: a finite number expected");
    const auto number = truncated(run, value.floating);
    return number ? of(*number) : otherwise;
  }
  if (!value.is(Type::string)) return otherwise;
  const int64_t base = !p.given(1) ? 10 : p.at(1).is_whole() ? p.at(1).whole() : -1;
  if (const auto number = parse_whole(run, *value.string, base)) return of(*number);
  if (const auto real = parse_real(run, *value.string))
    if (const auto number = truncated(run, *real)) return of(*number);
  return otherwise;
}

}  // namespace bittern::chat::jinja::value_filter
