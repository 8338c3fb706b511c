// From rules to automata: small rules are copied into their callers, every other rule becomes one
// minimal deterministic automaton whose alphabet has the calls; rules that can never finish are
// cut away, and left recursion is refused.
#include "chat/grammar/program.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/error.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/nfa.h"
#include "chat/grammar/partition.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

// A rule of at most this many states is copied to its callers.
constexpr int64_t kInlineSize = 40;

using Kind = Rules::Expression::Kind;

class Compiler {
 public:
  explicit Compiler(const Rules& rules) : rules_(rules), number_(rules.rule_count(), -1) {}

  Program compile(RuleId root) {
    decide_inlining();
    number_of(root);
    for (size_t at = 0; at < queue_.size(); ++at) {
      const RuleId rule = queue_[at];
      automata_.push_back(automaton_of(rule));
    }
    drop_unproductive();
    if (automata_[0].matches_nothing()) bad_input("grammar: no text can match");
    refuse_left_recursion();
    return joined();
  }

 private:
  // Recursive rules: those on a cycle of calls. Depth-first with an explicit stack.
  void decide_inlining() {
    const size_t count = rules_.rule_count();
    inlined_.assign(count, false);
    std::vector<std::vector<int32_t>> calls(count);
    for (size_t rule = 0; rule < count; ++rule) {
      const Rules::Rule& each = rules_.at(static_cast<RuleId>(rule));
      if (!each.defined) bad_input("grammar: rule \"{}\" is not defined", printable(each.name));
      collect_calls(each.body, calls[rule]);
    }
    // Kahn's order over callees: a rule is done when all that it calls are; the rest is recursive.
    std::vector<std::vector<int32_t>> callers(count);
    std::vector<size_t> open(count);
    std::deque<int32_t> ready;
    for (size_t rule = 0; rule < count; ++rule) {
      open[rule] = calls[rule].size();
      for (const int32_t callee : calls[rule])
        callers[callee].push_back(static_cast<int32_t>(rule));
      if (open[rule] == 0) ready.push_back(static_cast<int32_t>(rule));
    }
    std::vector<int64_t> size(count);
    std::vector<bool> wide(count);
    while (!ready.empty()) {
      const int32_t rule = ready.front();
      ready.pop_front();
      const Rules::Rule& each = rules_.at(static_cast<RuleId>(rule));
      size[rule] = rules_.at(each.body).size;
      wide[rule] = rules_.at(each.body).wide;
      for (const int32_t callee : calls[rule]) {
        if (!inlined_[callee]) continue;
        size[rule] += size[callee];
        wide[rule] = wide[rule] || wide[callee];
      }
      inlined_[rule] =
          each.policy == Rules::Inline::when_small && size[rule] <= kInlineSize && !wide[rule];
      for (const int32_t caller : callers[rule])
        if (--open[caller] == 0) ready.push_back(caller);
    }
  }

  void collect_calls(ExpressionId root, std::vector<int32_t>& out) const {
    std::vector<ExpressionId> open{root};
    while (!open.empty()) {
      const Rules::Expression& each = rules_.at(open.back());
      open.pop_back();
      if (each.kind == Kind::call) out.push_back(static_cast<int32_t>(each.rule));
      open.insert(open.end(), each.parts.begin(), each.parts.end());
    }
  }

  int32_t number_of(RuleId rule) {
    int32_t& number = number_[static_cast<size_t>(rule)];
    if (number < 0) {
      number = static_cast<int32_t>(queue_.size());
      queue_.push_back(rule);
    }
    return number;
  }

  Automaton automaton_of(RuleId rule) {
    Nfa nfa;
    const int32_t start = nfa.add_state(), final = nfa.add_state();
    build(nfa, rules_.at(rule).body, start, final);
    Automaton made = nfa.deterministic(start, final);
    states_ += static_cast<int64_t>(made.states.size());
    check_total();
    return made;
  }

  void check_total() const {
    if (states_ > kGrammarStatesMax)
      bad_input("grammar: needs more than {} states, the limit", kGrammarStatesMax);
  }

  void build(Nfa& nfa, ExpressionId id, int32_t from, int32_t to) {
    const Rules::Expression& each = rules_.at(id);
    spend_work(1);
    switch (each.kind) {
      case Kind::text:
        nfa.on_text(from, each.text, to);
        return;
      case Kind::characters:
        nfa.on_characters(from, each.set, to);
        return;
      case Kind::language:
        nfa.on_language(from, *each.language, to);
        return;
      case Kind::sequence:
        for (size_t at = 0; at < each.parts.size(); ++at) {
          const int32_t next = at + 1 == each.parts.size() ? to : nfa.add_state();
          build(nfa, each.parts[at], from, next);
          from = next;
        }
        if (each.parts.empty()) nfa.on_empty(from, to);
        return;
      case Kind::choice:
        for (const ExpressionId part : each.parts) build_apart(nfa, part, from, to);
        return;
      case Kind::repeat:
        build_repeat(nfa, each, from, to);
        return;
      case Kind::graph:
        build_graph(nfa, each, from, to);
        return;
      case Kind::call:
        if (inlined_[static_cast<size_t>(each.rule)]) {
          build_apart(nfa, rules_.at(each.rule).body, from, to);
        } else {
          nfa.on_call(from, number_of(each.rule), to);
        }
        return;
    }
  }

  // With ends of its own, so that a loop inside does not leak into what shares `from` or `to`.
  void build_apart(Nfa& nfa, ExpressionId id, int32_t from, int32_t to) {
    const int32_t first = nfa.add_state(), last = nfa.add_state();
    nfa.on_empty(from, first);
    build(nfa, id, first, last);
    nfa.on_empty(last, to);
  }

  void build_graph(Nfa& nfa, const Rules::Expression& each, int32_t from, int32_t to) {
    std::vector<int32_t> nodes;
    for (const Rules::Arc& arc : each.arcs)
      while (nodes.size() <= static_cast<size_t>(std::max(arc.from, arc.to)))
        nodes.push_back(nfa.add_state());
    if (nodes.size() < 2) return;
    nfa.on_empty(from, nodes[0]);
    for (const Rules::Arc& arc : each.arcs)
      build_apart(nfa, arc.by, nodes[arc.from], nodes[arc.to]);
    nfa.on_empty(nodes[1], to);
  }

  void build_repeat(Nfa& nfa, const Rules::Expression& each, int32_t from, int32_t to) {
    for (int64_t copy = 0; copy < each.min; ++copy) {
      const int32_t next = nfa.add_state();
      build_apart(nfa, each.parts[0], from, next);
      from = next;
    }
    if (each.max < 0) {
      const int32_t loop = nfa.add_state();
      nfa.on_empty(from, loop);
      build_apart(nfa, each.parts[0], loop, loop);
      nfa.on_empty(loop, to);
      return;
    }
    nfa.on_empty(from, to);
    for (int64_t copy = each.min; copy < each.max; ++copy) {
      const int32_t next = nfa.add_state();
      build_apart(nfa, each.parts[0], from, next);
      nfa.on_empty(next, to);
      from = next;
    }
  }

  // A rule is productive when its automaton can finish through calls of productive rules alone.
  void drop_unproductive() {
    const size_t count = automata_.size();
    std::vector<bool> productive(count);
    std::vector<std::vector<int32_t>> callers(count);
    std::deque<int32_t> open;
    for (size_t rule = 0; rule < count; ++rule) {
      open.push_back(static_cast<int32_t>(rule));
      for (const State& state : automata_[rule].states)
        for (const CallEdge& call : state.calls)
          callers[call.rule].push_back(static_cast<int32_t>(rule));
    }
    while (!open.empty()) {
      const int32_t rule = open.front();
      open.pop_front();
      if (productive[rule]) continue;
      spend_work(static_cast<int64_t>(automata_[rule].states.size()));
      Automaton tried = automata_[rule];
      trim(tried, [&](int32_t callee) { return productive[callee]; });
      if (tried.matches_nothing()) continue;
      productive[rule] = true;
      for (const int32_t caller : callers[rule])
        if (!productive[caller]) open.push_back(caller);
    }
    for (Automaton& each : automata_)
      trim(each, [&](int32_t callee) { return productive[callee]; });
  }

  std::vector<bool> nullable_rules() const {
    std::vector<bool> nullable(automata_.size());
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t rule = 0; rule < automata_.size(); ++rule) {
        if (nullable[rule] || automata_[rule].matches_nothing()) continue;
        left_calls(
            static_cast<int32_t>(rule), nullable, [&](int32_t) {},
            [&] {
              nullable[rule] = true;
              changed = true;
            });
      }
    }
    return nullable;
  }

  // Visits the rules that can be called before any byte is read.
  template <typename Visit, typename End>
  void left_calls(int32_t rule, const std::vector<bool>& nullable, const Visit& visit,
                  const End& at_end) const {
    const auto& states = automata_[rule].states;
    if (states.empty()) return;
    std::vector<int32_t> open{0};
    std::vector<bool> seen(states.size());
    seen[0] = true;
    bool ends = false;
    while (!open.empty()) {
      const State& state = states[open.back()];
      open.pop_back();
      ends = ends || state.accept;
      for (const CallEdge& call : state.calls) {
        visit(call.rule);
        if (!nullable[call.rule] || seen[call.target]) continue;
        seen[call.target] = true;
        open.push_back(call.target);
      }
    }
    spend_work(1 + static_cast<int64_t>(states.size()) / 16);
    if (ends) at_end();
  }

  // Depth first over left calls with a stack of our own: grammars may be thousands of rules deep.
  void refuse_left_recursion() const {
    const std::vector<bool> nullable = nullable_rules();
    enum class Mark : uint8_t { fresh, open, done };
    std::vector<Mark> marks(automata_.size(), Mark::fresh);
    struct Visit {
      int32_t rule;
      std::vector<int32_t> next;
    };
    for (size_t root = 0; root < automata_.size(); ++root) {
      if (marks[root] != Mark::fresh) continue;
      std::vector<Visit> path;
      const auto enter = [&](int32_t rule) {
        marks[rule] = Mark::open;
        path.push_back({rule, {}});
        left_calls(
            rule, nullable, [&](int32_t callee) { path.back().next.push_back(callee); }, [] {});
      };
      enter(static_cast<int32_t>(root));
      while (!path.empty()) {
        if (path.back().next.empty()) {
          marks[path.back().rule] = Mark::done;
          path.pop_back();
          continue;
        }
        const int32_t callee = path.back().next.back();
        path.back().next.pop_back();
        if (marks[callee] == Mark::open)
          bad_input("grammar: rule \"{}\" calls itself before it reads anything (left recursion)",
                    printable(rules_.at(queue_[callee]).name));
        if (marks[callee] == Mark::fresh) enter(callee);
      }
    }
  }

  Program joined() {
    Program program;
    std::vector<int32_t> first;
    int32_t count = 0;
    for (Automaton& each : automata_) {
      each = minimised(std::move(each));
      first.push_back(count);
      count += static_cast<int32_t>(each.states.size());
    }
    program.rule_start = first;
    program.states.reserve(static_cast<size_t>(count));
    for (size_t rule = 0; rule < automata_.size(); ++rule) {
      const auto& states = automata_[rule].states;
      const auto only_returns = [&](int32_t at) {
        return states[at].accept && states[at].bytes.empty() && states[at].calls.empty();
      };
      for (const State& from : states) {
        State state = from;
        for (ByteEdge& edge : state.bytes) edge.target += first[rule];
        for (CallEdge& edge : state.calls)
          edge.target = only_returns(edge.target) ? kTailCall : edge.target + first[rule];
        program.states.push_back(std::move(state));
      }
    }
    for (size_t bucket = 0; bucket < kBucketBytes.size(); ++bucket)
      program.classes[bucket] = classes_of(program, kBucketBytes[bucket]);
    auto& own = program.classes[kBuckets - 1];
    own.resize(program.states.size());
    for (size_t at = 0; at < own.size(); ++at) own[at] = static_cast<int32_t>(at);
    return program;
  }

  static std::vector<int32_t> classes_of(const Program& program, int rounds) {
    std::vector<int32_t> exits;
    for (size_t at = 0; at < program.states.size(); ++at)
      exits.push_back(program.is_exit(static_cast<int32_t>(at)));
    return refined(program.states, std::move(exits), rounds, false);
  }

  const Rules& rules_;
  std::vector<bool> inlined_;
  std::vector<int32_t> number_;  // of a rule in queue_ and automata_
  std::vector<RuleId> queue_;
  std::vector<Automaton> automata_;
  int64_t states_ = 0;
};

}  // namespace

Program compile(const Rules& rules, RuleId root) { return Compiler(rules).compile(root); }

}  // namespace bittern::chat::grammar
