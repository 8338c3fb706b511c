#include "chat/grammar/automaton.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "chat/grammar/limits.h"
#include "chat/grammar/partition.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

template <typename Visit>
void each_target(const State& state, const Visit& visit) {
  for (const ByteEdge& edge : state.bytes) visit(edge.target);
  for (const CallEdge& edge : state.calls) visit(edge.target);
}

std::vector<bool> reachable(const Automaton& automaton) {
  std::vector<bool> seen(automaton.states.size());
  std::vector<int32_t> open{0};
  seen[0] = true;
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    each_target(automaton.states[at], [&](int32_t target) {
      if (!seen[target]) open.push_back(target);
      seen[target] = true;
    });
  }
  return seen;
}

std::vector<bool> can_finish(const Automaton& automaton) {
  const size_t count = automaton.states.size();
  std::vector<std::vector<int32_t>> before(count);
  std::vector<int32_t> open;
  std::vector<bool> seen(count);
  for (size_t at = 0; at < count; ++at) {
    each_target(automaton.states[at],
                [&](int32_t target) { before[target].push_back(static_cast<int32_t>(at)); });
    if (automaton.states[at].accept) open.push_back(static_cast<int32_t>(at));
    seen[at] = automaton.states[at].accept;
  }
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    for (const int32_t from : before[at]) {
      if (!seen[from]) open.push_back(from);
      seen[from] = true;
    }
  }
  return seen;
}

// Neighbouring ranges with one target become one.
void add_edge(std::vector<ByteEdge>& edges, ByteEdge edge) {
  if (!edges.empty() && edges.back().target == edge.target && edges.back().last + 1 == edge.first) {
    edges.back().last = edge.last;
  } else {
    edges.push_back(edge);
  }
}

// States renumbered by `number` (-1: dropped); the kept states in the order of `order`.
Automaton renumbered(const Automaton& from, const std::vector<int32_t>& order,
                     const std::vector<int32_t>& number) {
  Automaton result;
  result.states.reserve(order.size());
  for (const int32_t old : order) {
    State state;
    state.accept = from.states[old].accept;
    for (const ByteEdge& edge : from.states[old].bytes)
      if (number[edge.target] >= 0)
        add_edge(state.bytes, {edge.first, edge.last, number[edge.target]});
    for (const CallEdge& edge : from.states[old].calls)
      if (number[edge.target] >= 0) state.calls.push_back({edge.rule, number[edge.target]});
    result.states.push_back(std::move(state));
  }
  return result;
}

// Breadth first from the start, edges in order: a canonical numbering of a minimal automaton.
Automaton canonical(const Automaton& automaton) {
  std::vector<int32_t> number(automaton.states.size(), -1);
  std::vector<int32_t> order{0};
  number[0] = 0;
  for (size_t at = 0; at < order.size(); ++at) {
    each_target(automaton.states[order[at]], [&](int32_t target) {
      if (number[target] >= 0) return;
      number[target] = static_cast<int32_t>(order.size());
      order.push_back(target);
    });
  }
  return renumbered(automaton, order, number);
}

// Pairs of states, -1 standing for the place from which nothing matches.
class Product {
 public:
  using Accept = bool (*)(bool, bool);
  Product(const Automaton& a, const Automaton& b, Accept accept) : a_(a), b_(b), accept_(accept) {}

  Automaton build() {
    id(a_.states.empty() ? -1 : 0, b_.states.empty() ? -1 : 0);
    for (size_t at = 0; at < pairs_.size(); ++at) {
      const auto [p, q] = pairs_[at];
      result_.states[at].accept =
          accept_(p >= 0 && a_.states[p].accept, q >= 0 && b_.states[q].accept);
      edges(at, p, q);
    }
    return minimised(std::move(result_));
  }

 private:
  int32_t id(int32_t p, int32_t q) {
    const uint64_t key = uint64_t{static_cast<uint32_t>(p)} << 32 | static_cast<uint32_t>(q);
    const auto [it, fresh] = ids_.emplace(key, static_cast<int32_t>(pairs_.size()));
    if (fresh) {
      check_states(pairs_.size() + 1);
      pairs_.emplace_back(p, q);
      result_.states.emplace_back();
    }
    return it->second;
  }

  // Walks both lists of ranges at once.
  void edges(size_t at, int32_t p, int32_t q) {
    static const std::vector<ByteEdge> kNone;
    const auto& left = p >= 0 ? a_.states[p].bytes : kNone;
    const auto& right = q >= 0 ? b_.states[q].bytes : kNone;
    spend_work(static_cast<int64_t>(left.size() + right.size()));
    size_t i = 0, j = 0;
    for (int byte = 0; byte < 256;) {
      while (i < left.size() && left[i].last < byte) ++i;
      while (j < right.size() && right[j].last < byte) ++j;
      int end = 255;
      const int32_t x = inside(left, i, byte, end), y = inside(right, j, byte, end);
      const bool kept = accept_(x >= 0, y >= 0) || (x >= 0 && y >= 0) ||
                        (accept_(true, false) && x >= 0) || (accept_(false, true) && y >= 0);
      if (kept) {
        const int32_t target = id(x, y);
        add_edge(result_.states[at].bytes,
                 {static_cast<uint8_t>(byte), static_cast<uint8_t>(end), target});
      }
      byte = end + 1;
    }
  }

  static int32_t inside(const std::vector<ByteEdge>& edges, size_t i, int byte, int& end) {
    if (i == edges.size()) return -1;
    if (edges[i].first > byte) {
      end = std::min(end, edges[i].first - 1);
      return -1;
    }
    end = std::min<int>(end, edges[i].last);
    return edges[i].target;
  }

  const Automaton& a_;
  const Automaton& b_;
  Accept accept_;
  std::unordered_map<uint64_t, int32_t> ids_;
  std::vector<std::pair<int32_t, int32_t>> pairs_;
  Automaton result_;
};

}  // namespace

void trim(Automaton& automaton, const std::function<bool(int32_t)>& productive) {
  if (automaton.states.empty()) return;
  if (productive)
    for (State& state : automaton.states)
      std::erase_if(state.calls, [&](const CallEdge& call) { return !productive(call.rule); });
  const std::vector<bool> from_start = reachable(automaton), to_end = can_finish(automaton);
  if (!to_end[0]) {
    automaton.states.clear();
    return;
  }
  std::vector<int32_t> number(automaton.states.size(), -1), order;
  for (size_t at = 0; at < automaton.states.size(); ++at) {
    if (!from_start[at] || !to_end[at]) continue;
    number[at] = static_cast<int32_t>(order.size());
    order.push_back(static_cast<int32_t>(at));
  }
  automaton = renumbered(automaton, order, number);
}

Automaton minimised(Automaton automaton) {
  trim(automaton);
  if (automaton.states.empty()) return automaton;
  std::vector<int32_t> initial;
  initial.reserve(automaton.states.size());
  for (const State& state : automaton.states) initial.push_back(state.accept);
  const std::vector<int32_t> classes =
      refined(automaton.states, std::move(initial), kUnboundedRounds, true);
  // One state of each class stands for it.
  std::vector<int32_t> number(automaton.states.size(), -1), order, of_class;
  for (size_t at = 0; at < classes.size(); ++at) {
    const auto c = static_cast<size_t>(classes[at]);
    if (of_class.size() <= c) of_class.resize(c + 1, -1);
    if (of_class[c] < 0) {
      of_class[c] = static_cast<int32_t>(order.size());
      order.push_back(static_cast<int32_t>(at));
    }
    number[at] = of_class[c];
  }
  return canonical(renumbered(automaton, order, number));
}

Automaton intersection(const Automaton& a, const Automaton& b) {
  return Product(a, b, [](bool x, bool y) { return x && y; }).build();
}
Automaton union_of(const Automaton& a, const Automaton& b) {
  return Product(a, b, [](bool x, bool y) { return x || y; }).build();
}
Automaton difference(const Automaton& a, const Automaton& b) {
  return Product(a, b, [](bool x, bool y) { return x && !y; }).build();
}

Automaton literal(std::string_view text) {
  Automaton result;
  result.states.resize(text.size() + 1);
  for (size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<uint8_t>(text[at]);
    result.states[at].bytes.push_back({byte, byte, static_cast<int32_t>(at) + 1});
  }
  result.states.back().accept = true;
  return result;
}

bool accepts(const Automaton& automaton, std::string_view text) {
  if (automaton.states.empty()) return false;
  int32_t at = 0;
  for (const char c : text) {
    at = automaton.states[at].next(static_cast<uint8_t>(c));
    if (at < 0) return false;
  }
  return automaton.states[at].accept;
}

std::optional<std::vector<std::string>> listed(const Automaton& automaton, size_t limit) {
  // Trimmed, so a path that grows past the number of states goes round a loop: not finite.
  std::vector<std::string> found;
  std::vector<std::pair<int32_t, std::string>> open;
  if (!automaton.states.empty()) open.emplace_back(0, "");
  while (!open.empty()) {
    auto [at, text] = std::move(open.back());
    open.pop_back();
    if (text.size() > automaton.states.size()) return std::nullopt;
    const State& state = automaton.states[at];
    if (state.accept) found.push_back(text);
    if (found.size() + open.size() > limit) return std::nullopt;
    for (auto edge = state.bytes.rbegin(); edge != state.bytes.rend(); ++edge) {
      if (static_cast<size_t>(edge->last - edge->first) > limit) return std::nullopt;
      for (int byte = edge->last; byte >= edge->first; --byte)
        open.emplace_back(edge->target, text + static_cast<char>(byte));
    }
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace bittern::chat::grammar
