// From sets of values to rules: one rule for each formula that is reached, so recursive schemas
// give recursive grammars. What is generated is narrower than what a schema accepts only in its
// spelling: members in the schema's order, numbers under constraints without exponents, integers
// without a point, constrained strings by json_rules.h; each is a restriction, never a widening.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "chat/grammar/json_rules.h"
#include "chat/grammar/schema_sets.h"

namespace bittern::chat::grammar {

class SchemaGrammar {
 public:
  SchemaGrammar(SchemaSets& sets, Rules& rules, JsonRules& json)
      : sets_(sets), rules_(rules), json_(json) {}

  // Of the whole text.
  ExpressionId root(FormulaId id);

 private:
  // A call; the rule's body is made later, by root().
  ExpressionId value(FormulaId id);
  ExpressionId body(const ValueSet& set);
  ExpressionId numbers(const ValueSet& set);
  ExpressionId text(const TextPart& part);

  // schema_arrays.cc
  ExpressionId array(const ArrayShape& shape);
  ExpressionId plain_array(const ArrayShape& shape);
  ExpressionId counted_array(const ArrayShape& shape);
  ExpressionId unique_array(const ArrayShape& shape);
  std::vector<std::pair<FormulaId, std::vector<int64_t>>> counted_items(
      const ArrayShape& shape, int64_t index, const std::vector<int64_t>& counts);
  ExpressionId close(int64_t count);
  std::vector<std::string> listed_values(FormulaId id, const std::string& pointer);

  // schema_objects.cc
  ExpressionId object(const ObjectShape& whole);
  std::vector<ObjectShape> with_named_witnesses(const ObjectShape& whole);
  std::vector<ObjectShape> with_witnesses_apart(ObjectShape shape);
  void check_alternatives(const ObjectShape& shape, size_t count) const;

  SchemaSets& sets_;
  Rules& rules_;
  JsonRules& json_;
  std::map<FormulaId, ExpressionId> known_;
  std::map<std::pair<int64_t, int64_t>, ExpressionId> lengths_;
  std::vector<std::pair<RuleId, FormulaId>> pending_;
};

}  // namespace bittern::chat::grammar
