// Statements.
#include "chat/jinja/interpreter.h"

#include <algorithm>

#include "base/error.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/restored.h"
#include "chat/jinja/tables.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

constexpr Symbol kNoSymbol = UINT32_MAX;

Symbol symbol_of(const Program& program, std::string_view name) {
  const auto found = std::find(program.symbols.begin(), program.symbols.end(), name);
  return found == program.symbols.end() ? kNoSymbol
                                        : static_cast<Symbol>(found - program.symbols.begin());
}

}  // namespace

Interpreter::Interpreter(const Program& program, const Dict& variables, const std::tm& now_given)
    : heap(program.name), now(now_given), program_(program) {
  loop_symbol_ = symbol_of(program, "loop");
  caller_symbol_ = symbol_of(program, "caller");
  varargs_symbol_ = symbol_of(program, "varargs");
  kwargs_symbol_ = symbol_of(program, "kwargs");
  scope_ = heap.scope(nullptr);
  for (Symbol symbol = 0; symbol < program.symbols.size(); ++symbol)
    if (const GlobalRow* global = find_global(program.symbols[symbol]))
      scope_->set(symbol, heap.callable(global->name, global->call));
  for (const auto& [name, value] : variables)
    if (const Symbol symbol = symbol_of(program, name); symbol != kNoSymbol)
      scope_->set(symbol, heap.from(value));
  // Assignments of the template lie above what it was given.
  scope_ = scope_inside(scope_, program.hidden);
}

TextBuilder Interpreter::render() {
  out_ = &text_;
  run_block(program_.body);
  return std::move(text_);
}

void Interpreter::print(const Object& value) { append_str(heap, *out_, value); }

// The reference joins what such a block gives without turning it into text first.
void Interpreter::print_text(const Object& value) {
  if (!value.is(Type::string))
    fail(fmt::format("a block's text expected, got {}", type_name(value.type)));
  print(value);
}

Interpreter::Flow Interpreter::run_block(const Block& block) {
  const Heap::Nested nested(heap);
  for (const Statement& statement : block) {
    const Flow flow = run_statement(statement);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_statement(const Statement& statement) {
  heap.line = statement.line;
  heap.charge();
  switch (statement.kind) {
    case Statement::Kind::text:
      heap.charge(statement.text.size());
      out_->append(statement.text, false);
      if (out_->size() > kStringBytesMax)
        fail(fmt::format("a text of more than {} MiB", kStringBytesMax >> 20));
      break;
    case Statement::Kind::print:
      for (const ExpressionPtr& expression : statement.expressions) print(evaluate(*expression));
      break;
    case Statement::Kind::loop:
      return run_loop(statement);
    case Statement::Kind::branch:
      return run_branch(statement);
    case Statement::Kind::set:
      run_set(statement);
      break;
    case Statement::Kind::set_block:
      run_set_block(statement);
      break;
    case Statement::Kind::macro:
      scope_->set(statement.symbol, make_macro(statement, statement.text));
      break;
    case Statement::Kind::call:
      run_call_block(statement);
      break;
    case Statement::Kind::filter:
      run_filter_block(statement);
      break;
    case Statement::Kind::with:
      return run_with(statement);
    case Statement::Kind::generation:
      run_generation(statement);
      break;
    case Statement::Kind::leave:
      return Flow::leave;
    case Statement::Kind::next:
      return Flow::next;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_branch(const Statement& statement) {
  for (const auto& [condition, body] : statement.branches)
    if (condition == nullptr || truth(evaluate(*condition))) return run_block(body);
  return Flow::normal;
}

void Interpreter::hide(Scope& scope, const std::vector<Symbol>& hidden) {
  for (const Symbol symbol : hidden)
    scope.set(symbol, undefined(heap.literal(program_.symbols[symbol])));
}

Scope* Interpreter::scope_inside(Scope* outer, const std::vector<Symbol>& hidden) {
  Scope* scope = heap.scope(outer);
  hide(*scope, hidden);
  return scope;
}

const Str* Interpreter::captured(const Statement& statement) {
  TextBuilder text;
  {
    const Restored out(out_, &text);
    const Restored scope(scope_, scope_inside(scope_, statement.hidden));
    run_block(statement.body);
  }
  return heap.text(std::move(text));
}

namespace {
// Names of namespaces in a target, checked before the value is computed, as the reference does.
void for_each_attribute(const Target& target, const std::function<void(const Target&)>& visit) {
  if (target.kind == Target::Kind::attribute) visit(target);
  for (const Target& part : target.parts) for_each_attribute(part, visit);
}
}  // namespace

void Interpreter::run_set(const Statement& statement) {
  for_each_attribute(statement.targets[0], [&](const Target& target) {
    for (Scope* scope = scope_; scope != nullptr; scope = scope->parent)
      if (const Object* found = scope->find(target.symbol)) {
        if (found->is(Type::name_space)) return;
        break;
      }
    fail("an attribute can only be assigned on a namespace");
  });
  assign(statement.targets[0], evaluate(*statement.expressions[0]));
}

void Interpreter::run_set_block(const Statement& statement) {
  const Str* text = captured(statement);
  Object value = of(text);
  if (const ExpressionPtr& filter = statement.expressions[0]; filter != nullptr) {
    const Restored filtered(filtered_text_, text);
    value = evaluate(*filter);
  }
  assign(statement.targets[0], value);
}

void Interpreter::run_filter_block(const Statement& statement) {
  const Restored filtered(filtered_text_, captured(statement));
  print_text(evaluate(*statement.expressions[0]));
}

void Interpreter::run_call_block(const Statement& statement) {
  const Object caller = make_macro(statement, "caller");
  const Expression& call = *statement.expressions[0];
  const Object callee = evaluate(*call.parts[0]);
  Arguments given = arguments(call.arguments);
  given.named.emplace_back("caller", caller);
  print_text(this->call(callee, given));
}

Interpreter::Flow Interpreter::run_with(const Statement& statement) {
  // Values are computed outside the new scope.
  std::vector<Object> values = all(statement.expressions);
  const Restored scope(scope_, scope_inside(scope_, statement.hidden));
  for (size_t i = 0; i < values.size(); ++i) assign(statement.targets[i], values[i]);
  return run_block(statement.body);
}

// The reference runs it as a macro: assignments inside do not reach out.
void Interpreter::run_generation(const Statement& statement) {
  const Restored scope(scope_, scope_inside(scope_, statement.hidden));
  run_block(statement.body);
}

void Interpreter::assign(const Target& target, const Object& value) {
  switch (target.kind) {
    case Target::Kind::name:
      scope_->set(target.symbol, value);
      return;
    case Target::Kind::attribute:
      return assign_attribute(target, value);
    case Target::Kind::tuple: {
      const auto items = elements(heap, value);
      if (items.size() != target.parts.size())
        fail(fmt::format("{} values expected to be taken apart, got {}", target.parts.size(),
                         items.size()));
      for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
      return;
    }
  }
}

void Interpreter::assign_attribute(const Target& target, const Object& value) {
  Object* found = nullptr;
  for (Scope* scope = scope_; scope != nullptr && found == nullptr; scope = scope->parent)
    found = scope->find(target.symbol);
  if (found == nullptr || !found->is(Type::name_space))
    fail("an attribute can only be assigned on a namespace");
  if (target.attribute.starts_with('_'))
    fail("a namespace's names cannot begin with an underscore");
  auto& members = found->name_space->members;
  const auto member = std::find_if(members.begin(), members.end(), [&](const auto& entry) {
    return entry.first == target.attribute;
  });
  if (member == members.end())
    members.emplace_back(target.attribute, value);
  else
    member->second = value;
}

}  // namespace bittern::chat::jinja
