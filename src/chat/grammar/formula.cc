#include "chat/grammar/formula.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "chat/grammar/limits.h"

namespace bittern::chat::grammar {

Formulas::Formulas() {
  interned("never", {.kind = Formula::Kind::never});
  interned("any", {.kind = Formula::Kind::any});
}

FormulaId Formulas::interned(std::string key, Formula formula) {
  if (static_cast<int64_t>(formulas_.size()) >= kRulesMax)
    bad_input("JSON Schema: more than {} combinations of schemas, the limit", kRulesMax);
  const auto [it, fresh] =
      by_key_.emplace(std::move(key), static_cast<FormulaId>(formulas_.size()));
  if (fresh) formulas_.push_back(std::move(formula));
  return it->second;
}

FormulaId Formulas::schema(const JsonNode& node, int32_t scope) {
  if (node.is(JsonNode::Kind::boolean)) return node.boolean ? kAny : kNever;
  return interned(fmt::format("s{} {}", scope, static_cast<const void*>(&node)),
                  {.kind = Formula::Kind::schema, .node = &node, .scope = scope});
}

FormulaId Formulas::constant(const JsonNode& value) {
  return interned("c" + value.canonical(), {.kind = Formula::Kind::constant, .node = &value});
}

FormulaId Formulas::all_of(std::vector<FormulaId> parts) {
  return combined(Formula::Kind::all_of, std::move(parts));
}
FormulaId Formulas::any_of(std::vector<FormulaId> parts) {
  return combined(Formula::Kind::any_of, std::move(parts));
}

FormulaId Formulas::combined(Formula::Kind kind, std::vector<FormulaId> parts) {
  const FormulaId neutral = kind == Formula::Kind::all_of ? kAny : kNever;
  const FormulaId absorbing = kind == Formula::Kind::all_of ? kNever : kAny;
  std::vector<FormulaId> flat;
  for (const FormulaId part : parts) {
    if (part == absorbing) return absorbing;
    const Formula formula = at(part);
    if (formula.kind == kind) {
      flat.insert(flat.end(), formula.parts.begin(), formula.parts.end());
    } else if (part != neutral) {
      flat.push_back(part);
    }
  }
  std::ranges::sort(flat);
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return neutral;
  if (flat.size() == 1) return flat[0];
  std::string key = kind == Formula::Kind::all_of ? "&" : "|";
  for (const FormulaId part : flat) key += fmt::format("{},", static_cast<int32_t>(part));
  return interned(std::move(key), {.kind = kind, .parts = std::move(flat)});
}

FormulaId Formulas::negation(FormulaId of) {
  const Formula formula = at(of);
  switch (formula.kind) {
    case Formula::Kind::never:
      return kAny;
    case Formula::Kind::any:
      return kNever;
    case Formula::Kind::negation:
      return formula.parts[0];
    case Formula::Kind::all_of:
    case Formula::Kind::any_of: {
      std::vector<FormulaId> parts;
      for (const FormulaId part : formula.parts) parts.push_back(negation(part));
      return formula.kind == Formula::Kind::all_of ? any_of(std::move(parts))
                                                   : all_of(std::move(parts));
    }
    case Formula::Kind::schema:
    case Formula::Kind::constant:
      return interned(fmt::format("!{}", static_cast<int32_t>(of)),
                      {.kind = Formula::Kind::negation, .parts = {of}});
  }
  return kNever;
}

}  // namespace bittern::chat::grammar
