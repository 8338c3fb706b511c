// The one representation that every front end (JSON Schema, regular expression, choices, GBNF)
// produces: rules over bytes made of sequences, choices, counted repetitions, regular languages and
// calls of rules; a context-free grammar. compile() makes a Program of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/grammar/automaton.h"
#include "chat/grammar/characters.h"

namespace bittern::chat::grammar {

enum class ExpressionId : int32_t {};
enum class RuleId : int32_t {};

class Rules {
 public:
  enum class Inline : uint8_t {
    when_small,  // copied to where it is called, unless it calls itself or is large
    never,       // states shared by every call: what has a costly token mask, as texts do
  };
  // From node to node by an expression. Node 0 is the start of a graph, node 1 its end.
  struct Arc {
    int32_t from, to;
    ExpressionId by;
  };
  struct Expression {
    enum class Kind : uint8_t { text, characters, language, sequence, choice, repeat, graph, call };
    Kind kind;
    bool wide = false;   // reads some sixty or more different bytes in a loop
    int64_t size = 0;    // states that it costs, about
    std::string text{};  // text; the empty one matches the empty text
    Characters set{};    // characters
    std::shared_ptr<const Automaton> language{};
    std::vector<ExpressionId> parts{};  // sequence, choice (of none: matches nothing), repeat
    int64_t min = 0, max = 0;           // repeat; max -1: without end
    std::vector<Arc> arcs{};            // graph
    RuleId rule{};                      // call
  };
  struct Rule {
    std::string name;
    ExpressionId body{};
    bool defined = false;
    Inline policy = Inline::when_small;
  };

  ExpressionId nothing();
  ExpressionId text(std::string_view bytes);
  ExpressionId characters(Characters set);
  ExpressionId language(std::shared_ptr<const Automaton> automaton);
  ExpressionId sequence(std::vector<ExpressionId> parts);
  ExpressionId choice(std::vector<ExpressionId> parts);
  // Throws Error{bad_input} for counts past kRepeatMax. max -1: without end.
  ExpressionId repeat(ExpressionId part, int64_t min, int64_t max = -1);
  ExpressionId optional(ExpressionId part) { return repeat(part, 0, 1); }
  // Any way from node 0 to node 1.
  ExpressionId graph(std::vector<Arc> arcs);
  ExpressionId call(RuleId rule);

  RuleId add_rule(std::string name, Inline policy = Inline::when_small);
  void define(RuleId rule, ExpressionId body);
  // add_rule, define and call in one.
  ExpressionId named(std::string name, ExpressionId body, Inline policy = Inline::when_small);

  const Expression& at(ExpressionId id) const { return expressions_[static_cast<size_t>(id)]; }
  const Rule& at(RuleId id) const { return rules_[static_cast<size_t>(id)]; }
  size_t rule_count() const { return rules_.size(); }

 private:
  ExpressionId add(Expression expression);
  ExpressionId in_blocks(ExpressionId part, int64_t min, int64_t max);

  std::vector<Expression> expressions_;
  std::vector<Rule> rules_;
};

}  // namespace bittern::chat::grammar
