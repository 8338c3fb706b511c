#include "api/engine_thread.h"

#include <exception>
#include <utility>

#include "base/error.h"
#include "base/float_mode.h"

namespace bittern::api {
namespace {

constexpr const char* kFreed = "model: it was freed";

}  // namespace

EngineThread::EngineThread(std::function<void(const std::string&)> failed)
    : failed_(std::move(failed)) {}

void EngineThread::start(engine::Engine* engine) {
  engine_ = engine;
  thread_ = std::thread([this] { loop(); });
}

void EngineThread::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_one();
}

void EngineThread::run(const std::function<void()>& body) {
  Call call{&body, {}};
  std::future<void> done = call.done.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || !thread_.joinable()) fail(ErrorKind::usage, "{}", kFreed);
    calls_.push_back(&call);
    changed_.notify_one();
  }
  done.get();
}

void EngineThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

bool EngineThread::step() {
  if (engine_ == nullptr) return false;
  try {
    return engine_->step();
  } catch (const std::exception& error) {
    engine_ = nullptr;
    failed_(error.what());
  } catch (...) {
    engine_ = nullptr;
    failed_("an exception of unknown type");
  }
  return false;
}

// The promise is moved here, because whoever waits goes away with it as soon as it is kept.
void EngineThread::perform(Call& call) {
  std::promise<void> done = std::move(call.done);
  try {
    (*call.body)();
    done.set_value();
  } catch (...) {
    done.set_exception(std::current_exception());
  }
}

// A call for each step, so that neither kind of work waits for all of the other.
void EngineThread::loop() {
  const DefaultFloatMode mode;  // the thread that loaded may have had another one
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || woken_ || !calls_.empty(); });
    if (stopping_) break;
    Call* call = calls_.empty() ? nullptr : calls_.front();
    if (call != nullptr) calls_.pop_front();
    woken_ = false;
    lock.unlock();
    if (call != nullptr) perform(*call);
    const bool goes_on = step();
    lock.lock();
    woken_ |= goes_on;
  }
  lock.unlock();
  step();
  for (Call* call : calls_) {
    std::promise<void> done = std::move(call->done);
    done.set_exception(std::make_exception_ptr(Error(ErrorKind::usage, kFreed)));
  }
}

}  // namespace bittern::api
