// The adapters of one model by name: loaded, listed and unloaded while requests run. A request
// holds on to what it uses, so one that is unloaded goes when the last of them has ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "model/adapter.h"
#include "model/model.h"

namespace bittern::engine {

struct AdapterFacts {
  std::string name;
  std::filesystem::path path;
  std::string base_model;   // as its file says it; may be empty
  int64_t rank = 0;         // the largest
  int64_t layer_count = 0;  // linear layers that it adds to
  int64_t resident_bytes = 0;
  std::vector<std::string> unknown_keys;  // of its file, see format::PeftConfig
};

class Adapters {
 public:
  // Both must outlive it, and whatever it gives.
  Adapters(const model::Model& model, backend::Backend& backend);

  // All may be called from any thread, while others run steps. Throws Error{usage} where the name
  // is empty or taken, and what format::open_adapter and model::bind_adapter throw.
  AdapterFacts load(const std::string& name, const std::filesystem::path& path);
  // Throws Error{usage} where there is none of this name.
  void unload(const std::string& name);
  // By name.
  std::vector<AdapterFacts> list() const;
  bool has(const std::string& name) const;
  // For Request::adapters: each times its scale, in this order; null where nothing is left to add.
  // Throws Error{usage} naming an adapter that is not there.
  std::shared_ptr<const model::AdapterSet> choose(
      std::span<const std::pair<std::string, float>> scales) const;

 private:
  struct Entry {
    AdapterFacts facts;
    std::shared_ptr<const model::Adapter> adapter;  // null while it is being loaded
  };

  const model::Model& model_;
  backend::Backend& backend_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace bittern::engine
