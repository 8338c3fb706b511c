#include "chat/grammar/masks.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "chat/grammar/limits.h"
#include "chat/grammar/nfa.h"

namespace bittern::chat::grammar {
namespace {

// Pairs of states that one plain character may lead through before giving up.
constexpr size_t kPlainPairsMax = 64;
// Of plain_step(): the tokens have to be walked.
constexpr ConfigurationId kSomeTaken = -2;

void set(std::span<uint64_t> bits, int32_t id) {
  bits[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
}

}  // namespace

Masks::Masks(Configurations& configurations, const TokenTrie& trie)
    : configurations_(configurations),
      trie_(trie),
      rows_(configurations.program().states.size()),
      at_depth_(kTokenBytesMax + 2) {
  Nfa nfa;
  const int32_t start = nfa.add_state(), final = nfa.add_state();
  nfa.on_characters(start, plain_characters(), final);
  plain_character_ = nfa.deterministic(start, final);
}

void Masks::fill(ConfigurationId id, std::span<uint64_t> bits) {
  std::ranges::fill(bits, 0);
  const auto known = masks_.find(id);
  if (known != masks_.end()) {
    add(known->second, bits);
    return;
  }
  // A copy: the walks below make new configurations.
  const auto view = configurations_.threads(id);
  const std::vector<Configurations::Thread> threads(view.begin(), view.end());
  for (const Configurations::Thread& thread : threads) {
    add_thread(Kind::rest, thread, bits);
    const int32_t characters = plain_characters_of(thread);
    if (characters < 0) {
      add_thread(Kind::plain, thread, bits);
    } else {
      const auto tokens = trie_.plain_up_to(static_cast<size_t>(characters));
      for (size_t at = 0; at < bits.size(); ++at) bits[at] |= tokens[at];
    }
  }
  if (configurations_.accepting(id))
    for (const int32_t token : trie_.end_of_generation()) set(bits, token);
  masks_.emplace(id, stored(bits));
}

const Masks::Row& Masks::row(int32_t state) {
  if (rows_[state] == nullptr) {
    rows_[state] = std::make_unique<Row>();
    rows_[state]->fill(-1);
    for (const ByteEdge& edge : configurations_.program().states[state].bytes)
      std::fill(rows_[state]->begin() + edge.first, rows_[state]->begin() + edge.last + 1,
                edge.target);
    bytes_ += sizeof(Row);
  }
  return *rows_[state];
}

void Masks::add_thread(Kind kind, const Configurations::Thread& thread, std::span<uint64_t> bits) {
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const Inside& found = inside(kind, bucket, thread.state);
    add(found.tokens, bits);
    if (!found.exits.empty()) add_leaving(trie_.bucket(kind, bucket), found, thread, bits);
  }
}

// How many plain characters can come from here, whichever they are; -1 where some can and some
// cannot, so that the tokens have to be walked.
int32_t Masks::plain_characters_of(const Configurations::Thread& thread) {
  ConfigurationId at = kDead;
  const PlainMove first = plain_move(thread.state);
  if (first.takes == PlainMove::Takes::none) return 0;
  if (first.takes == PlainMove::Takes::some || first.target < 0) return -1;
  const Configurations::Thread next{first.target, thread.stack};
  at = configurations_.of({&next, 1});
  for (size_t count = 1; count < kPlainCharactersMax; ++count) {
    const ConfigurationId behind = plain_step(at);
    if (behind == kSomeTaken) return -1;
    if (behind == kDead) return static_cast<int32_t>(count);
    if (behind == at) break;  // it goes on like this for ever
    at = behind;
  }
  return static_cast<int32_t>(kPlainCharactersMax);
}

// By any one plain character, where all lead to the same; kDead where none can come.
ConfigurationId Masks::plain_step(ConfigurationId from) {
  const auto known = plain_steps_.find(from);
  if (known != plain_steps_.end()) return known->second;
  std::vector<Configurations::Thread> next;
  ConfigurationId to = kDead;
  for (const Configurations::Thread& thread : configurations_.threads(from)) {
    const PlainMove move = plain_move(thread.state);
    if (move.takes == PlainMove::Takes::none) continue;
    if (move.takes == PlainMove::Takes::some || move.target < 0) to = kSomeTaken;
    next.push_back({move.target, thread.stack});
  }
  if (to != kSomeTaken && !next.empty()) to = configurations_.of(next);
  bytes_ += 32;
  plain_steps_.emplace(from, to);
  return to;
}

Masks::PlainMove Masks::plain_move(int32_t state) {
  const auto known = plain_moves_.find(state);
  if (known != plain_moves_.end()) return known->second;
  bytes_ += 32;
  return plain_moves_.emplace(state, tried_plain_move(state)).first->second;
}

// All characters at once: pairs of a state and a state of plain_character_, over whose edges the
// bytes must go together.
Masks::PlainMove Masks::tried_plain_move(int32_t state) {
  using Takes = PlainMove::Takes;
  const Program& program = configurations_.program();
  std::vector<std::pair<int32_t, int32_t>> open{{state, 0}};
  size_t taken = 0, dead = 0;
  int32_t behind = -2;
  while (!open.empty()) {
    const auto [at, of] = open.back();
    open.pop_back();
    if (plain_character_.states[of].accept) {
      behind = behind == -2 || behind == at ? at : -1;
      continue;
    }
    // Inside of a character nothing may lead out: that would be another way to go on.
    if (of != 0 && program.is_exit(at)) return {Takes::some, -1};
    const Row& targets = row(at);
    for (const ByteEdge& edge : plain_character_.states[of].bytes) {
      int32_t last = -2;
      for (int byte = edge.first; byte <= edge.last; ++byte) {
        const int32_t target = targets[static_cast<size_t>(byte)];
        (target < 0 ? dead : taken) += 1;
        if (target >= 0 && target != last) open.emplace_back(target, edge.target);
        last = target;
      }
      if (dead > 0 && taken > 0) return {Takes::some, -1};
    }
    if (open.size() > kPlainPairsMax) return {Takes::some, -1};
  }
  return taken > 0 ? PlainMove{Takes::all, behind} : PlainMove{Takes::none, -1};
}

const Masks::Inside& Masks::inside(Kind kind, size_t bucket, int32_t state) {
  auto& known = insides_[static_cast<size_t>(kind)][bucket];
  const int32_t key = configurations_.program().classes[bucket][state];
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  return known.emplace(key, walk_inside(trie_.bucket(kind, bucket), state)).first->second;
}

Masks::Inside Masks::walk_inside(const TokenTrie::Bucket& tree, int32_t state) {
  const Program& program = configurations_.program();
  std::vector<uint64_t> bits(trie_.mask_words());
  std::vector<int32_t> exits, accepted;  // nodes; places in tree.tokens
  at_depth_[0] = state;
  for (int32_t node = 1; node < tree.node_count();) {
    const int32_t next = row(at_depth_[tree.depth[node] - 1])[tree.byte[node]];
    if (next < 0) {
      node = tree.subtree_end[node];
      continue;
    }
    at_depth_[tree.depth[node]] = next;
    for (int32_t at = tree.token_begin[node]; at < tree.token_begin[node + 1]; ++at) {
      set(bits, tree.tokens[at]);
      accepted.push_back(at);
    }
    if (program.is_exit(next)) exits.push_back(node);
    ++node;
  }
  Inside found{stored(bits), kept_exits(tree, exits, accepted)};
  bytes_ += found.exits.capacity() * sizeof(Step) + sizeof(Inside);
  return found;
}

// An exit matters only while its subtree has a token that does not stay inside anyway.
std::vector<Masks::Step> Masks::kept_exits(const TokenTrie::Bucket& tree,
                                           const std::vector<int32_t>& exits,
                                           const std::vector<int32_t>& accepted) const {
  std::vector<Step> steps;
  std::vector<int32_t> path;  // nodes of the steps from the root to the last one
  std::vector<int32_t> missing;
  for (const int32_t node : exits) {
    const int32_t first = tree.token_begin[node], last = tree.token_begin[tree.subtree_end[node]];
    const auto count =
        std::ranges::lower_bound(accepted, last) - std::ranges::lower_bound(accepted, first);
    if (count == last - first) continue;
    missing.clear();
    int32_t above = node;
    while (above != 0) {
      const size_t depth = tree.depth[above];
      if (path.size() >= depth && path[depth - 1] == above) break;
      missing.push_back(above);
      above = tree.parent[above];
    }
    path.resize(above == 0 ? 0 : tree.depth[above]);
    for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
      steps.push_back({tree.byte[*it], tree.depth[*it], -1});
      path.push_back(*it);
    }
    // Ancestors come first in depth-first order, so the last step is this very node.
    steps.back().node = node;
  }
  return steps;
}

void Masks::add_leaving(const TokenTrie::Bucket& tree, const Inside& inside,
                        const Configurations::Thread& thread, std::span<uint64_t> bits) {
  // Exits by the state they leave from: walks of one configuration after the other.
  std::vector<std::pair<int32_t, int32_t>> nodes;  // state, node
  at_depth_[0] = thread.state;
  for (const Step& step : inside.exits) {
    const int32_t next = row(at_depth_[step.depth - 1])[step.byte];
    at_depth_[step.depth] = next;
    if (step.node >= 0) nodes.emplace_back(next, step.node);
  }
  std::ranges::stable_sort(nodes, {}, &std::pair<int32_t, int32_t>::first);
  int32_t state = -1;
  ConfigurationId after = kDead;
  for (const auto& [from, node] : nodes) {
    if (from != state) after = configurations_.leaving(from, thread.stack);
    state = from;
    if (after != kDead) walk(tree, node, after, bits);
  }
}

void Masks::walk(const TokenTrie::Bucket& tree, int32_t node, ConfigurationId from,
                 std::span<uint64_t> bits) {
  at_depth_[tree.depth[node]] = from;
  const int32_t end = tree.subtree_end[node];
  for (int32_t at = node + 1; at < end;) {
    const ConfigurationId next = configurations_.step(at_depth_[tree.depth[at] - 1], tree.byte[at]);
    if (next == kDead) {
      at = tree.subtree_end[at];
      continue;
    }
    at_depth_[tree.depth[at]] = next;
    for (int32_t i = tree.token_begin[at]; i < tree.token_begin[at + 1]; ++i)
      set(bits, tree.tokens[i]);
    ++at;
  }
}

Masks::TokenSet Masks::stored(std::span<const uint64_t> bits) {
  size_t count = 0;
  for (const uint64_t word : bits) count += static_cast<size_t>(std::popcount(word));
  TokenSet made;
  if (count > bits.size()) {
    made.words.assign(bits.begin(), bits.end());
  } else {
    made.ids.reserve(count);
    for (size_t at = 0; at < bits.size(); ++at)
      for (uint64_t word = bits[at]; word != 0; word &= word - 1)
        made.ids.push_back(static_cast<int32_t>(at * 64) + std::countr_zero(word));
  }
  bytes_ += made.words.capacity() * 8 + made.ids.capacity() * 4 + sizeof(TokenSet) + 48;
  return made;
}

void Masks::add(const TokenSet& tokens, std::span<uint64_t> bits) {
  for (size_t at = 0; at < tokens.words.size(); ++at) bits[at] |= tokens.words[at];
  for (const int32_t id : tokens.ids) set(bits, id);
}

}  // namespace bittern::chat::grammar
