#include "cli/grammar_flags.h"

#include <utility>

#include "base/error.h"
#include "base/file_map.h"

namespace bittern::cli {

namespace grammar = chat::grammar;

void GrammarFlags::declare(Flags& flags) {
  flags.text(
      {"-j,--json-schema", "JSON", "The text is JSON that satisfies this schema (draft 2020-12)."},
      &json_schema);
  flags.text({"-jf,--json-schema-file", "FILE", "The same, with the schema in a file."},
             &json_schema_file);
  flags.toggle({"--json-object", "", "The text is a JSON object."}, &json_object);
  flags.text({"--regex", "RE", "The whole text matches this expression (ECMA-262)."}, &regex);
  flags.texts({"--choice", "TEXT", "The text is one of these. Repeatable."}, &choices);
  flags.text({"--grammar", "GBNF", "The text matches this grammar, in llama.cpp's language."},
             &gbnf);
  flags.text({"--grammar-file", "FILE", "The same, with the grammar in a file."}, &gbnf_file);
}

std::vector<std::string_view> GrammarFlags::all_given() const {
  std::vector<std::string_view> names;
  const auto add = [&](bool is_given, std::string_view name) {
    if (is_given) names.push_back(name);
  };
  add(json_schema.has_value(), "--json-schema");
  add(json_schema_file.has_value(), "--json-schema-file");
  add(json_object, "--json-object");
  add(regex.has_value(), "--regex");
  add(!choices.empty(), "--choice");
  add(gbnf.has_value(), "--grammar");
  add(gbnf_file.has_value(), "--grammar-file");
  return names;
}

std::string_view GrammarFlags::given() const {
  const auto names = all_given();
  return names.empty() ? "" : names.front();
}

std::optional<grammar::Grammar> GrammarFlags::compile(std::string_view verb) const {
  const auto names = all_given();
  if (names.empty()) return std::nullopt;
  if (names.size() > 1)
    fail(ErrorKind::usage, "{}: {}: not with {}; one grammar at most", verb, names[1], names[0]);
  const auto source = [](const std::string& file) {
    return read_text_file(file, static_cast<int64_t>(grammar::kSourceBytesMax));
  };
  try {
    if (json_schema) return grammar::compile_json_schema(*json_schema);
    if (json_schema_file) return grammar::compile_json_schema(source(*json_schema_file));
    if (json_object) return grammar::json_object();
    if (regex) return grammar::compile_regex(*regex);
    if (!choices.empty()) return grammar::compile_choice(choices);
    return grammar::compile_gbnf(gbnf ? *gbnf : source(*gbnf_file));
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}: {}", verb, names[0], error.message()));
  }
}

std::shared_ptr<grammar::Constraint> constrain(grammar::Grammar grammar,
                                               const text::Tokenizer& tokenizer) {
  auto trie = std::make_shared<const grammar::TokenTrie>(tokenizer);
  return std::make_shared<grammar::Constraint>(std::move(grammar), std::move(trie));
}

}  // namespace bittern::cli
