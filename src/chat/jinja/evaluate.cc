// Expressions.
#include "base/error.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/tables.h"

namespace bittern::chat::jinja {

Object Interpreter::evaluate(const Expression& expression) {
  const Heap::Nested nested(heap);
  heap.charge();
  using Kind = Expression::Kind;
  const auto part = [&](size_t i) { return evaluate(*expression.parts[i]); };
  switch (expression.kind) {
    case Kind::constant:
      return constant(expression);
    case Kind::name:
      return variable(expression);
    case Kind::tuple:
      return heap.tuple(all(expression.parts));
    case Kind::list:
      return heap.list(all(expression.parts));
    case Kind::dict:
      return dict(expression);
    case Kind::conditional:
      return conditional(expression);
    case Kind::either: {
      const Object left = part(0);
      return truth(left) ? left : part(1);
    }
    case Kind::both: {
      const Object left = part(0);
      return truth(left) ? part(1) : left;
    }
    case Kind::negation:
      return of(!truth(part(0)));
    case Kind::comparison:
      return comparison(expression);
    case Kind::binary: {
      const Object left = part(0);
      const Object right = part(1);
      heap.line = expression.line;
      return binary(heap, expression.operators[0], left, right);
    }
    case Kind::minus:
      return negated(heap, part(0));
    case Kind::plus:
      return plus(heap, part(0));
    case Kind::concatenation:
      return concatenation(expression);
    case Kind::attribute:
      return attribute(part(0), *heap.literal(expression.name));
    case Kind::item: {
      const Object object = part(0);
      return item(object, part(1));
    }
    case Kind::slice:
      return slice(expression);
    case Kind::call:
      return call(expression);
    case Kind::filter:
      return filter(expression, expression.parts[0] == nullptr ? of(filtered_text_) : part(0));
    case Kind::test:
      return test(expression);
  }
  return none();
}

Object Interpreter::constant(const Expression& expression) {
  const auto& literal = expression.literal;
  if (const auto* text = std::get_if<std::string>(&literal)) return of(heap.literal(*text));
  if (const auto* integer = std::get_if<int64_t>(&literal)) return of(*integer);
  if (const auto* number = std::get_if<double>(&literal)) return of(*number);
  if (const auto* boolean = std::get_if<bool>(&literal)) return of(*boolean);
  return none();
}

Object Interpreter::variable(const Expression& expression) {
  for (Scope* scope = scope_; scope != nullptr; scope = scope->parent)
    if (const Object* found = scope->find(expression.symbol)) return *found;
  return undefined(heap.literal(expression.name));
}

std::vector<Object> Interpreter::all(const std::vector<ExpressionPtr>& parts) {
  std::vector<Object> values;
  values.reserve(parts.size());
  for (const ExpressionPtr& part : parts) values.push_back(evaluate(*part));
  return values;
}

Object Interpreter::dict(const Expression& expression) {
  std::vector<Entry> entries;
  for (size_t i = 0; i < expression.parts.size(); i += 2) {
    const Object key = evaluate(*expression.parts[i]);
    entries.push_back({key, evaluate(*expression.parts[i + 1])});
  }
  return heap.dict(entries);
}

Object Interpreter::conditional(const Expression& expression) {
  if (truth(evaluate(*expression.parts[0]))) return evaluate(*expression.parts[1]);
  if (expression.parts[2] != nullptr) return evaluate(*expression.parts[2]);
  return undefined(heap.literal("what an inline if without else did not choose"));
}

// a < b < c: each pair in turn, each operand once, up to the first that does not hold.
Object Interpreter::comparison(const Expression& expression) {
  Object left = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    const Object right = evaluate(*expression.parts[i + 1]);
    heap.line = expression.line;
    if (!compare(expression.operators[i], left, right)) return of(false);
    left = right;
  }
  return of(true);
}

bool Interpreter::compare(Operator op, const Object& a, const Object& b) {
  switch (op) {
    case Operator::equal:
      return equal(heap, a, b);
    case Operator::not_equal:
      return !equal(heap, a, b);
    case Operator::less:
      return less(heap, a, b);
    case Operator::less_equal:
      return less(heap, a, b) || equal(heap, a, b);
    case Operator::greater:
      return less(heap, b, a);
    case Operator::greater_equal:
      return less(heap, b, a) || equal(heap, a, b);
    case Operator::in:
      return contains(heap, b, a);
    default:
      return !contains(heap, b, a);
  }
}

Object Interpreter::concatenation(const Expression& expression) {
  TextBuilder out;
  for (const Object& value : all(expression.parts)) append_str(heap, out, value);
  return of(heap.text(std::move(out)));
}

Object Interpreter::slice(const Expression& expression) {
  Object bounds[3];
  const Object value = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < 3; ++i)
    if (const ExpressionPtr& bound = expression.parts[i + 1]) bounds[i] = evaluate(*bound);
  heap.line = expression.line;
  return jinja::slice(heap, value, bounds[0], bounds[1], bounds[2]);
}

Arguments Interpreter::arguments(const ArgumentList& list) {
  Arguments given;
  given.positional = all(list.positional);
  for (const auto& [name, value] : list.named) given.named.emplace_back(name, evaluate(*value));
  if (list.star != nullptr)
    for (const Object& value : elements(heap, evaluate(*list.star)))
      given.positional.push_back(value);
  if (list.double_star != nullptr) {
    const Object more = evaluate(*list.double_star);
    if (!more.is(Type::dict)) fail("a dictionary expected after '**'");
    for (const Entry& entry : more.mapping->entries) {
      if (!entry.key.is(Type::string)) fail("names expected as keys after '**'");
      given.named.emplace_back(entry.key.string->bytes, entry.value);
    }
  }
  for (size_t i = 0; i < given.named.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      heap.charge();
      if (given.named[i].first == given.named[j].first)
        fail(fmt::format("the argument '{}' is given twice", given.named[i].first));
    }
  return given;
}

Object Interpreter::call(const Expression& expression) {
  const Object callee = evaluate(*expression.parts[0]);
  const Arguments given = arguments(expression.arguments);
  heap.line = expression.line;
  return call(callee, given);
}

Object Interpreter::call(const Object& callee, const Arguments& given) {
  const Heap::Nested nested(heap);
  if (callee.is(Type::callable))
    return callee.callable->macro != nullptr
               ? call_macro(*callee.callable, given)
               : callee.callable->function(*this, callee.callable->self, given);
  if (callee.is(Type::loop)) {
    if (given.positional.size() != 1 || !given.named.empty()) fail("loop(): one value expected");
    return recurse(*callee.loop, given.positional[0]);
  }
  if (callee.is(Type::joiner)) {
    const bool used = std::exchange(callee.joiner->used, true);
    return of(used ? callee.joiner->separator : heap.literal(""));
  }
  if (callee.is(Type::undefined)) fail_undefined(heap, callee);
  fail(fmt::format("a value of type '{}' cannot be called", type_name(callee.type)));
}

Object Interpreter::filter(const Expression& expression, const Object& value) {
  if (expression.filter == nullptr) fail(fmt::format("there is no filter '{}'", expression.name));
  const Arguments given = arguments(expression.arguments);
  heap.line = expression.line;
  return expression.filter->apply(*this, value, given);
}

Object Interpreter::test(const Expression& expression) {
  const Object value = evaluate(*expression.parts[0]);
  if (expression.test == nullptr) fail(fmt::format("there is no test '{}'", expression.name));
  const Arguments given = arguments(expression.arguments);
  heap.line = expression.line;
  return of(expression.test->holds(*this, value, given));
}

Object Interpreter::filter(std::string_view name, const Object& value, const Arguments& given) {
  const FilterRow* row = find_filter(name);
  if (row == nullptr) fail(fmt::format("there is no filter '{}'", name));
  heap.charge();
  return row->apply(*this, value, given);
}

bool Interpreter::test(std::string_view name, const Object& value, const Arguments& given) {
  const TestRow* row = find_test(name);
  if (row == nullptr) fail(fmt::format("there is no test '{}'", name));
  heap.charge();
  return row->holds(*this, value, given);
}

}  // namespace bittern::chat::jinja
