// Several models in one process: loaded when somebody asks, kept while they are used and a while
// longer, unloaded when another needs the memory; never while one is in use. One thread runs the
// steps of all of them in turn, so that they share the processor's cores and not fight for them.
//
//   ModelHost host(loader, {.memory_bytes = ...});
//   std::thread steps([&] { host.run(); });
//   const auto model = host.acquire("name");     // loads on this thread, others go on
//   model->engine().submit(...);
//   host.stop();
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"

namespace bittern::engine {

// What a model needs to run in an engine. `owner` holds whatever `model` refers to.
struct LoadedModel {
  std::shared_ptr<void> owner;
  std::unique_ptr<StepModel> model;
  const text::Tokenizer* tokenizer = nullptr;
};

// Knows the models there are. Called by several threads.
class ModelLoader {
 public:
  virtual ~ModelLoader() = default;
  // Memory that the model will take. Throws where there is no such model.
  virtual int64_t bytes(const std::string& name) = 0;
  virtual LoadedModel load(const std::string& name) = 0;
};

struct HostOptions {
  int64_t memory_bytes = 0;  // of all loaded models
  int64_t max_models = 3;
  double keep_alive = 300.0;  // seconds after the last use; negative: for ever
  // How long acquire() waits for memory that models in use hold.
  double wait_seconds = 300.0;
  EngineOptions engine;
};

// A model that is loaded, for as long as whoever acquired it holds on to it. The host must outlive
// it: its engine wakes the host.
class HostedModel {
 public:
  HostedModel(std::string name, int64_t bytes, LoadedModel loaded, EngineOptions options);
  const std::string& name() const { return name_; }
  Engine& engine() { return engine_; }
  const text::Tokenizer* tokenizer() const { return loaded_.tokenizer; }
  int64_t bytes() const { return bytes_; }

 private:
  std::string name_;
  int64_t bytes_;
  LoadedModel loaded_;
  Engine engine_;
};

struct HostedFacts {
  std::string name;
  int64_t bytes = 0;
  bool is_busy = false;
  double expires_in = 0.0;  // seconds; negative: never
  EngineStats stats;
};

class ModelHost {
 public:
  ModelHost(ModelLoader& loader, HostOptions options);
  ~ModelHost();

  // The model, loaded where it is not: on this thread, while others run. `keep_alive` in the place
  // of the host's from now on, where given. Throws what the loader throws, and Error{resources}
  // where it cannot fit or what is in use leaves no room in time.
  std::shared_ptr<HostedModel> acquire(const std::string& name,
                                       std::optional<double> keep_alive = std::nullopt);
  // Unloads it where it is loaded and not in use; false where it is in use.
  bool unload(const std::string& name);
  std::vector<HostedFacts> loaded() const;

  // A step of every engine that has work; false where none had. Unloads what has expired.
  bool step();
  // step() until stop(), sleeping while there is nothing to do.
  void run();
  void stop();

 private:
  struct Entry {
    std::shared_ptr<HostedModel> model;  // null while it is being loaded
    bool has_room = false;               // `bytes` are its own, loaded or not yet
    int64_t bytes = 0;
    double used_at = 0.0;
    double keep_alive = 0.0;
  };
  using Entries = std::map<std::string, Entry>;

  bool is_busy(const Entry& entry) const;
  bool has_room(int64_t bytes) const;
  bool evict_one();
  void make_room(std::unique_lock<std::mutex>& lock, const std::string& name, int64_t bytes);
  std::shared_ptr<HostedModel> load(std::unique_lock<std::mutex>& lock, const std::string& name);
  void unload_expired();
  void wake();

  ModelLoader& loader_;
  HostOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a load ended, something was given back or is to be done
  Entries entries_;
  bool stopped_ = false;
  uint64_t wakes_ = 0;
};

}  // namespace bittern::engine
