#include "base/read_ahead.h"

#include <algorithm>
#include <cstddef>

#include "base/file_map.h"

namespace bittern {
namespace {

constexpr ptrdiff_t kChunkBytes = ptrdiff_t{4} << 20;

}  // namespace

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    end_ = next_;
  }
  if (thread_.joinable()) thread_.join();
}

void ReadAhead::want(Bytes part) {
  if (FileMap::is_resident(part)) return;
  const std::lock_guard lock(mutex_);
  const std::byte* begin = part.data();
  const std::byte* end = begin + part.size();
  if (begin >= begin_ && begin <= end_) {
    end_ = std::max(end_, end);
  } else {
    begin_ = next_ = begin;
    end_ = end;
  }
  if (running_ || next_ == end_) return;
  if (thread_.joinable()) thread_.join();
  thread_ = std::thread([this] { loop(); });  // may throw; waits for the lock
  running_ = true;
}

void ReadAhead::loop() {
  std::unique_lock lock(mutex_);
  while (next_ < end_) {
    const Bytes chunk(next_, static_cast<size_t>(std::min(kChunkBytes, end_ - next_)));
    next_ += chunk.size();
    lock.unlock();
    FileMap::read_ahead(chunk);
    lock.lock();
  }
  running_ = false;
  idle_.notify_all();
}

void ReadAhead::wait() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return !running_; });
}

}  // namespace bittern
