#include "base/read_ahead.h"

#include <algorithm>
#include <cstddef>
#include <system_error>

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

void ReadAhead::want(const FileMap& file, Bytes part) {
  if (FileMap::is_resident(part)) return;
  const std::weak_ptr<const void> mapping = file.mapping();
  const std::lock_guard lock(mutex_);
  const std::byte* begin = part.data();
  const std::byte* end = begin + part.size();
  const bool same_file = !mapping.owner_before(mapping_) && !mapping_.owner_before(mapping);
  if (same_file && begin >= begin_ && begin <= end_) {
    end_ = std::max(end_, end);
  } else {
    mapping_ = mapping;
    begin_ = next_ = begin;
    end_ = end;
  }
  if (running_ || next_ == end_) return;
  if (thread_.joinable()) thread_.join();
  try {
    thread_ = std::thread([this] { loop(); });  // waits for the lock
  } catch (const std::system_error&) {
    return;  // no thread is to be had: the file is read when it is needed
  }
  running_ = true;
}

void ReadAhead::loop() {
  std::unique_lock lock(mutex_);
  while (next_ < end_) {
    const Bytes chunk(next_, static_cast<size_t>(std::min(kChunkBytes, end_ - next_)));
    next_ += chunk.size();
    const std::weak_ptr<const void> mapping = mapping_;
    lock.unlock();
    if (const auto mapped = mapping.lock()) FileMap::read_ahead(chunk);
    lock.lock();
  }
  running_ = false;
}

}  // namespace bittern
