// Walks a parsed template and writes its text. One Interpreter is one render: it owns the heap,
// the scopes and the account of steps. Filters, tests, methods and globals get it as `run`.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "chat/jinja/heap.h"
#include "chat/jinja/object.h"

namespace bittern::chat::jinja {

class Interpreter {
 public:
  // `now` is what strftime_now sees. Both must outlive the interpreter, as must `variables`.
  Interpreter(const Program& program, const Dict& variables, const std::tm& now);

  // The rendered text. Once.
  TextBuilder render();

  Heap heap;
  const std::tm now;

  [[noreturn]] void fail(std::string_view what) { heap.fail(what); }

  // What templates write as value.name and value[key].
  Object attribute(const Object& value, const Str& name);
  Object attribute_only(const Object& value, const Str& name);  // never an item
  Object item(const Object& value, const Object& key);

  Object call(const Object& callee, const Arguments& arguments);
  // A filter or test by name, with the errors of the reference.
  Object filter(std::string_view name, const Object& value, const Arguments& arguments);
  bool test(std::string_view name, const Object& value, const Arguments& arguments);
  // loop(items) of a recursive loop.
  Object recurse(const Loop& loop, const Object& items);

 private:
  enum class Flow : uint8_t { normal, leave, next };

  // ---- statements (interpreter.cc) ----
  Flow run_block(const Block& block);
  Flow run_statement(const Statement& statement);
  Flow run_branch(const Statement& statement);
  void run_set(const Statement& statement);
  void run_set_block(const Statement& statement);
  void run_filter_block(const Statement& statement);
  void run_call_block(const Statement& statement);
  Flow run_with(const Statement& statement);
  void run_generation(const Statement& statement);
  void print(const Object& value);
  void print_text(const Object& value);  // of what must be a text already
  // The text of a block, apart from the output, in a scope of its own.
  const Str* captured(const Statement& statement);
  // A scope inside another, in which names begin undefined.
  Scope* scope_inside(Scope* outer, const std::vector<Symbol>& hidden);
  void hide(Scope& scope, const std::vector<Symbol>& hidden);

  // ---- loops and macros (loops.cc) ----
  Flow run_loop(const Statement& statement);
  void iterate(const Statement& statement, std::span<const Object> items, int64_t depth0,
               Scope* outer);
  std::vector<Object> selected(const Statement& statement, std::span<const Object> items,
                               Scope* outer);
  Object make_macro(const Statement& statement, std::string_view name);
  Object call_macro(const Callable& macro, const Arguments& arguments);
  void bind_parameters(const Signature& signature, std::string_view name,
                       const Arguments& arguments);

  // ---- expressions (evaluate.cc) ----
  Object evaluate(const Expression& expression);
  Object constant(const Expression& expression);
  Object variable(const Expression& expression);
  Object conditional(const Expression& expression);
  Object comparison(const Expression& expression);
  bool compare(Operator op, const Object& a, const Object& b);
  Object concatenation(const Expression& expression);
  Object dict(const Expression& expression);
  Object slice(const Expression& expression);
  Object call(const Expression& expression);
  Object filter(const Expression& expression, const Object& value);
  Object test(const Expression& expression);
  Arguments arguments(const ArgumentList& list);
  std::vector<Object> all(const std::vector<ExpressionPtr>& parts);

  void assign(const Target& target, const Object& value);
  void assign_attribute(const Target& target, const Object& value);

  const Program& program_;
  Scope* scope_ = nullptr;
  TextBuilder* out_ = nullptr;
  TextBuilder text_;
  const Object* caller_ = nullptr;      // of the call block being called
  const Str* filtered_text_ = nullptr;  // what a filter block's filter applies to
  Symbol loop_symbol_ = 0, caller_symbol_ = 0, varargs_symbol_ = 0, kwargs_symbol_ = 0;
};

}  // namespace bittern::chat::jinja
