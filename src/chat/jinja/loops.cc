// Loops and macros: what makes scopes that can be run again.
#include <algorithm>

#include "base/error.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/restored.h"

namespace bittern::chat::jinja {
// The elements for which the loop's condition holds; it sees the target, not `loop`.
std::vector<Object> Interpreter::selected(const Statement& statement, std::span<const Object> items,
                                          Scope* outer) {
  std::vector<Object> chosen;
  const Restored scope(scope_, heap.scope(outer));
  for (const Object& item : items) {
    heap.charge();
    assign(statement.targets[0], item);
    if (truth(evaluate(*statement.expressions[1]))) chosen.push_back(item);
  }
  return chosen;
}

Interpreter::Flow Interpreter::run_loop(const Statement& statement) {
  const Object iterable = evaluate(*statement.expressions[0]);
  heap.line = statement.line;
  iterate(statement, elements(heap, iterable), 0, scope_);
  return Flow::normal;
}

void Interpreter::iterate(const Statement& statement, std::span<const Object> items, int64_t depth0,
                          Scope* outer) {
  const Heap::Nested nested(heap);
  std::vector<Object> chosen;
  if (statement.expressions[1] != nullptr) {
    chosen = selected(statement, items, outer);
    items = heap.copy(chosen);
  }
  Loop* loop = heap.make<Loop>(Loop{.items = items,
                                    .index0 = -1,
                                    .depth0 = depth0,
                                    .statement = statement.recursive ? &statement : nullptr,
                                    .scope = outer,
                                    .last_changed = {}});
  Object object(Type::loop);
  object.loop = loop;
  const Restored scope(scope_, heap.scope(outer));
  for (const Object& item : items) {
    heap.charge();
    ++loop->index0;
    // A new scope each time round, unless nothing can have kept the old one.
    if (scope_->captured) scope_ = heap.scope(outer);
    scope_->variables.clear();
    hide(*scope_, statement.hidden);
    scope_->set(loop_symbol_, object);
    assign(statement.targets[0], item);
    if (run_block(statement.body) == Flow::leave) break;
  }
  if (items.empty()) {
    scope_ = scope_inside(outer, statement.hidden_otherwise);
    run_block(statement.otherwise);
  }
}

Object Interpreter::recurse(const Loop& loop, const Object& items) {
  if (loop.statement == nullptr) fail("loop() is only for loops marked 'recursive'");
  TextBuilder text;
  {
    const Restored out(out_, &text);
    iterate(*loop.statement, elements(heap, items), loop.depth0 + 1, loop.scope);
  }
  return of(heap.text(std::move(text)));
}

Object Interpreter::make_macro(const Statement& statement, std::string_view name) {
  for (Scope* scope = scope_; scope != nullptr && !scope->captured; scope = scope->parent)
    scope->captured = true;
  Object object(Type::callable);
  object.callable = heap.make<Callable>(
      Callable{.name = name, .self = none(), .macro = &statement, .scope = scope_});
  return object;
}

// Parameters of the current scope, as jinja2 binds them: positions first, then names, then
// defaults, which see the parameters before them; `varargs`, `kwargs` and `caller` only where
// the body reads them.
void Interpreter::bind_parameters(const Signature& signature, std::string_view name,
                                  const Arguments& given) {
  const size_t count = signature.names.size();
  std::vector<bool> used(given.named.size());
  const auto take = [&](std::string_view wanted) -> const Object* {
    for (size_t i = 0; i < given.named.size(); ++i)
      if (!used[i] && given.named[i].first == wanted) {
        used[i] = true;
        return &given.named[i].second;
      }
    return nullptr;
  };
  const size_t positional = std::min(count, given.positional.size());
  const bool own_caller =
      std::find(signature.names.begin(), signature.names.end(), "caller") != signature.names.end();
  for (size_t i = 0; i < count; ++i) {
    const Object* value = i < positional ? &given.positional[i] : take(signature.names[i]);
    const size_t without_default = count - signature.defaults.size();
    if (value != nullptr)
      scope_->set(signature.symbols[i], *value);
    else if (i >= without_default)
      scope_->set(signature.symbols[i], evaluate(*signature.defaults[i - without_default]));
    else
      scope_->set(signature.symbols[i], undefined(heap.literal(signature.names[i])));
  }
  if (signature.reads_caller && !own_caller) {
    const Object* caller = take("caller");
    scope_->set(caller_symbol_, caller != nullptr ? *caller : undefined(heap.literal("caller")));
  }
  std::vector<Entry> rest;  // names may come out of a caller's dictionary
  for (size_t i = 0; i < given.named.size(); ++i)
    if (!used[i]) rest.push_back({heap.string(given.named[i].first, true), given.named[i].second});
  const auto named_so = [&](std::string_view special) {
    return std::find(signature.names.begin(), signature.names.end(), special) !=
           signature.names.end();
  };
  if (signature.reads_kwargs && !named_so("kwargs"))
    scope_->set(kwargs_symbol_, heap.dict(rest));
  else if (!rest.empty())
    fail(fmt::format("the macro '{}' takes no argument '{}'", name, rest[0].key.string->bytes));
  const std::span<const Object> more = std::span(given.positional).subspan(positional);
  if (signature.reads_varargs && !named_so("varargs"))
    scope_->set(varargs_symbol_, heap.sequence(Type::tuple, more));
  else if (!more.empty())
    fail(fmt::format("the macro '{}' takes at most {} arguments, got {}", name, count,
                     given.positional.size()));
}

Object Interpreter::call_macro(const Callable& macro, const Arguments& given) {
  TextBuilder text;
  {
    const Restored scope(scope_, scope_inside(macro.scope, macro.macro->hidden));
    const Restored out(out_, &text);
    bind_parameters(macro.macro->signature, macro.name, given);
    run_block(macro.macro->body);
  }
  return of(heap.text(std::move(text)));
}

}  // namespace bittern::chat::jinja
