#include "chat/grammar/nfa.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

struct HashSubset {
  size_t operator()(const std::vector<int32_t>& subset) const {
    uint64_t hash = 1469598103934665603u;
    for (const int32_t at : subset) hash = (hash ^ static_cast<uint32_t>(at)) * 1099511628211u;
    return hash ^ hash >> 29;
  }
};

}  // namespace

int32_t Nfa::add_state() {
  if (static_cast<int64_t>(nodes_.size()) >= kExpressionNodesMax)
    bad_input("grammar: one rule needs more than {} states, the limit", kExpressionNodesMax);
  nodes_.emplace_back();
  return static_cast<int32_t>(nodes_.size()) - 1;
}

void Nfa::on_bytes(int32_t from, uint8_t first, uint8_t last, int32_t to) {
  nodes_[from].bytes.push_back({first, last, to});
}
void Nfa::on_empty(int32_t from, int32_t to, When when) {
  nodes_[from].empties.push_back({to, when});
}
void Nfa::on_call(int32_t from, int32_t rule, int32_t to) {
  nodes_[from].calls.push_back({rule, to});
}

void Nfa::on_text(int32_t from, std::string_view text, int32_t to) {
  if (text.empty()) on_empty(from, to);
  for (size_t at = 0; at < text.size(); ++at) {
    const int32_t next = at + 1 == text.size() ? to : add_state();
    on_bytes(from, static_cast<uint8_t>(text[at]), static_cast<uint8_t>(text[at]), next);
    from = next;
  }
}

void Nfa::on_characters(int32_t from, const Characters& tidy, int32_t to) {
  for (const ByteSequence& sequence : utf8_sequences(tidy)) {
    int32_t at = from;
    for (int i = 0; i < sequence.length; ++i) {
      const int32_t next = i + 1 == sequence.length ? to : add_state();
      on_bytes(at, sequence.bytes[i].first, sequence.bytes[i].last, next);
      at = next;
    }
  }
}

void Nfa::on_language(int32_t from, const Automaton& language, int32_t to) {
  std::vector<int32_t> copy;
  for (size_t at = 0; at < language.states.size(); ++at) copy.push_back(add_state());
  for (size_t at = 0; at < language.states.size(); ++at) {
    const State& state = language.states[at];
    for (const ByteEdge& edge : state.bytes)
      on_bytes(copy[at], edge.first, edge.last, copy[edge.target]);
    for (const CallEdge& edge : state.calls) on_call(copy[at], edge.rule, copy[edge.target]);
    if (state.accept) on_empty(copy[at], to);
  }
  if (!copy.empty()) on_empty(from, copy[0]);
}

class Subsets {
 public:
  Subsets(const Nfa& nfa, int32_t final) : nfa_(nfa), final_(final), mark_(nfa.nodes_.size()) {}

  Automaton build(int32_t start) {
    // The first subset is nobody else's: only there does ^ hold.
    std::vector<int32_t> first = closure({start}, true, false);
    result_.states.emplace_back();
    result_.states[0].accept = holds_final(closure({start}, true, true));
    subsets_.push_back(std::move(first));
    for (size_t at = 0; at < subsets_.size(); ++at) expand(at);
    return minimised(std::move(result_));
  }

 private:
  bool holds_final(const std::vector<int32_t>& subset) const {
    return std::ranges::binary_search(subset, final_);
  }

  // States reached without reading, sorted; only those that read, call or are final are kept.
  std::vector<int32_t> closure(std::vector<int32_t> open, bool at_start, bool at_end) {
    ++round_;
    std::vector<int32_t> kept;
    for (const int32_t at : open) mark_[at] = round_;
    int64_t work = 0;
    while (!open.empty()) {
      const int32_t at = open.back();
      open.pop_back();
      const auto& node = nfa_.nodes_[at];
      work += 1 + static_cast<int64_t>(node.empties.size());
      bool ends = false;
      for (const auto& empty : node.empties) {
        ends = ends || empty.when == Nfa::When::at_end;
        if ((empty.when == Nfa::When::at_start && !at_start) ||
            (empty.when == Nfa::When::at_end && !at_end) || mark_[empty.target] == round_)
          continue;
        mark_[empty.target] = round_;
        open.push_back(empty.target);
      }
      if (ends || at == final_ || !node.bytes.empty() || !node.calls.empty()) kept.push_back(at);
    }
    work_ += work;
    spend_work(work);
    if (work_ > kSubsetWorkMax)
      bad_input("grammar: making one part deterministic takes more than {} steps, the limit",
                kSubsetWorkMax);
    std::ranges::sort(kept);
    return kept;
  }

  int32_t id(std::vector<int32_t> targets) {
    std::vector<int32_t> subset = closure(std::move(targets), false, false);
    const auto found = ids_.find(subset);
    if (found != ids_.end()) return found->second;
    const auto number = static_cast<int32_t>(subsets_.size());
    check_states(subsets_.size() + 1);
    ids_.emplace(subset, number);
    result_.states.emplace_back();
    result_.states.back().accept = holds_final(closure(subset, false, true));
    subsets_.push_back(std::move(subset));
    return number;
  }

  void expand(size_t at) {
    const std::vector<int32_t> subset = subsets_[at];
    expand_bytes(at, subset);
    std::vector<std::pair<int32_t, int32_t>> calls;
    for (const int32_t from : subset)
      for (const CallEdge& call : nfa_.nodes_[from].calls)
        calls.emplace_back(call.rule, call.target);
    std::ranges::sort(calls);
    for (size_t i = 0; i < calls.size();) {
      std::vector<int32_t> targets;
      const int32_t rule = calls[i].first;
      for (; i < calls.size() && calls[i].first == rule; ++i) targets.push_back(calls[i].second);
      const int32_t target = id(std::move(targets));
      result_.states[at].calls.push_back({rule, target});
    }
  }

  // Sweeps over the ends of all ranges: between two neighbours the set of targets is one.
  void expand_bytes(size_t at, const std::vector<int32_t>& subset) {
    std::vector<ByteEdge> edges;
    for (const int32_t from : subset) {
      const auto& bytes = nfa_.nodes_[from].bytes;
      edges.insert(edges.end(), bytes.begin(), bytes.end());
    }
    std::vector<int> cuts;
    for (const ByteEdge& edge : edges) {
      cuts.push_back(edge.first);
      cuts.push_back(edge.last + 1);
    }
    std::ranges::sort(cuts);
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    std::ranges::sort(edges, {}, &ByteEdge::first);
    std::vector<ByteEdge> open;  // those that reach into the current piece
    size_t next = 0;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      std::erase_if(open, [&](const ByteEdge& edge) { return edge.last < cuts[i]; });
      for (; next < edges.size() && edges[next].first == cuts[i]; ++next)
        open.push_back(edges[next]);
      if (open.empty()) continue;
      std::vector<int32_t> targets;
      for (const ByteEdge& edge : open) targets.push_back(edge.target);
      std::ranges::sort(targets);
      targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
      add_edge(at, cuts[i], cuts[i + 1] - 1, id(std::move(targets)));
    }
  }

  void add_edge(size_t at, int first, int last, int32_t target) {
    auto& edges = result_.states[at].bytes;
    if (!edges.empty() && edges.back().target == target && edges.back().last + 1 == first) {
      edges.back().last = static_cast<uint8_t>(last);
    } else {
      edges.push_back({static_cast<uint8_t>(first), static_cast<uint8_t>(last), target});
    }
  }

  const Nfa& nfa_;
  int32_t final_;
  std::vector<uint32_t> mark_;
  uint32_t round_ = 0;
  int64_t work_ = 0;
  std::unordered_map<std::vector<int32_t>, int32_t, HashSubset> ids_;
  std::vector<std::vector<int32_t>> subsets_;
  Automaton result_;
};

Automaton Nfa::deterministic(int32_t start, int32_t final) const {
  return Subsets(*this, final).build(start);
}

}  // namespace bittern::chat::grammar
