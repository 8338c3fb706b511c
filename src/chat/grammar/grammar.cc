// The front ends that need no parser of their own.
#include "chat/grammar/grammar.h"

#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/grammar/json_rules.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/program.h"
#include "chat/grammar/regex.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

Grammar compiled(Rules& rules, ExpressionId body) {
  const RuleId root = rules.add_rule("root");
  rules.define(root, body);
  return Grammar(std::make_shared<const Program>(compile(rules, root)));
}

}  // namespace

Grammar json_object(const JsonOptions& options) {
  const WorkBudget budget(kCompileWorkMax);
  Rules rules;
  JsonRules json(rules, options);
  return compiled(rules, json.any_object());
}

Grammar compile_regex(std::string_view expression) {
  const WorkBudget budget(kCompileWorkMax);
  Rules rules;
  return compiled(rules, rules.language(std::make_shared<const Automaton>(
                             regular_language(expression, Anchored::whole, "regular expression"))));
}

Grammar compile_choice(std::span<const std::string> choices) {
  const WorkBudget budget(kCompileWorkMax);
  if (choices.empty()) bad_input("choices: the list is empty");
  Rules rules;
  std::vector<ExpressionId> texts;
  size_t bytes = 0;
  for (const std::string& choice : choices) {
    if (!utf8::is_valid(choice)) bad_input("choices: \"{}\" is not valid UTF-8", printable(choice));
    bytes += choice.size();
    if (bytes > kSourceBytesMax)
      bad_input("choices: more than {} bytes, the limit", kSourceBytesMax);
    texts.push_back(rules.text(choice));
  }
  return compiled(rules, rules.choice(std::move(texts)));
}

}  // namespace bittern::chat::grammar
