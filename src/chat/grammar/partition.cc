#include "chat/grammar/partition.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

class Refinement {
 public:
  Refinement(std::span<const State> states, std::vector<int32_t> classes, bool with_calls)
      : states_(states), classes_(std::move(classes)), with_calls_(with_calls) {
    compact();
    find_predecessors();
  }

  std::vector<int32_t> run(int rounds) {
    std::vector<int32_t> dirty(states_.size());
    for (size_t at = 0; at < dirty.size(); ++at) dirty[at] = static_cast<int32_t>(at);
    for (int round = 0; round < rounds && !dirty.empty(); ++round) dirty = split(dirty);
    return std::move(classes_);
  }

 private:
  // Classes numbered from 0 in order of appearance.
  void compact() {
    std::unordered_map<int32_t, int32_t> numbers;
    for (int32_t& c : classes_)
      c = numbers.emplace(c, static_cast<int32_t>(numbers.size())).first->second;
    members_.resize(numbers.size());
    for (const int32_t c : classes_) ++members_[c];
  }

  template <typename Visit>
  void each_target(const State& state, const Visit& visit) const {
    for (const ByteEdge& edge : state.bytes) visit(edge.target);
    if (with_calls_)
      for (const CallEdge& edge : state.calls) visit(edge.target);
  }

  void find_predecessors() {
    first_.assign(states_.size() + 1, 0);
    for (const State& state : states_) each_target(state, [&](int32_t to) { ++first_[to + 1]; });
    for (size_t at = 1; at < first_.size(); ++at) first_[at] += first_[at - 1];
    before_.resize(first_.back());
    std::vector<uint32_t> fill(first_.begin(), first_.end() - 1);
    for (size_t at = 0; at < states_.size(); ++at)
      each_target(states_[at], [&](int32_t to) { before_[fill[to]++] = static_cast<int32_t>(at); });
  }

  // What a state looks like when targets are known by their class.
  void signature(int32_t at, std::vector<int32_t>& out) const {
    out.clear();
    out.push_back(classes_[at]);
    for (const ByteEdge& edge : states_[at].bytes) {
      const int32_t target = classes_[edge.target];
      const size_t n = out.size();
      if (n > 2 && out[n - 1] == target && (out[n - 2] & 255) + 1 == edge.first) {
        out[n - 2] = (out[n - 2] & ~255) | edge.last;
      } else {
        out.push_back(edge.first << 8 | edge.last);
        out.push_back(target);
      }
    }
    if (!with_calls_) return;
    for (const CallEdge& edge : states_[at].calls) {
      out.push_back(-1 - edge.rule);
      out.push_back(classes_[edge.target]);
    }
  }

  // One round over the states whose targets changed; returns those to look at in the next.
  std::vector<int32_t> split(const std::vector<int32_t>& dirty) {
    std::map<std::vector<int32_t>, std::vector<int32_t>> groups;
    std::vector<int32_t> key;
    int64_t work = 0;
    for (const int32_t at : dirty) {
      signature(at, key);
      work += static_cast<int64_t>(key.size());
      groups[key].push_back(at);
    }
    spend_work(work / 4);
    // How many states of a class are looked at: a class with others keeps its number for those.
    std::unordered_map<int32_t, int32_t> looked_at;
    for (const auto& [signature, states] : groups)
      looked_at[signature[0]] += static_cast<int32_t>(states.size());
    std::unordered_map<int32_t, const std::vector<int32_t>*> keeps;
    for (const auto& [signature, states] : groups) {
      if (looked_at[signature[0]] < members_[signature[0]]) continue;
      auto& largest = keeps[signature[0]];
      if (largest == nullptr || largest->size() < states.size()) largest = &states;
    }
    std::vector<int32_t> changed;
    for (const auto& [signature, states] : groups) {
      const auto kept = keeps.find(signature[0]);
      if (kept != keeps.end() && kept->second == &states) continue;
      const auto fresh = static_cast<int32_t>(members_.size());
      members_[signature[0]] -= static_cast<int32_t>(states.size());
      members_.push_back(static_cast<int32_t>(states.size()));
      for (const int32_t at : states) classes_[at] = fresh;
      changed.insert(changed.end(), states.begin(), states.end());
    }
    return predecessors(changed);
  }

  std::vector<int32_t> predecessors(const std::vector<int32_t>& changed) const {
    std::vector<int32_t> found;
    for (const int32_t at : changed)
      found.insert(found.end(), before_.begin() + first_[at], before_.begin() + first_[at + 1]);
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

  std::span<const State> states_;
  std::vector<int32_t> classes_;
  bool with_calls_;
  std::vector<int32_t> members_;  // states of each class
  std::vector<uint32_t> first_;   // of each state in before_
  std::vector<int32_t> before_;
};

}  // namespace

std::vector<int32_t> refined(std::span<const State> states, std::vector<int32_t> classes,
                             int rounds, bool with_calls) {
  return Refinement(states, std::move(classes), with_calls).run(rounds);
}

}  // namespace bittern::chat::grammar
