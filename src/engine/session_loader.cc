#include "engine/session_loader.h"

#include <utility>

#include "base/cpu.h"

namespace bittern::engine {

SessionLoader::SessionLoader(Open open, SessionOptions options, Log log)
    : open_(std::move(open)), options_(std::move(options)), log_(std::move(log)) {
  if (options_.pool) return;
  const int threads = options_.threads > 0 ? options_.threads : cpu::usable_core_count();
  options_.pool = std::make_shared<ThreadPool>(threads);
}

int64_t SessionLoader::bytes(const std::string& name) {
  return session_bytes(open_(name), options_);
}

LoadedModel SessionLoader::load(const std::string& name) {
  auto session = std::make_shared<Session>(load_session(open_(name), options_, log_));
  std::unique_ptr<StepModel> model = session->make_step_model(session->positions);
  const text::Tokenizer* tokenizer = session->model->tokenizer.get();
  return {.owner = std::move(session), .model = std::move(model), .tokenizer = tokenizer};
}

}  // namespace bittern::engine
