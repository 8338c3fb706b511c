#include "chat/grammar/expression.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "chat/grammar/limits.h"

namespace bittern::chat::grammar {
namespace {

constexpr int64_t kSizeCap = int64_t{1} << 40;
constexpr uint32_t kWideCharacters = 60;

bool is_wide(const Characters& set) {
  uint32_t count = 0;
  for (const CharacterRange& range : set) count += range.last - range.first + 1;
  return count >= kWideCharacters;
}

}  // namespace

ExpressionId Rules::add(Expression expression) {
  if (static_cast<int64_t>(expressions_.size()) >= kExpressionNodesMax)
    bad_input("grammar: larger than {} parts, the limit", kExpressionNodesMax);
  expression.size = std::min(expression.size, kSizeCap);
  expressions_.push_back(std::move(expression));
  return static_cast<ExpressionId>(expressions_.size() - 1);
}

ExpressionId Rules::nothing() { return choice({}); }

ExpressionId Rules::text(std::string_view bytes) {
  Expression made{.kind = Expression::Kind::text};
  made.text = bytes;
  made.size = static_cast<int64_t>(bytes.size()) + 1;
  return add(std::move(made));
}

ExpressionId Rules::characters(Characters set) {
  Expression made{.kind = Expression::Kind::characters};
  made.set = tidied(std::move(set));
  made.size = !made.set.empty() && made.set.back().last >= 0x80
                  ? 2 + 3 * static_cast<int64_t>(made.set.size())
                  : 2;
  return add(std::move(made));
}

ExpressionId Rules::language(std::shared_ptr<const Automaton> automaton) {
  Expression made{.kind = Expression::Kind::language};
  made.size = static_cast<int64_t>(automaton->states.size()) + 1;
  made.language = std::move(automaton);
  return add(std::move(made));
}

ExpressionId Rules::sequence(std::vector<ExpressionId> parts) {
  if (parts.size() == 1) return parts[0];
  Expression made{.kind = Expression::Kind::sequence};
  for (const ExpressionId part : parts) {
    made.size = std::min(made.size + at(part).size, kSizeCap);
    made.wide = made.wide || at(part).wide;
  }
  made.parts = std::move(parts);
  return add(std::move(made));
}

ExpressionId Rules::choice(std::vector<ExpressionId> parts) {
  if (parts.size() == 1) return parts[0];
  Expression made{.kind = Expression::Kind::choice};
  made.size = 2;
  for (const ExpressionId part : parts) {
    made.size = std::min(made.size + at(part).size, kSizeCap);
    made.wide = made.wide || at(part).wide;
  }
  made.parts = std::move(parts);
  return add(std::move(made));
}

ExpressionId Rules::repeat(ExpressionId part, int64_t min, int64_t max) {
  if (min > kRepeatMax || max > kRepeatMax)
    bad_input("grammar: repetition {} is more than {}, the limit", std::max(min, max), kRepeatMax);
  if (max >= 0 && max < min) return nothing();
  if (max == 0) return text("");
  if (min == 1 && max == 1) return part;
  if (std::max(min, max) > kCopiesMax) return in_blocks(part, min, max);
  Expression made{.kind = Expression::Kind::repeat};
  const Expression& inner = at(part);
  made.size = std::min(kSizeCap, (inner.size + 1) * std::max({min, max, int64_t{1}}) + 1);
  // A loop over a set of characters, or over a choice that has one in it.
  bool wide = is_wide(inner.set);
  if (inner.kind == Expression::Kind::choice)
    for (const ExpressionId each : inner.parts) wide = wide || is_wide(at(each).set);
  made.wide = inner.wide || (wide && (max < 0 || max >= 8));
  made.parts = {part};
  made.min = min;
  made.max = max;
  return add(std::move(made));
}

// x{m,n} with large counts: blocks of kCopiesMax as calls of one rule, so that the number of states
// grows with the logarithm of the counts and not with the counts.
//   x{m}    = block{m / c} x{m % c}
//   x{0,k}  = block{0,k/c - 1} x{0,c-1} | block{k/c} x{0,k%c}
ExpressionId Rules::in_blocks(ExpressionId part, int64_t min, int64_t max) {
  const int64_t c = kCopiesMax;
  const ExpressionId block = named("block", repeat(part, c, c), Inline::never);
  std::vector<ExpressionId> whole;
  if (min > 0) {
    whole.push_back(repeat(block, min / c, min / c));
    whole.push_back(repeat(part, min % c, min % c));
  }
  if (max < 0) {
    whole.push_back(repeat(part, 0, -1));
  } else if (max > min) {
    const int64_t k = max - min;
    const ExpressionId last = sequence({repeat(block, k / c, k / c), repeat(part, 0, k % c)});
    whole.push_back(
        k < c ? last
              : choice({sequence({repeat(block, 0, k / c - 1), repeat(part, 0, c - 1)}), last}));
  }
  return sequence(std::move(whole));
}

ExpressionId Rules::graph(std::vector<Arc> arcs) {
  Expression made{.kind = Expression::Kind::graph};
  for (const Arc& arc : arcs) {
    made.size = std::min(made.size + at(arc.by).size, kSizeCap);
    made.wide = made.wide || at(arc.by).wide;
    made.parts.push_back(arc.by);
  }
  made.arcs = std::move(arcs);
  return add(std::move(made));
}

ExpressionId Rules::call(RuleId rule) {
  Expression made{.kind = Expression::Kind::call};
  made.size = 2;
  made.rule = rule;
  return add(std::move(made));
}

RuleId Rules::add_rule(std::string name, Inline policy) {
  if (static_cast<int64_t>(rules_.size()) >= kRulesMax)
    bad_input("grammar: more than {} rules, the limit", kRulesMax);
  rules_.push_back({.name = std::move(name), .policy = policy});
  return static_cast<RuleId>(rules_.size() - 1);
}

void Rules::define(RuleId rule, ExpressionId body) {
  rules_[static_cast<size_t>(rule)].body = body;
  rules_[static_cast<size_t>(rule)].defined = true;
}

ExpressionId Rules::named(std::string name, ExpressionId body, Inline policy) {
  const RuleId rule = add_rule(std::move(name), policy);
  define(rule, body);
  return call(rule);
}

}  // namespace bittern::chat::grammar
