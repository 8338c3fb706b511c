#include "engine/suffix_automaton.h"

namespace bittern::engine {
namespace {

// Places of at most so many ever shorter suffixes are renewed with a token: longest first, and
// those are what longest_repeat() asks for.
constexpr int kRenewed = 16;

}  // namespace

SuffixAutomaton::SuffixAutomaton() : states_(1), out_(1) {}

int32_t SuffixAutomaton::next(int32_t state, int32_t token) const {
  const auto found = edges_.find(edge(state, token));
  return found == edges_.end() ? -1 : found->second;
}

void SuffixAutomaton::append(int32_t token) {
  // What the text ended with stood here last; whoever repeats it later finds this place.
  int32_t renewed = states_[static_cast<size_t>(last_)].link;
  for (int count = 0; renewed > 0 && count < kRenewed; ++count) {
    states_[static_cast<size_t>(renewed)].end = length_;
    renewed = states_[static_cast<size_t>(renewed)].link;
  }

  ++length_;
  const auto created = static_cast<int32_t>(states_.size());
  states_.push_back({length_, 0, length_});
  out_.emplace_back();
  int32_t state = last_;
  while (state >= 0 && next(state, token) < 0) {
    edges_.emplace(edge(state, token), created);
    out_[static_cast<size_t>(state)].push_back(token);
    state = states_[static_cast<size_t>(state)].link;
  }
  if (state >= 0) {
    const int32_t target = next(state, token);
    const bool is_longest = states_[static_cast<size_t>(target)].length ==
                            states_[static_cast<size_t>(state)].length + 1;
    states_[static_cast<size_t>(created)].link = is_longest ? target : split(state, token, target);
  }
  last_ = created;
}

// The substrings of `state` that `from` and its suffixes reach get a state of their own.
int32_t SuffixAutomaton::split(int32_t from, int32_t token, int32_t state) {
  const auto clone = static_cast<int32_t>(states_.size());
  State copy = states_[static_cast<size_t>(state)];
  copy.length = states_[static_cast<size_t>(from)].length + 1;
  states_.push_back(copy);
  out_.push_back(out_[static_cast<size_t>(state)]);
  for (const int32_t onward : out_.back())
    edges_.emplace(edge(clone, onward), edges_.at(edge(state, onward)));
  states_[static_cast<size_t>(state)].link = clone;
  for (int32_t suffix = from; suffix >= 0; suffix = states_[static_cast<size_t>(suffix)].link) {
    const auto found = edges_.find(edge(suffix, token));
    if (found == edges_.end() || found->second != state) break;
    found->second = clone;
  }
  return clone;
}

SuffixAutomaton::Repeat SuffixAutomaton::longest_repeat() const {
  const int32_t link = states_[static_cast<size_t>(last_)].link;
  if (link <= 0) return {};
  const State& state = states_[static_cast<size_t>(link)];
  return {state.length, state.end};
}

}  // namespace bittern::engine
