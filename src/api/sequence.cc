// Sequences whose tokens the caller chooses: logits for whoever wants them.
#include <algorithm>
#include <cstring>

#include "api/buffers.h"
#include "api/instance.h"
#include "api/status.h"
#include "engine/sequence_runner.h"

namespace api = bittern::api;
using bittern::ErrorKind;
using bittern::fail;

// The instance is kept: the runner's memory is its backend's.
struct bittern_sequence {
  std::shared_ptr<api::Instance> instance;
  std::unique_ptr<bittern::engine::SequenceRunner> runner;
};

namespace {

// Rows of one step with logits, which are kept until they are copied.
constexpr int64_t kLogitRows = 32;

void check_eval(const bittern_sequence& sequence, std::span<const int32_t> tokens, size_t wanted) {
  const int64_t vocab_size = sequence.instance->model().config.vocab_size;
  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t left = sequence.runner->context() - sequence.runner->length();
  if (count == 0) fail(ErrorKind::usage, "tokens: at least one expected");
  if (count > left)
    fail(ErrorKind::usage, "tokens: {}, but the sequence has room for {}", count, left);
  for (const int32_t token : tokens) {
    if (token < 0 || token >= vocab_size)
      fail(ErrorKind::usage, "tokens: 0 to {} expected, got {}", vocab_size - 1, token);
  }
  if (wanted > tokens.size())
    fail(ErrorKind::usage, "wanted: at most {} (the tokens) expected, got {}", count, wanted);
}

// In steps: those without logits are long, those with them as long as their rows are kept. Each is
// a turn of the engine's thread, so requests go on in between.
void eval(bittern_sequence& sequence, std::span<const int32_t> tokens, size_t wanted,
          float* logits) {
  const auto vocab_size = static_cast<size_t>(sequence.instance->model().config.vocab_size);
  const auto most = static_cast<size_t>(sequence.runner->max_rows());
  size_t first = 0;
  while (first < tokens.size()) {
    const size_t silent = tokens.size() - wanted;  // tokens whose logits nobody wants
    const bool has_logits = first >= silent;
    const size_t size = has_logits ? std::min<size_t>(kLogitRows, tokens.size() - first)
                                   : std::min(most, silent - first);
    sequence.instance->run([&] {
      const float* rows = sequence.runner->step(tokens.subspan(first, size),
                                                static_cast<int64_t>(has_logits ? size : 0));
      if (has_logits)
        std::memcpy(logits + (first - silent) * vocab_size, rows,
                    size * vocab_size * sizeof(float));
    });
    first += size;
  }
}

}  // namespace

int32_t bittern_sequence_new(bittern_model* model, int64_t positions, bittern_sequence** sequence) {
  return api::guarded([&] {
    api::require(model, "model");
    api::require(sequence, "sequence");
    api::Instance& instance = *model->instance;
    const bittern::engine::SessionOptions& session = instance.session().options;
    if (!instance.can_generate())
      fail(ErrorKind::unsupported, "{}: an encoder, which has no logits",
           bittern::printable(instance.path()));
    if (positions < 0 || positions > session.context)
      fail(ErrorKind::usage, "positions: 0 (the context) to {} expected, got {}", session.context,
           positions);
    const int64_t room = positions == 0 ? session.context : positions;
    instance.require_room(room, kLogitRows, session.kv_type);
    auto handle = std::make_unique<bittern_sequence>();
    handle->instance = model->instance;
    instance.run([&] {
      handle->runner = std::make_unique<bittern::engine::SequenceRunner>(
          instance.model(), *instance.session().backend,
          bittern::engine::RunnerOptions{.context = room,
                                         .kv_type = session.kv_type,
                                         .max_rows = std::min(room, session.max_rows),
                                         .max_logit_rows = std::min(room, kLogitRows)});
    });
    *sequence = handle.release();
    return BITTERN_OK;
  });
}

int32_t bittern_sequence_eval(bittern_sequence* sequence, const int32_t* tokens, size_t count,
                              size_t wanted, float* logits, size_t capacity) {
  return api::guarded([&] {
    api::require(sequence, "sequence");
    const auto ids = api::span_of(tokens, count, "tokens");
    check_eval(*sequence, ids, wanted);
    if (wanted > 0) {
      api::require(logits, "logits");
      const auto needed =
          wanted * static_cast<size_t>(sequence->instance->model().config.vocab_size);
      if (capacity < needed)
        fail(ErrorKind::usage, "capacity: at least {} (wanted x vocab_size) expected, got {}",
             needed, capacity);
    }
    eval(*sequence, ids, wanted, logits);
    return BITTERN_OK;
  });
}

int32_t bittern_sequence_reset(bittern_sequence* sequence) {
  return api::guarded([&] {
    api::require(sequence, "sequence");
    sequence->runner->reset();
    return BITTERN_OK;
  });
}

int32_t bittern_sequence_length(const bittern_sequence* sequence, int64_t* length) {
  return api::guarded([&] {
    api::require(sequence, "sequence");
    api::require(length, "length");
    *length = sequence->runner->length();
    return BITTERN_OK;
  });
}

void bittern_sequence_free(bittern_sequence* sequence) {
  api::guarded([&] {
    std::unique_ptr<bittern_sequence> owned(sequence);
    if (owned) owned->runner.reset();  // before the instance
    return BITTERN_OK;
  });
}
