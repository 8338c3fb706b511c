// Boolean formulas over schemas: what a value at one place must satisfy. Equal formulas have equal
// numbers, so that a rule is made once for each, and a recursive schema ends in itself.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "chat/grammar/schema_json.h"

namespace bittern::chat::grammar {

enum class FormulaId : int32_t {};
inline constexpr FormulaId kNever{0};
inline constexpr FormulaId kAny{1};

struct Formula {
  enum class Kind : uint8_t { never, any, schema, constant, all_of, any_of, negation };
  Kind kind;
  const JsonNode* node = nullptr;  // schema; constant: its value
  int32_t scope = 0;               // schema: the dynamic scope (schema_document.h)
  std::vector<FormulaId> parts{};  // sorted
};

class Formulas {
 public:
  Formulas();
  FormulaId schema(const JsonNode& node, int32_t scope);
  FormulaId constant(const JsonNode& value);
  FormulaId all_of(std::vector<FormulaId> parts);
  FormulaId any_of(std::vector<FormulaId> parts);
  FormulaId negation(FormulaId of);
  FormulaId both(FormulaId a, FormulaId b) { return all_of({a, b}); }

  // By value: the table grows while one is looked at.
  Formula at(FormulaId id) const { return formulas_[static_cast<size_t>(id)]; }

 private:
  FormulaId combined(Formula::Kind kind, std::vector<FormulaId> parts);
  FormulaId interned(std::string key, Formula formula);

  std::vector<Formula> formulas_;
  std::unordered_map<std::string, FormulaId> by_key_;
};

}  // namespace bittern::chat::grammar
