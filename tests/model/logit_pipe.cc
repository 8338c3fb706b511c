// The logits of a model, and an adapter of it, for given token ids, for test_families.py and
// test_adapters.py of tests/oracles: no tokenizer, f32 keys, values and activations, one thread.
//
//   logit_pipe MODEL [ADAPTER]   stdin: int32 ids; stdout: float32 [ids, vocab_size] (of an encoder
//                                the hidden states [ids, hidden_size])
#include <cstdio>
#include <exception>

#include "backend/cpu/cpu_backend.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "format/adapter.h"
#include "kernel/select.h"
#include "model/adapter.h"
#include "model/bind.h"
#include "model/forward.h"

namespace bittern {
namespace {

constexpr size_t kIdsMax = 1 << 16;

std::vector<int32_t> read_ids() {
  std::vector<int32_t> ids(kIdsMax);
  ids.resize(std::fread(ids.data(), sizeof(int32_t), ids.size(), stdin));
  return ids;
}

std::vector<float> outputs(const model::Model& model, backend::Backend& backend,
                           const std::vector<int32_t>& ids, const model::AdapterSet& adapters) {
  const auto count = static_cast<int64_t>(ids.size());
  const model::Config& config = model.config;
  const auto store = backend.make_kv_store({.layer_count = config.layer_count,
                                            .kv_head_count = config.kv_head_count,
                                            .head_dim = config.head_dim,
                                            .type = backend::KvType::f32,
                                            .page_count = model::PagePool::pages_for(count)});
  model::PagePool pages(store->shape.page_count);
  model::SequenceState sequence;
  if (!pages.reserve(sequence, count)) fail(ErrorKind::internal, "no pages");
  std::vector<model::BatchRow> rows;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back({ids[static_cast<size_t>(i)], static_cast<int32_t>(i), &sequence,
                    config.has_head, &adapters});
  }
  model::Workspace workspace(model, count);
  const int64_t width = config.has_head ? config.vocab_size : config.hidden_size;
  std::vector<float> result(static_cast<size_t>(count * width));
  if (config.has_head) {
    model::forward(model, backend, *store, rows, workspace, result.data());
  } else {
    model::forward_layers(model, backend, *store, rows, workspace, {0, config.layer_count},
                          result.data());
  }
  return result;
}

void run(const char* path, const char* adapter) {
  const std::vector<int32_t> ids = read_ids();
  ThreadPool threads(1);
  const auto backend = backend::make_cpu_backend(threads, kernel::select(Log(Log::Level::quiet)),
                                                 {.float_activations = true});
  format::Checkpoint checkpoint = format::open_checkpoint(path);
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  model::Config config = model::read_config(checkpoint, arch);
  const auto context = static_cast<int64_t>(ids.size());
  const auto model = model::bind(std::move(checkpoint), arch, std::move(config), *backend, context);
  std::vector<model::AdapterSet::Entry> entries;
  if (adapter != nullptr)
    entries.push_back({model::bind_adapter(format::open_adapter(adapter), *model, *backend), 1.0f});
  const std::vector<float> values =
      outputs(*model, *backend, ids, model::AdapterSet(std::move(entries)));
  std::fwrite(values.data(), sizeof(float), values.size(), stdout);
}

}  // namespace
}  // namespace bittern

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  try {
    bittern::run(argv[1], argc == 3 ? argv[2] : nullptr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
