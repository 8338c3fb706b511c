#include "engine/adapters.h"

#include "base/error.h"
#include "format/adapter.h"

namespace bittern::engine {
namespace {

[[noreturn]] void refuse_unknown(const std::string& name) {
  fail(ErrorKind::usage, "adapter '{}': not loaded", printable(name));
}

}  // namespace

Adapters::Adapters(const model::Model& model, backend::Backend& backend)
    : model_(model), backend_(backend) {}

// The name is taken first; nobody sees the adapter before it is whole.
AdapterFacts Adapters::load(const std::string& name, const std::filesystem::path& path) {
  if (name.empty()) fail(ErrorKind::usage, "adapter: a name expected, got none");
  {
    const std::lock_guard lock(mutex_);
    if (!entries_.try_emplace(name).second)
      fail(ErrorKind::usage, "adapter '{}': loaded already", printable(name));
  }
  try {
    format::AdapterFile file = format::open_adapter(path);
    const auto adapter = model::bind_adapter(file, model_, backend_);
    const AdapterFacts facts = {.name = name,
                                .path = path,
                                .base_model = std::move(file.base_model),
                                .rank = adapter->rank,
                                .layer_count = std::ssize(adapter->deltas),
                                .resident_bytes = adapter->resident_bytes,
                                .unknown_keys = std::move(file.unknown_keys)};
    const std::lock_guard lock(mutex_);
    entries_[name] = {facts, adapter};
    return facts;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    entries_.erase(name);
    throw;
  }
}

void Adapters::unload(const std::string& name) {
  std::shared_ptr<const model::Adapter> last;  // given back when the lock is
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.adapter == nullptr) refuse_unknown(name);
  last = std::move(found->second.adapter);
  entries_.erase(found);
}

std::vector<AdapterFacts> Adapters::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<AdapterFacts> facts;
  for (const auto& [name, entry] : entries_)
    if (entry.adapter != nullptr) facts.push_back(entry.facts);
  return facts;
}

bool Adapters::has(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.adapter != nullptr;
}

std::shared_ptr<const model::AdapterSet> Adapters::choose(
    std::span<const std::pair<std::string, float>> scales) const {
  std::vector<model::AdapterSet::Entry> entries;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, scale] : scales) {
      const auto found = entries_.find(name);
      if (found == entries_.end() || found->second.adapter == nullptr) refuse_unknown(name);
      entries.push_back({found->second.adapter, scale});
    }
  }
  auto set = std::make_shared<const model::AdapterSet>(std::move(entries));
  return set->empty() ? nullptr : set;
}

}  // namespace bittern::engine
