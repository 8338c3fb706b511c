// From schemas to sets of values: the meaning of every keyword, and the set operations that need to
// look into formulas. Nothing here approximates: a set holds exactly what the schema accepts (with
// formats as assertions), or there is an error that names the place.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "chat/grammar/formula.h"
#include "chat/grammar/schema_document.h"
#include "chat/grammar/value_set.h"

namespace bittern::chat::grammar {

class SchemaSets {
 public:
  explicit SchemaSets(SchemaDocument& document) : document_(document) {}

  FormulaId root();
  Formulas& formulas() { return formulas_; }
  // The values that satisfy a formula. Throws Error{bad_input}, Error{unsupported}.
  const ValueSet& values(FormulaId id) { return values(id, false); }
  // No value does. May miss some where schemas are recursive; never says so of one that has values.
  bool is_never(FormulaId id);

  ValueSet both(const ValueSet& a, const ValueSet& b);
  ValueSet either(ValueSet a, const ValueSet& b);
  ValueSet complement(const ValueSet& set);

 private:
  struct Undecided {};  // met a schema whose set is being computed further out
  class Entry;
  struct Place {  // the schema being read
    const JsonNode& schema;
    int32_t scope;
    bool tracked;  // annotations are wanted
  };

  const ValueSet& values(FormulaId id, bool tracked);
  ValueSet computed(const Formula& formula, bool tracked);
  FormulaId inner(const Place& place, const JsonNode& schema);

  ValueSet schema_values(const Place& place);
  // Each: the values that one group of keywords of a schema accepts.
  void apply_types(const Place& place, ValueSet& set);
  void apply_numbers(const Place& place, ValueSet& set);
  void apply_texts(const Place& place, ValueSet& set);
  void apply_arrays(const Place& place, ValueSet& set);
  void apply_objects(const Place& place, ValueSet& set);
  void apply_dependencies(const Place& place, ValueSet& set);
  void apply_logic(const Place& place, ValueSet& set);
  void apply_references(const Place& place, ValueSet& set);
  void apply_unevaluated(const Place& place, ValueSet& set);
  Texts names_allowed(const Place& place, const JsonNode& names);
  void apply_properties(const Place& place, ObjectShape& shape);

  ValueSet constant(const JsonNode& value);
  ValueSet enumeration(const JsonNode& list);
  ValueSet any_of(const Place& place, const JsonNode& list);
  ValueSet one_of(const Place& place, const JsonNode& list);
  ValueSet conditional(const Place& place, const JsonNode& condition);
  void restrict_unevaluated(ArrayShape& shape, FormulaId allowed);
  void restrict_unevaluated(ObjectShape& shape, FormulaId allowed);

  // schema_shapes.cc
  bool is_empty(ArrayShape& shape);
  bool is_empty(const ObjectShape& shape);
  ArrayShape both(const ArrayShape& a, const ArrayShape& b);
  ObjectShape both(const ObjectShape& a, const ObjectShape& b);
  std::vector<ArrayShape> complement(const ArrayShape& shape);
  std::vector<ObjectShape> complement(const ObjectShape& shape);
  template <typename Shape>
  std::vector<Shape> both(const std::vector<Shape>& a, const std::vector<Shape>& b);
  template <typename Shape>
  void add(std::vector<Shape>& shapes, Shape shape);

  SchemaDocument& document_;
  Formulas formulas_;
  std::map<std::pair<FormulaId, bool>, ValueSet> known_;
  std::map<std::pair<FormulaId, bool>, int> computing_;  // at which level
  int level_ = 0;   // places inside places that are looked into
  int depth_ = 0;   // formulas being computed
  std::string at_;  // the pointer of the schema being read, for errors of limits
};

}  // namespace bittern::chat::grammar
