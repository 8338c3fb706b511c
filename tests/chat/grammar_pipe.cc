// Answers questions about grammars over pipes, for the comparison with the JSON-Schema-Test-Suite
// and the jsonschema package (tests/oracles/test_json_schema.py). One JSON object a line:
//   {"schema": TEXT, "texts": [...]}  (or "regex", "gbnf", "choice": [...])
//     -> {"accepted": [true, ...], "states": N}   or {"error": "...", "kind": K}
//   {..., "walks": N, "seed": S}  -> also {"walked": [...]}: whole matches found at random
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/random.h"
#include "chat/grammar/grammar.h"

namespace bittern::chat::grammar {
namespace {

constexpr int32_t kEnd = 256;

// Every byte is a token, and 256 ends the text.
std::shared_ptr<const TokenTrie> bytes_trie() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  tokens.emplace_back();
  return std::make_shared<const TokenTrie>(tokens, std::vector<int32_t>{kEnd});
}

Grammar grammar_of(const json::Value& request) {
  if (const auto schema = request.get_string("schema")) return compile_json_schema(*schema);
  if (const auto regex = request.get_string("regex")) return compile_regex(*regex);
  if (const auto gbnf = request.get_string("gbnf")) return compile_gbnf(*gbnf);
  std::vector<std::string> choices;
  for (const json::Value& choice : request.get("choice")->elements("choice"))
    choices.emplace_back(choice.as_string("choice"));
  return compile_choice(choices);
}

bool accepts(const std::shared_ptr<Constraint>& constraint, std::string_view text) {
  Matcher matcher(constraint);
  return matcher.accept_text(text) && matcher.is_complete();
}

// Likes what ends texts, members and arrays, so that most walks come to an end.
double weight(int32_t token, size_t length) {
  if (token == kEnd) return 40;
  if (token >= 0x80 || token < 0x20) return 0.3;
  const bool closes = std::string_view("\"]}").find(static_cast<char>(token)) != std::string::npos;
  return closes ? 6 + static_cast<double>(length) : token == ' ' || token == '\\' ? 0.3 : 1;
}

// Empty where the walk became too long.
std::string walk(const std::shared_ptr<Constraint>& constraint, random::Sequence& random) {
  Matcher matcher(constraint);
  std::vector<uint64_t> bits(constraint->trie().mask_words());
  std::string text;
  while (text.size() < 600) {
    matcher.mask(bits);
    double total = 0;
    for (int32_t token = 0; token <= kEnd; ++token)
      if ((bits[token / 64] >> (token % 64) & 1) != 0) total += weight(token, text.size());
    if (total == 0) return "";
    double left = random.uniform() * total;
    int32_t chosen = -1;
    for (int32_t token = 0; token <= kEnd && left >= 0; ++token) {
      if ((bits[token / 64] >> (token % 64) & 1) == 0) continue;
      chosen = token;
      left -= weight(token, text.size());
    }
    if (!matcher.accept(chosen)) fail(ErrorKind::internal, "a token of the mask is not accepted");
    if (chosen == kEnd) return text;
    text += static_cast<char>(chosen);
  }
  return "";
}

JsonBuilder answer(const json::Value& request, const std::shared_ptr<const TokenTrie>& trie) {
  try {
    const Grammar grammar = grammar_of(request);
    const auto constraint = std::make_shared<Constraint>(grammar, trie);
    JsonBuilder result{{"states", grammar.state_count()}, {"accepted", JsonBuilder::array()}};
    if (const auto texts = request.get("texts"))
      for (const json::Value& text : texts->elements("texts"))
        result["accepted"].push_back(accepts(constraint, text.as_string("text")));
    const int64_t walks = request.get_integer("walks").value_or(0);
    random::Sequence random(static_cast<uint64_t>(request.get_integer("seed").value_or(0)));
    result["walked"] = JsonBuilder::array();
    for (int64_t i = 0; i < walks; ++i) {
      std::string text = walk(constraint, random);
      if (!text.empty()) result["walked"].push_back(std::move(text));
    }
    return result;
  } catch (const Error& error) {
    return {{"error", error.message()}, {"kind", static_cast<int>(error.kind())}};
  }
}

int serve() {
  const auto trie = bytes_trie();
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto request = json::Document::parse(line, "stdin");
    std::cout << to_text(answer(request->root(), trie)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace bittern::chat::grammar

int main() {
  try {
    return bittern::chat::grammar::serve();
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return static_cast<int>(error.kind());
  }
}
