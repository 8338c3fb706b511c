#include "engine/model_host.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"

namespace bittern::engine {
namespace {

// How often a host without work looks whether something has expired.
constexpr std::chrono::milliseconds kLook{200};

}  // namespace

HostedModel::HostedModel(std::string name, int64_t bytes, LoadedModel loaded, EngineOptions options)
    : name_(std::move(name)),
      bytes_(bytes),
      loaded_(std::move(loaded)),
      engine_(*loaded_.model, loaded_.tokenizer, std::move(options)) {}

ModelHost::ModelHost(ModelLoader& loader, HostOptions options)
    : loader_(loader), options_(std::move(options)) {
  options_.engine.wake = [this] { wake(); };
}

ModelHost::~ModelHost() { stop(); }

void ModelHost::wake() {
  const std::lock_guard lock(mutex_);
  ++wakes_;
  changed_.notify_all();
}

// The entry itself holds the model once.
bool ModelHost::is_busy(const Entry& entry) const {
  return entry.model == nullptr || entry.model.use_count() > 1 || entry.model->engine().has_work();
}

bool ModelHost::has_room(int64_t bytes) const {
  int64_t taken = 0, count = 0;
  for (const auto& [name, entry] : entries_) {
    taken += entry.bytes;
    count += entry.has_room;
  }
  return count < options_.max_models && taken + bytes <= options_.memory_bytes;
}

// The one that was not used for the longest time; false where all are in use.
bool ModelHost::evict_one() {
  auto oldest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (is_busy(entry->second)) continue;
    if (oldest == entries_.end() || entry->second.used_at < oldest->second.used_at) oldest = entry;
  }
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

void ModelHost::make_room(std::unique_lock<std::mutex>& lock, const std::string& name,
                          int64_t bytes) {
  if (bytes > options_.memory_bytes)
    fail(ErrorKind::resources, "model {}: {} bytes needed, {} are for models", printable(name),
         bytes, options_.memory_bytes);
  const double deadline = options_.engine.clock() + options_.wait_seconds;
  while (!has_room(bytes)) {
    if (evict_one()) continue;
    if (stopped_ || options_.engine.clock() >= deadline)
      fail(ErrorKind::resources, "model {}: no room beside the models in use", printable(name));
    changed_.wait_for(lock, kLook);
  }
}

std::shared_ptr<HostedModel> ModelHost::acquire(const std::string& name,
                                                std::optional<double> keep_alive) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) break;
    if (Entry& entry = found->second; entry.model != nullptr) {
      entry.used_at = options_.engine.clock();
      if (keep_alive) entry.keep_alive = *keep_alive;
      return entry.model;
    }
    changed_.wait(lock);  // somebody loads it
  }
  entries_[name].keep_alive = keep_alive.value_or(options_.keep_alive);
  try {
    return load(lock, name);
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    entries_.erase(name);
    changed_.notify_all();
    throw;
  }
}

// The entry is there already: whoever asks for the same model waits for it.
std::shared_ptr<HostedModel> ModelHost::load(std::unique_lock<std::mutex>& lock,
                                             const std::string& name) {
  lock.unlock();
  const int64_t bytes = loader_.bytes(name);
  lock.lock();
  make_room(lock, name, bytes);
  entries_.at(name).bytes = bytes;
  entries_.at(name).has_room = true;
  lock.unlock();
  auto model = std::make_shared<HostedModel>(name, bytes, loader_.load(name), options_.engine);
  lock.lock();
  Entry& entry = entries_.at(name);
  entry.model = model;
  entry.used_at = options_.engine.clock();
  changed_.notify_all();
  return model;
}

bool ModelHost::unload(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return true;
  if (is_busy(found->second)) return false;
  entries_.erase(found);
  changed_.notify_all();
  return true;
}

std::vector<HostedFacts> ModelHost::loaded() const {
  const std::lock_guard lock(mutex_);
  const double now = options_.engine.clock();
  std::vector<HostedFacts> facts;
  for (const auto& [name, entry] : entries_) {
    if (entry.model == nullptr) continue;
    const double left = std::max(0.0, entry.used_at + entry.keep_alive - now);
    facts.push_back({.name = name,
                     .bytes = entry.bytes,
                     .is_busy = is_busy(entry),
                     .expires_in = entry.keep_alive < 0.0 ? -1.0 : left,
                     .stats = entry.model->engine().stats()});
  }
  return facts;
}

void ModelHost::unload_expired() {
  const std::lock_guard lock(mutex_);
  const double now = options_.engine.clock();
  for (auto& [name, entry] : entries_)
    if (is_busy(entry)) entry.used_at = now;  // the time runs from the end of the last use
  const auto count = std::erase_if(entries_, [&](const auto& item) {
    const Entry& entry = item.second;
    return !is_busy(entry) && entry.keep_alive >= 0.0 && now >= entry.used_at + entry.keep_alive;
  });
  if (count > 0) changed_.notify_all();
}

bool ModelHost::step() {
  std::vector<std::shared_ptr<HostedModel>> models;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : entries_)
      if (entry.model != nullptr && entry.model->engine().has_work()) models.push_back(entry.model);
  }
  bool any = false;
  for (const auto& model : models) any |= model->engine().step();
  models.clear();
  unload_expired();
  return any;
}

void ModelHost::run() {
  uint64_t seen = 0;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      seen = wakes_;
    }
    if (step()) continue;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLook, [&] { return stopped_ || wakes_ != seen; });
  }
}

void ModelHost::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace bittern::engine
