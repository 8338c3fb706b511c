// What the engine has told about a request and nobody has fetched yet. The engine's thread fills
// it, the caller's empties it; it outlives whichever of the two goes first. Bounded by the texts
// themselves.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "engine/request.h"

namespace bittern::api {

class Outbox {
 public:
  // `choices`: texts that will end.
  explicit Outbox(int64_t choices) : open_(choices) {}

  // By the engine.
  void push(engine::Delta delta);
  // Nothing more will come, because of a bug.
  void fail(const std::string& message);

  // The next delta; waits for it at most `timeout_ms` (negative: for ever). Nothing where none
  // came, or none will (is_over()). Throws Error{internal} behind what came before a failure.
  std::optional<engine::Delta> take(int64_t timeout_ms);
  // Nobody fetches any more.
  void abandon();
  // All texts have ended, or nobody waits for that.
  bool has_ended() const;
  // That, and everything was fetched.
  bool is_over() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<engine::Delta> deltas_;
  int64_t open_;
  bool abandoned_ = false;
  std::optional<std::string> failure_;
};

}  // namespace bittern::api
