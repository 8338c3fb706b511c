#include "chat/grammar/schema_grammar.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "chat/grammar/decimal.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/program.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {

ExpressionId SchemaGrammar::value(FormulaId id) {
  const auto known = known_.find(id);
  if (known != known_.end()) return known->second;
  const ValueSet& set = sets_.values(id);
  if (set.is_any()) return known_.emplace(id, json_.any_value()).first->second;
  const RuleId rule = rules_.add_rule("value");
  const ExpressionId call = rules_.call(rule);
  known_.emplace(id, call);
  pending_.emplace_back(rule, id);
  return call;
}

// Bodies are made one after the other and not inside each other: schemas may be chains of
// thousands.
ExpressionId SchemaGrammar::root(FormulaId id) {
  const ExpressionId made = value(id);
  while (!pending_.empty()) {
    const auto [rule, formula] = pending_.back();
    pending_.pop_back();
    rules_.define(rule, body(sets_.values(formula)));
  }
  return made;
}

ExpressionId SchemaGrammar::body(const ValueSet& set) {
  std::vector<ExpressionId> ways;
  if (set.null) ways.push_back(rules_.text("null"));
  if (set.yes) ways.push_back(rules_.text("true"));
  if (set.no) ways.push_back(rules_.text("false"));
  if (set.any_number || !set.numbers.matches_nothing()) ways.push_back(numbers(set));
  for (const TextPart& part : set.texts) ways.push_back(text(part));
  for (const ArrayShape& shape : set.arrays) ways.push_back(array(shape));
  for (const ObjectShape& shape : set.objects)
    ways.push_back(shape.is_any() ? json_.any_object() : object(shape));
  return rules_.choice(std::move(ways));
}

// Integers without a point, where only they are allowed.
ExpressionId SchemaGrammar::numbers(const ValueSet& set) {
  if (set.any_number) return json_.number();
  Automaton made = set.numbers;
  if (difference(made, integer_values()).matches_nothing())
    made = intersection(made, plain_integers());
  return rules_.language(std::make_shared<const Automaton>(std::move(made)));
}

ExpressionId SchemaGrammar::text(const TextPart& part) {
  if (part.language != nullptr) return json_.string(*as_language({part}));
  if (part.min > kRepeatMax)
    bad_input("JSON Schema: minLength {} is more than {}, the limit", part.min, kRepeatMax);
  const int64_t max = part.max < 0 ? -1 : std::min(part.max, kRepeatMax);
  const auto known = lengths_.find({part.min, max});
  if (known != lengths_.end()) return known->second;
  return lengths_.emplace(std::pair(part.min, max), json_.string(part.min, max)).first->second;
}

Grammar compile_json_schema(std::string_view schema, const JsonOptions& options) {
  const WorkBudget budget(kCompileWorkMax);
  SchemaDocument document(schema);
  SchemaSets sets(document);
  Rules rules;
  JsonRules json(rules, options);
  SchemaGrammar grammar(sets, rules, json);
  const RuleId root = rules.add_rule("root");
  rules.define(root, grammar.root(sets.root()));
  return Grammar(std::make_shared<const Program>(compile(rules, root)));
}

}  // namespace bittern::chat::grammar
