#include "engine/step_model.h"

#include "base/check.h"

namespace bittern::engine {
namespace {

class LoadedModel final : public StepModel {
 public:
  LoadedModel(const model::Model& model, backend::Backend& backend, ThreadPool& pool,
              const StepModelOptions& options)
      : model_(model),
        backend_(backend),
        pool_(pool),
        limits_{.vocab_size = model.config.vocab_size,
                .context = model.context,
                .page_count = options.page_count,
                .max_rows = options.max_rows,
                .max_logit_rows = options.max_logit_rows},
        store_(backend.make_kv_store({.layer_count = model.config.layer_count,
                                      .kv_head_count = model.config.kv_head_count,
                                      .head_dim = model.config.head_dim,
                                      .type = options.kv_type,
                                      .page_count = options.page_count})),
        workspace_(model, options.max_rows),
        logits_(static_cast<size_t>(options.max_logit_rows * model.config.vocab_size)) {
    if (model.head == nullptr) {
      fail(ErrorKind::unsupported, "{}: expected a model that predicts text, got an encoder ({})",
           printable(model.config.file), model.arch->name);
    }
  }

  StepLimits limits() const override { return limits_; }
  bool takes(const model::AdapterSet& adapters) const override {
    return adapters.model() == &model_;
  }

  const float* run(std::span<const model::BatchRow> rows,
                   std::span<const backend::HeadCut> cuts) override {
    model::forward(model_, backend_, *store_, rows, workspace_, logits_.data(), nullptr, cuts);
    return logits_.data();
  }

  void copy_page(int32_t from, int32_t to) override { store_->copy_page(from, to); }
  int64_t page_bytes() const override { return store_->page_bytes(); }
  void export_page(int32_t page, std::byte* out) const override { store_->export_page(page, out); }
  void import_page(int32_t page, const std::byte* in) override { store_->import_page(page, in); }

  void parallel(int64_t task_count, const std::function<void(int64_t task)>& body) override {
    pool_.run(task_count, [&](int64_t task, int) { body(task); });
  }

 private:
  const model::Model& model_;
  backend::Backend& backend_;
  ThreadPool& pool_;
  StepLimits limits_;
  std::unique_ptr<backend::KvStore> store_;
  model::Workspace workspace_;
  std::vector<float> logits_;
};

}  // namespace

std::unique_ptr<StepModel> make_step_model(const model::Model& model, backend::Backend& backend,
                                           ThreadPool& pool, const StepModelOptions& options) {
  return std::make_unique<LoadedModel>(model, backend, pool, options);
}

}  // namespace bittern::engine
