// Formulas, boolean keywords and references (schema_sets.h); the other keywords are in
// schema_keywords.cc, arrays and objects as sets in schema_shapes.cc.
//
// unevaluatedProperties and unevaluatedItems need to know which members the other keywords looked
// at. Where one is in scope, sets are computed `tracked`: each shape carries what was evaluated on
// the way to it, and anyOf gives one case for each set of its branches that hold together. A case
// need not say that the other branches fail: where they hold too, more is evaluated and so more is
// allowed, which is a case of its own.
#include "chat/grammar/schema_sets.h"

#include <algorithm>
#include <utility>

#include "chat/grammar/limits.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

// Branches of an anyOf whose subsets are told apart.
constexpr size_t kTrackedBranchesMax = 6;

}  // namespace

// Marks a formula as being computed.
class SchemaSets::Entry {
 public:
  Entry(SchemaSets& sets, std::pair<FormulaId, bool> key) : sets_(sets), key_(key) {
    sets_.computing_.emplace(key_, sets_.level_);
    if (++sets_.depth_ > kSchemaDepthMax * 4)
      bad_input("JSON Schema: {}: schemas lead into each other more than {} deep, the limit",
                printable(sets_.at_, 400), kSchemaDepthMax * 4);
  }
  ~Entry() {
    sets_.computing_.erase(key_);
    --sets_.depth_;
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  SchemaSets& sets_;
  std::pair<FormulaId, bool> key_;
};

FormulaId SchemaSets::root() {
  return formulas_.schema(document_.root(), document_.entered(document_.root(), 0));
}

FormulaId SchemaSets::inner(const Place& place, const JsonNode& schema) {
  return formulas_.schema(schema, document_.entered(schema, place.scope));
}

const ValueSet& SchemaSets::values(FormulaId id, bool tracked) {
  const std::pair key(id, tracked);
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  const Formula formula = formulas_.at(id);
  const auto computing = computing_.find(key);
  if (computing != computing_.end()) {
    if (computing->second != level_) throw Undecided{};
    malformed_schema(formula.node != nullptr ? formula.node->pointer : at_,
                     "references lead back to it without going into a value");
  }
  spend_work(200);
  const Entry entry(*this, key);
  return known_.emplace(key, computed(formula, tracked)).first->second;
}

bool SchemaSets::is_never(FormulaId id) {
  if (id == kNever || id == kAny) return id == kNever;
  const auto known = known_.find({id, false});
  if (known != known_.end()) return known->second.is_empty();
  if (depth_ > kSchemaDepthMax) return false;
  const std::string at = at_;
  const int level = level_++;
  bool never = false;
  try {
    never = values(id).is_empty();
  } catch (const Undecided&) {
    // Its set depends on one that is not known yet: it may have values.
  }
  level_ = level;
  at_ = at;
  return never;
}

ValueSet SchemaSets::computed(const Formula& formula, bool tracked) {
  switch (formula.kind) {
    case Formula::Kind::never:
      return {};
    case Formula::Kind::any:
      return ValueSet::any();
    case Formula::Kind::schema:
      at_ = formula.node->pointer;
      return schema_values({*formula.node, formula.scope, tracked});
    case Formula::Kind::constant:
      return constant(*formula.node);
    case Formula::Kind::all_of: {
      ValueSet set = ValueSet::any();
      for (const FormulaId part : formula.parts) set = both(set, values(part));
      return set;
    }
    case Formula::Kind::any_of: {
      ValueSet set;
      for (const FormulaId part : formula.parts) set = either(std::move(set), values(part));
      return set;
    }
    case Formula::Kind::negation:
      return complement(values(formula.parts[0]));
  }
  return {};
}

ValueSet SchemaSets::schema_values(const Place& outer) {
  const JsonNode& schema = outer.schema;
  const bool unevaluated =
      schema.find("unevaluatedProperties") != nullptr || schema.find("unevaluatedItems") != nullptr;
  const Place place{schema, outer.scope, outer.tracked || unevaluated};
  ValueSet set = ValueSet::any();
  apply_types(place, set);
  apply_numbers(place, set);
  apply_texts(place, set);
  apply_arrays(place, set);
  apply_objects(place, set);
  apply_dependencies(place, set);
  apply_references(place, set);
  apply_logic(place, set);
  apply_unevaluated(place, set);
  return set;
}

void SchemaSets::apply_references(const Place& place, ValueSet& set) {
  if (const JsonNode* reference = place.schema.find("$ref"))
    set =
        both(set, values(inner(place, document_.target(place.schema, *reference)), place.tracked));
  if (const JsonNode* reference = place.schema.find("$dynamicRef"))
    set = both(set,
               values(inner(place, document_.dynamic_target(place.schema, *reference, place.scope)),
                      place.tracked));
}

void SchemaSets::apply_logic(const Place& place, ValueSet& set) {
  if (const JsonNode* list = place.schema.find("allOf"))
    for (const JsonNode& schema : list->items)
      set = both(set, values(inner(place, schema), place.tracked));
  if (const JsonNode* list = place.schema.find("anyOf")) set = both(set, any_of(place, *list));
  if (const JsonNode* list = place.schema.find("oneOf")) set = both(set, one_of(place, *list));
  if (const JsonNode* schema = place.schema.find("not"))
    set = both(set, complement(values(inner(place, *schema))));
  if (const JsonNode* condition = place.schema.find("if"))
    set = both(set, conditional(place, *condition));
}

ValueSet SchemaSets::any_of(const Place& place, const JsonNode& list) {
  ValueSet made;
  if (!place.tracked) {
    for (const JsonNode& schema : list.items)
      made = either(std::move(made), values(inner(place, schema)));
    return made;
  }
  if (list.items.size() > kTrackedBranchesMax)
    refuse(list.pointer,
           "more than {} branches together with unevaluatedProperties or "
           "unevaluatedItems",
           kTrackedBranchesMax);
  for (size_t subset = 1; subset < size_t{1} << list.items.size(); ++subset) {
    ValueSet all = ValueSet::any();
    for (size_t at = 0; at < list.items.size(); ++at)
      if ((subset >> at & 1) != 0) all = both(all, values(inner(place, list.items[at]), true));
    made = either(std::move(made), all);
  }
  return made;
}

// Branches that share no value need not exclude each other, which keeps the usual schemas, told
// apart by types or by a constant member, small.
ValueSet SchemaSets::one_of(const Place& place, const JsonNode& list) {
  std::vector<FormulaId> branches;
  for (const JsonNode& schema : list.items) branches.push_back(inner(place, schema));
  ValueSet made;
  for (size_t at = 0; at < branches.size(); ++at) {
    ValueSet alone = values(branches[at], place.tracked);
    for (size_t other = 0; other < branches.size() && !alone.is_empty(); ++other) {
      if (other == at || both(alone, values(branches[other])).is_empty()) continue;
      alone = both(alone, complement(values(branches[other])));
    }
    made = either(std::move(made), alone);
  }
  return made;
}

ValueSet SchemaSets::conditional(const Place& place, const JsonNode& condition) {
  const JsonNode* yes = place.schema.find("then");
  const JsonNode* no = place.schema.find("else");
  if (yes == nullptr && no == nullptr && !place.tracked) return ValueSet::any();
  const FormulaId formula = inner(place, condition);
  ValueSet made = values(formula, place.tracked);
  if (yes != nullptr) made = both(made, values(inner(place, *yes), place.tracked));
  ValueSet otherwise = complement(values(formula));
  if (no != nullptr) otherwise = both(otherwise, values(inner(place, *no), place.tracked));
  return either(std::move(made), otherwise);
}

void SchemaSets::apply_unevaluated(const Place& place, ValueSet& set) {
  if (const JsonNode* schema = place.schema.find("unevaluatedItems")) {
    std::vector<ArrayShape> shapes = std::exchange(set.arrays, {});
    for (ArrayShape& shape : shapes) {
      restrict_unevaluated(shape, inner(place, *schema));
      add(set.arrays, std::move(shape));
    }
  }
  if (const JsonNode* schema = place.schema.find("unevaluatedProperties")) {
    std::vector<ObjectShape> shapes = std::exchange(set.objects, {});
    for (ObjectShape& shape : shapes) {
      restrict_unevaluated(shape, inner(place, *schema));
      add(set.objects, std::move(shape));
    }
  }
}

void SchemaSets::restrict_unevaluated(ArrayShape& shape, FormulaId allowed) {
  if (shape.evaluated == ArrayShape::kEverything) return;
  std::vector<FormulaId> ways = shape.evaluated_by;
  ways.push_back(allowed);
  const FormulaId way = formulas_.any_of(std::move(ways));
  while (std::ssize(shape.prefix) < shape.evaluated) shape.prefix.push_back(shape.rest);
  for (int64_t at = shape.evaluated; at < std::ssize(shape.prefix); ++at) {
    FormulaId& item = shape.prefix[static_cast<size_t>(at)];
    item = formulas_.both(item, way);
  }
  shape.rest = formulas_.both(shape.rest, way);
  shape.evaluated = ArrayShape::kEverything;
}

void SchemaSets::restrict_unevaluated(ObjectShape& shape, FormulaId allowed) {
  for (ObjectShape::Named& named : shape.named)
    if (shape.nothing_evaluated || !holds(shape.evaluated, named.key))
      named.value = formulas_.both(named.value, allowed);
  std::vector<ObjectShape::Region> regions;
  for (const ObjectShape::Region& region : shape.regions) {
    const FormulaId restricted = formulas_.both(region.value, allowed);
    if (shape.nothing_evaluated) {
      regions.push_back({region.keys, restricted});
      continue;
    }
    const Language seen = grammar::both(region.keys, shape.evaluated);
    const Language rest = without(region.keys, shape.evaluated);
    if (!is_nothing(seen)) regions.push_back({seen, region.value});
    if (!is_nothing(rest)) regions.push_back({rest, restricted});
  }
  shape.regions = std::move(regions);
  shape.evaluated = nullptr;
  shape.nothing_evaluated = false;
}

}  // namespace bittern::chat::grammar
