#include "format/token_ids.h"

#include <bit>
#include <functional>

namespace bittern::format {
namespace {

constexpr size_t kFewest = 64;  // entries

uint32_t hash_of(std::string_view text) {
  return static_cast<uint32_t>(std::hash<std::string_view>{}(text));
}

}  // namespace

void TokenIds::reserve(size_t count) {
  tokens_.reserve(count);
  if (2 * count > entries_.size()) resize(std::bit_ceil(2 * count));
}

void TokenIds::resize(size_t entry_count) {
  const std::vector<Entry> before = std::move(entries_);
  entries_.assign(entry_count < kFewest ? kFewest : entry_count, {});
  for (const Entry& entry : before) {
    if (entry.place == 0) continue;
    size_t at = entry.hash & (entries_.size() - 1);
    while (entries_[at].place != 0) at = (at + 1) & (entries_.size() - 1);
    entries_[at] = entry;
  }
}

size_t TokenIds::slot_of(std::string_view text, uint32_t hash) const {
  const size_t mask = entries_.size() - 1;
  size_t at = hash & mask;
  for (; entries_[at].place != 0; at = (at + 1) & mask) {
    if (entries_[at].hash == hash && tokens_[entries_[at].place - 1].text == text) break;
  }
  return at;
}

bool TokenIds::add(std::string_view text, int32_t id) {
  if (2 * (tokens_.size() + 1) > entries_.size()) resize(2 * entries_.size());
  const uint32_t hash = hash_of(text);
  Entry& entry = entries_[slot_of(text, hash)];
  if (entry.place != 0) return false;
  tokens_.push_back({text, id});
  entry = {hash, static_cast<uint32_t>(tokens_.size())};
  return true;
}

void TokenIds::set(std::string_view text, int32_t id) {
  if (add(text, id)) return;
  tokens_[entries_[slot_of(text, hash_of(text))].place - 1].id = id;
}

int32_t TokenIds::find(std::string_view text) const {
  if (entries_.empty()) return -1;
  const Entry& entry = entries_[slot_of(text, hash_of(text))];
  return entry.place == 0 ? -1 : tokens_[entry.place - 1].id;
}

}  // namespace bittern::format
