// The flags that hold the text to a grammar: a JSON Schema, any JSON object, a regular expression,
// one of some texts, or GBNF. At most one of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/grammar/grammar.h"
#include "cli/flags.h"
#include "text/tokenizer.h"

namespace bittern::cli {

struct GrammarFlags {
  std::optional<std::string> json_schema, json_schema_file, regex, gbnf, gbnf_file;
  std::vector<std::string> choices;
  bool json_object = false;

  void declare(Flags& flags);

  // The flag that was given, "" where none was.
  std::string_view given() const;

  // What the flags ask for, before a model is there; nothing where they ask for nothing. Throws
  // Error{usage} where two of them are given, and what reading and compiling throw, naming the
  // verb and the flag.
  std::optional<chat::grammar::Grammar> compile(std::string_view verb) const;

 private:
  std::vector<std::string_view> all_given() const;
};

// A grammar over a tokenizer's vocabulary, for one engine.
std::shared_ptr<chat::grammar::Constraint> constrain(chat::grammar::Grammar grammar,
                                                     const text::Tokenizer& tokenizer);

}  // namespace bittern::cli
