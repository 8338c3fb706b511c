#include "chat/jinja/scopes.h"

#include <set>

namespace bittern::chat::jinja {
namespace {

using Kind = Statement::Kind;

// What one scope does with names on its own level: in scopes inside it they are looked at later.
struct Level {
  const Level* parent = nullptr;
  std::set<Symbol> known;   // read, assigned or given as a parameter
  std::set<Symbol> stored;  // assigned before anything else, whatever the branches
  std::set<Symbol> hidden;  // of those, the ones that no scope around knows

  bool known_outside(Symbol symbol) const {
    for (const Level* level = parent; level != nullptr; level = level->parent)
      if (level->known.contains(symbol)) return true;
    return false;
  }
  void parameter(Symbol symbol) {
    known.insert(symbol);
    stored.insert(symbol);
  }
  void store(Symbol symbol) {
    if (known.insert(symbol).second && !known_outside(symbol)) hidden.insert(symbol);
    stored.insert(symbol);
  }
  void load(Symbol symbol) { known.insert(symbol); }
};

void read(Level& level, const Expression& expression);

void read(Level& level, const ExpressionPtr& expression) {
  if (expression != nullptr) read(level, *expression);
}

void read(Level& level, const Expression& expression) {
  if (expression.kind == Expression::Kind::name) level.load(expression.symbol);
  for (const ExpressionPtr& part : expression.parts) read(level, part);
  for (const ExpressionPtr& part : expression.arguments.positional) read(level, part);
  for (const auto& [name, part] : expression.arguments.named) read(level, part);
  read(level, expression.arguments.star);
  read(level, expression.arguments.double_star);
}

void assign(Level& level, const Target& target, bool as_parameter) {
  if (target.kind == Target::Kind::attribute) level.load(target.symbol);
  if (target.kind == Target::Kind::name)
    as_parameter ? level.parameter(target.symbol) : level.store(target.symbol);
  for (const Target& part : target.parts) assign(level, part, as_parameter);
}

void look_at(Level& level, const Block& block);

// What is assigned only in branches is looked for outside first, so it is not hidden.
void look_at_branches(Level& level, const Statement& statement) {
  read(level, statement.branches[0].first);
  const Level before = level;
  for (size_t i = 0; i < statement.branches.size(); ++i) {
    Level branch = before;
    if (i > 0) read(branch, statement.branches[i].first);
    look_at(branch, statement.branches[i].second);
    level.known.insert(branch.known.begin(), branch.known.end());
    level.stored.insert(branch.stored.begin(), branch.stored.end());
  }
}

void look_at(Level& level, const Statement& statement) {
  switch (statement.kind) {
    case Kind::print:
      for (const ExpressionPtr& expression : statement.expressions) read(level, expression);
      break;
    case Kind::set:
      read(level, statement.expressions[0]);
      assign(level, statement.targets[0], false);
      break;
    case Kind::set_block:
      assign(level, statement.targets[0], false);
      break;
    case Kind::loop:
    case Kind::call:
    case Kind::filter:
      read(level, statement.expressions[0]);
      break;
    case Kind::with:
      for (const ExpressionPtr& value : statement.expressions) read(level, value);
      break;
    case Kind::macro:
      level.store(statement.symbol);
      break;
    case Kind::branch:
      look_at_branches(level, statement);
      break;
    case Kind::text:
    case Kind::generation:
    case Kind::leave:
    case Kind::next:
      break;
  }
}

void look_at(Level& level, const Block& block) {
  for (const Statement& statement : block) look_at(level, statement);
}

void visit(const Level& level, Block& block);

// A scope of its own: `begin` gives it what it starts with.
template <typename Begin>
std::vector<Symbol> scope(const Level& parent, Block& block, const Begin& begin) {
  Level level;
  level.parent = &parent;
  begin(level);
  look_at(level, block);
  visit(level, block);
  return {level.hidden.begin(), level.hidden.end()};
}

void visit(const Level& level, Statement& statement) {
  const auto nothing = [](Level&) {};
  const auto parameters = [&](Level& own) {
    for (const Symbol symbol : statement.signature.symbols) own.parameter(symbol);
    for (const ExpressionPtr& value : statement.signature.defaults) read(own, value);
  };
  switch (statement.kind) {
    case Kind::loop:
      statement.hidden = scope(level, statement.body,
                               [&](Level& own) { assign(own, statement.targets[0], true); });
      statement.hidden_otherwise = scope(level, statement.otherwise, nothing);
      break;
    case Kind::macro:
    case Kind::call:
      statement.hidden = scope(level, statement.body, parameters);
      break;
    case Kind::with:
      statement.hidden = scope(level, statement.body, [&](Level& own) {
        for (const Target& target : statement.targets) assign(own, target, true);
      });
      break;
    case Kind::set_block:
    case Kind::filter:
    case Kind::generation:
      statement.hidden = scope(level, statement.body, nothing);
      break;
    case Kind::branch:
      for (auto& [condition, body] : statement.branches) visit(level, body);
      break;
    case Kind::text:
    case Kind::print:
    case Kind::set:
    case Kind::leave:
    case Kind::next:
      break;
  }
}

void visit(const Level& level, Block& block) {
  for (Statement& statement : block) visit(level, statement);
}

}  // namespace

void find_hidden(Program& program) {
  Level level;
  look_at(level, program.body);
  visit(level, program.body);
  program.hidden = {level.hidden.begin(), level.hidden.end()};
}

}  // namespace bittern::chat::jinja
