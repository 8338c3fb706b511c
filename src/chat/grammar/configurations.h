// Where a grammar can be after some text, as interned values: a configuration is a set of (state,
// set of stacks) pairs, closed under calls and returns. One step by a byte is computed once and
// kept, so that the same place in a text costs a table look the next time: a pushdown automaton
// made deterministic as far as texts go there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chat/grammar/program.h"
#include "chat/grammar/stacks.h"

namespace bittern::chat::grammar {

using ConfigurationId = int32_t;
inline constexpr ConfigurationId kDead = -1;

class Configurations {
 public:
  struct Thread {
    int32_t state;
    int32_t stack;
    bool operator==(const Thread&) const = default;
  };

  explicit Configurations(std::shared_ptr<const Program> program);

  ConfigurationId start();
  // kDead where no reading goes on.
  ConfigurationId step(ConfigurationId from, uint8_t byte);
  // What follows a reading of `state` that leaves its rule there: calls and returns, without the
  // state's own edges.
  ConfigurationId leaving(int32_t state, int32_t stack);

  // Closed under calls and returns from the given threads.
  ConfigurationId of(std::span<const Thread> threads);

  // The whole text is a match.
  bool accepting(ConfigurationId id) const { return items_[id].accepting; }
  // The threads that can read a byte, sorted by state.
  std::span<const Thread> threads(ConfigurationId id) const { return items_[id].threads; }
  // The only byte that can come, unless the text may also end here.
  std::optional<uint8_t> forced(ConfigurationId id) const;

  const Program& program() const { return *program_; }
  size_t count() const { return items_.size(); }
  size_t bytes() const { return bytes_ + stacks_.bytes() + steps_.size() * 40; }

 private:
  struct Item {
    std::vector<Thread> threads;
    bool accepting = false;
  };
  void begin();
  void add(int32_t state, int32_t stack);
  void leave(int32_t state, int32_t stack);
  ConfigurationId closed();

  std::shared_ptr<const Program> program_;
  Stacks stacks_;
  std::vector<Item> items_;
  std::unordered_multimap<uint64_t, ConfigurationId> by_hash_;
  std::unordered_map<uint64_t, ConfigurationId> steps_;
  std::unordered_map<uint64_t, ConfigurationId> leavings_;
  size_t bytes_ = 0;

  // Of the closure being computed.
  std::vector<int32_t> slot_;  // of a state in pending_, or -1
  std::vector<Thread> pending_;
  std::vector<int32_t> queue_;
  bool accepting_ = false;
};

}  // namespace bittern::chat::grammar
