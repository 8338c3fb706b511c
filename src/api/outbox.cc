#include "api/outbox.h"

#include <chrono>
#include <utility>

#include "base/error.h"

namespace bittern::api {

void Outbox::push(engine::Delta delta) {
  const std::lock_guard lock(mutex_);
  if (delta.ending) --open_;
  if (abandoned_) return;
  deltas_.push_back(std::move(delta));
  changed_.notify_one();
}

void Outbox::fail(const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (open_ == 0) return;
  failure_ = message;
  changed_.notify_one();
}

std::optional<engine::Delta> Outbox::take(int64_t timeout_ms) {
  // Beyond this a clock would overflow.
  constexpr int64_t kMostMilliseconds = int64_t{1} << 40;
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return !deltas_.empty() || open_ == 0 || failure_; };
  if (timeout_ms < 0 || timeout_ms > kMostMilliseconds)
    changed_.wait(lock, ready);
  else
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), ready);
  if (deltas_.empty()) {
    if (failure_) bittern::fail(ErrorKind::internal, "{}", *failure_);
    return std::nullopt;
  }
  engine::Delta delta = std::move(deltas_.front());
  deltas_.pop_front();
  return delta;
}

void Outbox::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  deltas_.clear();
}

bool Outbox::has_ended() const {
  const std::lock_guard lock(mutex_);
  return abandoned_ || open_ == 0 || failure_;
}

bool Outbox::is_over() const {
  const std::lock_guard lock(mutex_);
  return deltas_.empty() && open_ == 0;
}

}  // namespace bittern::api
