// The grammar of JSON itself: spaces, strings, numbers and any value, as expressions that schemas
// are put together from.
//
// Strings: free text may use every escape of JSON (\u only for characters: surrogates come in
// pairs). A text that a schema constrains has one spelling: characters as they are, \" \\ and the
// control characters by their escapes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "chat/grammar/expression.h"
#include "chat/grammar/grammar.h"

namespace bittern::chat::grammar {

class JsonRules {
 public:
  JsonRules(Rules& rules, const JsonOptions& options);

  ExpressionId space() const { return space_; }
  // A string in quotes of `min` to `max` characters (-1: without end).
  ExpressionId string(int64_t min = 0, int64_t max = -1);
  // A string in quotes whose decoded text is of the language (UTF-8).
  ExpressionId string(const Automaton& decoded);
  // Any number, exponents included.
  ExpressionId number();
  ExpressionId any_value();
  ExpressionId any_object();
  // An element, then `, element` as often as there are.
  ExpressionId comma() const { return comma_; }  // with its spaces
  ExpressionId colon() const { return colon_; }
  ExpressionId open(std::string_view bracket);   // with the space behind
  ExpressionId close(std::string_view bracket);  // with the space before

 private:
  void define_values();

  Rules& rules_;
  ExpressionId space_{}, comma_{}, colon_{}, character_{};
  std::optional<ExpressionId> string_, number_, value_, object_;
};

// A text as JSON, by the same rules: "a\\n".
std::string quoted(std::string_view text);

}  // namespace bittern::chat::grammar
