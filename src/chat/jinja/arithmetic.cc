// Python's arithmetic on numbers, and "+", "*" and "%" on texts and sequences.
#include <cmath>

#include "base/error.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/operations.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

[[noreturn]] void fail_operands(Heap& heap, std::string_view sign, const Object& a,
                                const Object& b) {
  if (a.is(Type::undefined)) fail_undefined(heap, a);
  if (b.is(Type::undefined)) fail_undefined(heap, b);
  heap.fail(fmt::format("'{}' between '{}' and '{}'", sign, type_name(a.type), type_name(b.type)));
}
[[noreturn]] void fail_overflow(Heap& heap) {
  heap.fail("an integer outside 64 bits, which are all there are here");
}
[[noreturn]] void fail_zero(Heap& heap) { heap.fail("division by zero"); }

int64_t floor_divided(Heap& heap, int64_t a, int64_t b) {
  if (b == 0) fail_zero(heap);
  if (a == INT64_MIN && b == -1) fail_overflow(heap);
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
int64_t floor_modulo(Heap& heap, int64_t a, int64_t b) {
  if (b == 0) fail_zero(heap);
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
double floor_modulo(Heap& heap, double a, double b) {
  if (b == 0) fail_zero(heap);
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}
// The steps of CPython, so that rounding agrees.
double floor_divided(Heap& heap, double a, double b) {
  if (b == 0) fail_zero(heap);
  const double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Object power(Heap& heap, const Object& a, const Object& b) {
  if (a.is_whole() && b.is_whole() && b.whole() >= 0) {
    int64_t result = 1, base = a.whole();
    for (int64_t exponent = b.whole(); exponent > 0; exponent >>= 1) {
      if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) fail_overflow(heap);
      if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) fail_overflow(heap);
    }
    return of(result);
  }
  const double x = a.number(), y = b.number();
  if (x == 0 && y < 0) fail_zero(heap);
  if (x < 0 && y != std::trunc(y) && std::isfinite(x) && std::isfinite(y))
    heap.fail("complex numbers are not supported");
  const double result = std::pow(x, y);
  if (std::isinf(result) && std::isfinite(x) && std::isfinite(y))
    heap.fail("a power that is out of range");
  return of(result);
}

Object whole_arithmetic(Heap& heap, Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::add:
      if (__builtin_add_overflow(a, b, &result)) fail_overflow(heap);
      return of(result);
    case Operator::subtract:
      if (__builtin_sub_overflow(a, b, &result)) fail_overflow(heap);
      return of(result);
    case Operator::multiply:
      if (__builtin_mul_overflow(a, b, &result)) fail_overflow(heap);
      return of(result);
    case Operator::divide:
      if (b == 0) fail_zero(heap);
      return of(static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));
    case Operator::floor_divide:
      return of(floor_divided(heap, a, b));
    default:
      return of(floor_modulo(heap, a, b));
  }
}

Object float_arithmetic(Heap& heap, Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return of(a + b);
    case Operator::subtract:
      return of(a - b);
    case Operator::multiply:
      return of(a * b);
    case Operator::divide:
      if (b == 0) fail_zero(heap);
      return of(a / b);
    case Operator::floor_divide:
      return of(floor_divided(heap, a, b));
    default:
      return of(floor_modulo(heap, a, b));
  }
}

Object concatenated(Heap& heap, const Str& a, const Str& b) {
  const bool markup = a.markup || b.markup;
  TextBuilder out;
  heap.charge(a.bytes.size() + b.bytes.size());
  out.append(markup ? *escaped(heap, a) : a);
  out.append(markup ? *escaped(heap, b) : b);
  return of(heap.with_markup(*heap.text(std::move(out)), markup));
}

Object joined(Heap& heap, const Object& a, const Object& b) {
  std::vector<Object> items(a.sequence->items.begin(), a.sequence->items.end());
  items.insert(items.end(), b.sequence->items.begin(), b.sequence->items.end());
  return heap.sequence(a.type, items);
}

Object repeated(Heap& heap, const Object& value, int64_t count) {
  const auto times = static_cast<uint64_t>(std::max<int64_t>(count, 0));
  const size_t unit = value.is(Type::string) ? value.string->bytes.size()
                                             : value.sequence->items.size() * sizeof(Object);
  if (unit > 0 && times > kStringBytesMax / unit)
    heap.fail(fmt::format("a repetition of more than {} MiB", kStringBytesMax >> 20));
  if (value.is(Type::string)) {
    heap.charge(unit * times);
    TextBuilder out;
    if (unit > 0)
      for (uint64_t i = 0; i < times; ++i) out.append(*value.string);
    return of(heap.with_markup(*heap.text(std::move(out)), value.string->markup));
  }
  std::vector<Object> items;
  if (unit > 0)
    for (uint64_t i = 0; i < times; ++i)
      items.insert(items.end(), value.sequence->items.begin(), value.sequence->items.end());
  return heap.sequence(value.type, items);
}

bool is_repeatable(const Object& value) {
  return value.is(Type::string) || value.is(Type::list) || value.is(Type::tuple);
}

std::string_view sign_of(Operator op) {
  constexpr std::string_view kSigns[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kSigns[static_cast<size_t>(op)];
}

}  // namespace

Object binary(Heap& heap, Operator op, const Object& a, const Object& b) {
  if (op == Operator::modulo && a.is(Type::string)) {
    if (a.string->markup) heap.fail("'%' on a text marked safe is not supported");
    return percent_format(heap, *a.string, b);
  }
  if (a.is_number() && b.is_number()) {
    if (op == Operator::power) return power(heap, a, b);
    if (a.is_whole() && b.is_whole()) return whole_arithmetic(heap, op, a.whole(), b.whole());
    return float_arithmetic(heap, op, a.number(), b.number());
  }
  if (op == Operator::add && a.type == b.type) {
    if (a.is(Type::string)) return concatenated(heap, *a.string, *b.string);
    if (a.is(Type::list) || a.is(Type::tuple)) return joined(heap, a, b);
  }
  if (op == Operator::multiply) {
    if (is_repeatable(a) && b.is_whole()) return repeated(heap, a, b.whole());
    if (a.is_whole() && is_repeatable(b)) return repeated(heap, b, a.whole());
  }
  fail_operands(heap, sign_of(op), a, b);
}

Object negated(Heap& heap, const Object& value) {
  if (value.is(Type::floating)) return of(-value.floating);
  if (!value.is_whole()) fail_operands(heap, "-", value, value);
  if (value.whole() == INT64_MIN) fail_overflow(heap);
  return of(-value.whole());
}

Object plus(Heap& heap, const Object& value) {
  if (value.is(Type::floating)) return value;
  if (!value.is_whole()) fail_operands(heap, "+", value, value);
  return of(value.whole());
}

}  // namespace bittern::chat::jinja
