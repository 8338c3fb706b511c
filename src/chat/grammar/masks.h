// Which tokens can come next. A configuration's mask is the union over its threads, and a thread's
// tokens are of two kinds:
//
//   inside   every byte stays in the thread's own rule: depends on the state alone, and for short
//            tokens only on its class (program.h); computed by one walk of the trie and kept
//   leaving  some byte leaves the rule (a quote closes a text and what is around it goes on): from
//            the few trie nodes where that can happen, the walk goes on by configurations
//
// Plain tokens are not even walked where a state takes every plain text up to some length and
// nothing plain beyond it, as JSON's strings do. So a text of any length in any place
// costs one walk of the other tokens in all, and after that some thousand nodes for each new place.
// The mask of a configuration is kept too.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "chat/grammar/configurations.h"
#include "chat/grammar/token_trie.h"

namespace bittern::chat::grammar {

class Masks {
 public:
  Masks(Configurations& configurations, const TokenTrie& trie);

  // Sets exactly the bits of the tokens that can come (ends of generation where the text can end);
  // `bits` has trie.mask_words() words.
  void fill(ConfigurationId id, std::span<uint64_t> bits);
  size_t bytes() const { return bytes_; }

 private:
  // Few: sorted ids. Many: words.
  struct TokenSet {
    std::vector<int32_t> ids;
    std::vector<uint64_t> words;
  };
  // The way to a node where its rule can be left; node -1: only on the way to another.
  struct Step {
    uint8_t byte;
    uint16_t depth;
    int32_t node;
  };
  struct Inside {
    TokenSet tokens;
    std::vector<Step> exits;  // in depth-first order
  };
  // What a state does with a plain character: it takes each of them and goes to `target` (-1: to
  // several states), it takes none, or some.
  struct PlainMove {
    enum class Takes : uint8_t { all, none, some } takes;
    int32_t target;
  };
  using Row = std::array<int32_t, 256>;
  using Kind = TokenTrie::Kind;

  int32_t plain_characters_of(const Configurations::Thread& thread);
  ConfigurationId plain_step(ConfigurationId from);
  PlainMove plain_move(int32_t state);
  PlainMove tried_plain_move(int32_t state);
  const Inside& inside(Kind kind, size_t bucket, int32_t state);
  Inside walk_inside(const TokenTrie::Bucket& tree, int32_t state);
  std::vector<Step> kept_exits(const TokenTrie::Bucket& tree, const std::vector<int32_t>& exits,
                               const std::vector<int32_t>& accepted) const;
  void add_thread(Kind kind, const Configurations::Thread& thread, std::span<uint64_t> bits);
  void add_leaving(const TokenTrie::Bucket& tree, const Inside& inside,
                   const Configurations::Thread& thread, std::span<uint64_t> bits);
  void walk(const TokenTrie::Bucket& tree, int32_t node, ConfigurationId from,
            std::span<uint64_t> bits);
  const Row& row(int32_t state);
  TokenSet stored(std::span<const uint64_t> bits);
  static void add(const TokenSet& tokens, std::span<uint64_t> bits);

  Configurations& configurations_;
  const TokenTrie& trie_;
  std::vector<std::unique_ptr<Row>> rows_;
  std::array<std::array<std::unordered_map<int32_t, Inside>, kBuckets>, 2> insides_;  // by class
  std::unordered_map<int32_t, PlainMove> plain_moves_;                                // by state
  std::unordered_map<ConfigurationId, ConfigurationId> plain_steps_;
  Automaton plain_character_;
  std::unordered_map<ConfigurationId, TokenSet> masks_;
  std::vector<int32_t> at_depth_;  // states or configurations along the current path
  size_t bytes_ = 0;
};

}  // namespace bittern::chat::grammar
