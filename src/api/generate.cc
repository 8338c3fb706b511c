// Requests: submitted, fetched piece by piece, cancelled.
#include "api/buffers.h"
#include "api/delta_view.h"
#include "api/generate_options.h"
#include "api/instance.h"
#include "api/outbox.h"
#include "api/sized_struct.h"
#include "api/status.h"

namespace api = bittern::api;

struct bittern_request {
  std::shared_ptr<api::Outbox> outbox;
  std::weak_ptr<api::Instance> instance;
  int64_t id = 0;
  api::DeltaView view;
};

namespace {

std::unique_ptr<bittern_request> submit(bittern_model& model,
                                        const bittern_generate_options* options) {
  const std::shared_ptr<api::Instance>& instance = model.instance;
  bittern::engine::Request request = api::request_of(*instance, options);
  auto handle = std::make_unique<bittern_request>();
  handle->instance = instance;
  handle->outbox = std::make_shared<api::Outbox>(request.choices);
  handle->id = instance->submit(std::move(request), handle->outbox);
  return handle;
}

// The status of bittern_request_next().
int32_t next(bittern_request& request, int64_t timeout_ms, const bittern_delta** delta) {
  auto taken = request.outbox->take(timeout_ms);
  if (!taken) return request.outbox->is_over() ? BITTERN_END : BITTERN_TIMEOUT;
  *delta = request.view.show(*std::move(taken));
  return BITTERN_OK;
}

void cancel(const bittern_request& request) {
  if (request.outbox->has_ended()) return;
  if (const auto instance = request.instance.lock()) instance->cancel(request.id);
}

// Whoever leaves, in whatever way, leaves no request behind.
struct Abandon {
  void operator()(bittern_request* request) const noexcept {
    const std::unique_ptr<bittern_request> owned(request);
    api::guarded([&] {
      cancel(*owned);
      owned->outbox->abandon();
      return BITTERN_OK;
    });
  }
};

}  // namespace

int32_t bittern_generate_options_init(bittern_generate_options* options, size_t size,
                                      const bittern_model* model) {
  return api::guarded([&] {
    api::give_defaults(options, size, api::kGenerateOptionsFirstSize,
                       api::default_generate_options(model));
    return BITTERN_OK;
  });
}

int32_t bittern_submit(bittern_model* model, const bittern_generate_options* options,
                       bittern_request** request) {
  return api::guarded([&] {
    api::require(model, "model");
    api::require(request, "request");
    *request = submit(*model, options).release();
    return BITTERN_OK;
  });
}

int32_t bittern_request_next(bittern_request* request, int64_t timeout_ms,
                             const bittern_delta** delta) {
  return api::guarded([&] {
    api::require(request, "request");
    api::require(delta, "delta");
    return next(*request, timeout_ms, delta);
  });
}

int32_t bittern_request_cancel(bittern_request* request) {
  return api::guarded([&] {
    api::require(request, "request");
    cancel(*request);
    return BITTERN_OK;
  });
}

void bittern_request_free(bittern_request* request) {
  if (request != nullptr) Abandon{}(request);
}

int32_t bittern_generate(bittern_model* model, const bittern_generate_options* options,
                         bittern_callback callback, void* user) {
  return api::guarded([&] {
    api::require(model, "model");
    const std::unique_ptr<bittern_request, Abandon> request(submit(*model, options).release());
    const bittern_delta* delta = nullptr;
    while (next(*request, -1, &delta) == BITTERN_OK) {
      if (callback != nullptr && callback(user, delta) != 0)
        bittern::fail(bittern::ErrorKind::interrupted, "the callback asked for the end");
    }
    return BITTERN_OK;
  });
}
