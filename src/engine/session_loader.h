// The models of a ModelHost: each a session of its own, all on the same threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/thread_pool.h"
#include "engine/model_host.h"
#include "engine/session.h"

namespace bittern::engine {

class SessionLoader final : public ModelLoader {
 public:
  // Opens a model by its name; throws where there is none. Called by several threads.
  using Open = std::function<format::Checkpoint(const std::string& name)>;

  // `options.pool`, where null, becomes one pool for all of them.
  SessionLoader(Open open, SessionOptions options, Log log);

  int64_t bytes(const std::string& name) override;
  LoadedModel load(const std::string& name) override;

 private:
  Open open_;
  SessionOptions options_;
  Log log_;
};

}  // namespace bittern::engine
