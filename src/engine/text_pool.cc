#include "engine/text_pool.h"

#include <algorithm>

#include "base/check.h"

namespace bittern::engine {
namespace {

constexpr int32_t kEnd = -1;      // no token
constexpr int64_t kLongest = 32;  // a match is measured no further
constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;

uint64_t hash_of(std::span<const int32_t> gram) {
  uint64_t hash = 0;
  for (const int32_t token : gram) hash = (hash ^ static_cast<uint32_t>(token)) * kFactor;
  return hash ^ hash >> 32;
}

}  // namespace

TextPool::TextPool(int64_t capacity) : ring_(static_cast<size_t>(capacity), kEnd) {
  BITTERN_CHECK(capacity > kGram, "{} tokens", capacity);
}

void TextPool::add(std::span<const int32_t> tokens) {
  const auto capacity = std::ssize(ring_);
  // A text stands in one piece: what would wrap begins at the front again.
  if (std::ssize(tokens) + 1 > capacity) tokens = tokens.last(static_cast<size_t>(capacity - 1));
  const int64_t room = capacity - end_ % capacity;
  if (std::ssize(tokens) + 1 > room) {
    std::fill(ring_.end() - room, ring_.end(), kEnd);
    end_ += room;
  }
  for (int64_t place = 0; place < std::ssize(tokens); ++place) {
    ring_[static_cast<size_t>((end_ + place) % capacity)] = tokens[static_cast<size_t>(place)];
    if (place + 1 < kGram) continue;
    const auto gram = tokens.subspan(static_cast<size_t>(place + 1 - kGram), kGram);
    places_[hash_of(gram)] = end_ + place + 1;
  }
  end_ += std::ssize(tokens);
  ring_[static_cast<size_t>(end_ % capacity)] = kEnd;
  ++end_;
  // Runs that were written over stay in the index until there are many of them.
  if (std::ssize(places_) > 2 * capacity)
    std::erase_if(places_, [&](const auto& entry) { return entry.second <= end_ - capacity; });
}

TextPool::Match TextPool::find(std::span<const int32_t> tokens, int64_t most) const {
  if (std::ssize(tokens) < kGram) return {};
  const auto found = places_.find(hash_of(tokens.last(kGram)));
  const auto capacity = std::ssize(ring_);
  if (found == places_.end() || found->second <= end_ - capacity + kGram) return {};
  const int64_t behind = found->second % capacity;  // a text never wraps, so neither does this
  const auto at = [&](int64_t place) { return ring_[static_cast<size_t>(place)]; };
  Match match;
  const int64_t longest =
      std::min({kLongest, behind, std::ssize(tokens), found->second - (end_ - capacity)});
  while (match.length < longest &&
         at(behind - 1 - match.length) == tokens[tokens.size() - 1 - match.length])
    ++match.length;
  if (match.length < kGram) return {};
  int64_t count = 0;
  while (count < most && behind + count < capacity && at(behind + count) != kEnd) ++count;
  match.following =
      std::span(ring_).subspan(static_cast<size_t>(behind), static_cast<size_t>(count));
  return match;
}

TextPools::TextPools(int64_t capacity, size_t most_tenants)
    : capacity_(capacity), most_tenants_(most_tenants) {}

std::shared_ptr<TextPool> TextPools::of(const std::string& tenant) {
  Entry& entry = pools_[tenant];
  entry.used_at = ++uses_;
  if (!entry.pool) entry.pool = std::make_shared<TextPool>(capacity_);
  std::shared_ptr<TextPool> pool = entry.pool;
  if (pools_.size() > most_tenants_)
    pools_.erase(std::ranges::min_element(pools_, {},
                                          [](const auto& other) { return other.second.used_at; }));
  return pool;
}

}  // namespace bittern::engine
