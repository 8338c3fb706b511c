// See recoded.h.
#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "codec/iq_encoder.h"
#include "kernel/select.h"
#include "model/bind.h"
#include "model/forward.h"
#include "model/recoded.h"

namespace bittern::test {
namespace {

void recode(format::Checkpoint& checkpoint, codec::Id id) {
  const codec::Codec& codec = codec::get(id);
  for (TensorView& tensor : checkpoint.tensors) {
    if (tensor.shape.size() != 2) continue;
    const auto bytes = codec.tensor_bytes(tensor.rows(), tensor.columns());
    if (!bytes) continue;
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    decode_rows(tensor, 0, tensor.rows(), values.data());
    auto& buffer = checkpoint.buffers.emplace_back(
        encode_any(id, values.data(), tensor.rows(), tensor.columns()));
    tensor.codec = id;
    tensor.bytes = buffer;
    tensor.scale = 1.0f;
  }
}

}  // namespace

std::unique_ptr<model::Model> bind_recoded(const std::filesystem::path& path, codec::Id codec,
                                           int64_t layer_limit, backend::Backend& backend) {
  format::Checkpoint checkpoint = format::open_checkpoint(path);
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  model::Config config = model::read_config(checkpoint, arch);
  recode(checkpoint, codec);
  config.ternary = false;
  config.layer_count = std::min(config.layer_count, layer_limit);
  config.layers.resize(static_cast<size_t>(config.layer_count));
  return model::bind(std::move(checkpoint), arch, std::move(config), backend, 512);
}

std::vector<float> all_logits(const model::Model& model, backend::Backend& backend,
                              std::span<const int32_t> ids) {
  const auto count = static_cast<int64_t>(ids.size());
  const model::Config& config = model.config;
  const auto store = backend.make_kv_store({.layer_count = config.layer_count,
                                            .kv_head_count = config.kv_head_count,
                                            .head_dim = config.head_dim,
                                            .type = backend::KvType::f32,
                                            .page_count = model::PagePool::pages_for(count)});
  model::PagePool pages(store->shape.page_count);
  model::SequenceState sequence;
  pages.reserve(sequence, count);
  std::vector<model::BatchRow> rows;
  for (int64_t i = 0; i < count; ++i)
    rows.push_back({ids[static_cast<size_t>(i)], static_cast<int32_t>(i), &sequence, true});
  model::Workspace workspace(model, count);
  std::vector<float> logits(static_cast<size_t>(count * config.vocab_size));
  model::forward(model, backend, *store, rows, workspace, logits.data());
  return logits;
}

ActivationError activation_error(const std::filesystem::path& path, codec::Id codec,
                                 int64_t layer_limit, std::span<const int32_t> ids, int threads) {
  ThreadPool pool(threads);
  const kernel::Table& table = kernel::select(Log(Log::Level::quiet));
  ActivationError error;
  std::vector<float> logits[2];
  for (const bool exact : {false, true}) {
    const auto backend = backend::make_cpu_backend(pool, table, {.float_activations = exact});
    const auto model = bind_recoded(path, codec, layer_limit, *backend);
    logits[exact ? 1 : 0] = all_logits(*model, *backend, ids);
    if (exact) continue;
    double coded = 0.0, all = 0.0;
    for (const backend::Linear* linear : model->linears()) {
      const auto weights = static_cast<double>(linear->in_size * linear->out_size);
      all += weights;
      if (linear->wants != backend::Codes::none) coded += weights;
    }
    error.coded_share = coded / all;
  }
  const auto [least, most] = std::minmax_element(logits[1].begin(), logits[1].end());
  const double range = double{*most} - double{*least};
  double squares = 0.0;
  for (size_t i = 0; i < logits[0].size(); ++i) {
    const double off = (double{logits[0][i]} - double{logits[1][i]}) / range;
    error.greatest = std::max(error.greatest, std::fabs(off));
    squares += off * off;
  }
  error.rms = std::sqrt(squares / static_cast<double>(logits[0].size()));
  return error;
}

}  // namespace bittern::test
