// The one thread of a model that touches its backend: it runs the engine's steps and, between two
// of them, what other threads ask for (a step of a sequence, an embedding). Nothing of the caller's
// runs on it, so no caller can hold up another's text.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "engine/engine.h"

namespace bittern::api {

class EngineThread {
 public:
  // `failed` is told what ended the engine, where a step throws, on this thread.
  explicit EngineThread(std::function<void(const std::string& message)> failed);
  ~EngineThread() { stop(); }
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // `engine`, which must outlive the thread, may be null: then there are only calls.
  void start(engine::Engine* engine);
  // There is something for the engine to do.
  void wake();
  // Runs `body` between two steps and returns when it has; throws what it throws, and Error{usage}
  // after stop().
  void run(const std::function<void()>& body);
  // A last step, in which cancelled requests end; then the thread ends.
  void stop();

 private:
  struct Call {
    const std::function<void()>* body;
    std::promise<void> done;
  };

  static void perform(Call& call);
  void loop();
  bool step();

  std::function<void(const std::string&)> failed_;
  engine::Engine* engine_ = nullptr;  // null also after it failed

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<Call*> calls_;
  bool woken_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace bittern::api
