// See golden.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "backend/cpu/cpu_backend.h"
#include "base/bytes.h"
#include "base/cpu.h"
#include "base/file_map.h"
#include "base/random.h"
#include "kernel/select.h"
#include "model/golden.h"

namespace bittern::test {
namespace {

constexpr int64_t kPages = 12;

std::string data_path(const std::string& name) {
  return std::string(BITTERN_TEST_DATA) + "/models/" + name;
}

}  // namespace

Golden read_golden(const std::string& name) {
  const FileMap map = FileMap::open(data_path(name));
  ByteReader reader(map.bytes(), name);
  const auto count = static_cast<size_t>(reader.read<int32_t>("count"));
  Golden golden;
  golden.vocab = reader.read<int32_t>("vocabulary");
  for (size_t i = 0; i < count; ++i) golden.ids.push_back(reader.read<int32_t>("ids"));
  for (size_t i = 0; i < count * static_cast<size_t>(golden.vocab); ++i)
    golden.logits.push_back(reader.read<float>("logits"));
  return golden;
}

format::Checkpoint open_case(const std::string& name, const std::string& config) {
  format::Checkpoint checkpoint = format::open_checkpoint(data_path(name));
  if (!config.empty()) {
    const std::string path = data_path(name) + "/" + config;
    checkpoint.config = json::Document::parse(read_text_file(path, 1 << 20), config);
  }
  return checkpoint;
}

std::unique_ptr<model::Model> bind_case(format::Checkpoint checkpoint, backend::Backend& backend,
                                        int64_t context) {
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  model::Config config = model::read_config(checkpoint, arch);
  const int64_t planned = model::planned_context(config, context);
  return model::bind(std::move(checkpoint), arch, std::move(config), backend, planned);
}

std::vector<const kernel::Table*> runnable_tables() {
  const uint64_t features = cpu::detect_features();
  std::vector<const kernel::Table*> tables;
  for (const kernel::Candidate& candidate : kernel::candidates()) {
    if ((candidate.features & ~features) == 0) tables.push_back(candidate.table);
  }
  return tables;
}

Cpu::Cpu(int threads, const kernel::Table* table, bool float_activations)
    : pool_(threads),
      backend_(backend::make_cpu_backend(
          pool_, table != nullptr ? *table : *runnable_tables().front(),
          {.inline_work = 0, .float_activations = float_activations})) {}

Runner::Runner(const model::Model& model, backend::Backend& backend, backend::KvType type,
               int64_t max_rows)
    : model_(model),
      backend_(backend),
      pages_(kPages),
      store_(backend.make_kv_store({.layer_count = model.config.layer_count,
                                    .kv_head_count = model.config.kv_head_count,
                                    .head_dim = model.config.head_dim,
                                    .type = type,
                                    .page_count = kPages})),
      workspace_(model, max_rows) {}

std::vector<float> Runner::run(const std::vector<int32_t>& ids, int64_t chunk, model::Taps* taps) {
  model::SequenceState sequence;
  EXPECT_TRUE(pages_.reserve(sequence, static_cast<int64_t>(ids.size())));
  const model::Config& config = model_.config;
  const auto width = static_cast<size_t>(config.has_head ? config.vocab_size : config.hidden_size);
  std::vector<float> result(ids.size() * width);
  const size_t step = chunk > 0 ? static_cast<size_t>(chunk) : ids.size();
  for (size_t start = 0; start < ids.size(); start += step) {
    std::vector<model::BatchRow> rows;
    for (size_t i = start; i < std::min(ids.size(), start + step); ++i)
      rows.push_back({ids[i], static_cast<int32_t>(i), &sequence, true, adapters});
    float* out = result.data() + start * width;
    if (config.has_head) {
      model::forward(model_, backend_, *store_, rows, workspace_, out, taps);
    } else {
      for (model::BatchRow& row : rows) row.wants_logits = false;
      model::forward_layers(model_, backend_, *store_, rows, workspace_, {0, config.layer_count},
                            out, nullptr, taps);
    }
  }
  EXPECT_EQ(sequence.length, static_cast<int64_t>(ids.size()));
  pages_.release(sequence);
  return result;
}

std::vector<std::vector<float>> Runner::run_interleaved(
    const std::vector<std::vector<int32_t>>& prompts, uint64_t seed,
    const std::vector<const model::AdapterSet*>& sets) {
  random::Sequence random(seed);
  const auto vocab = static_cast<size_t>(model_.config.vocab_size);
  std::vector<model::SequenceState> sequences(prompts.size());
  std::vector<size_t> done(prompts.size());
  std::vector<std::vector<float>> results(prompts.size());
  size_t left = 0;
  for (const auto& prompt : prompts) left += prompt.size();
  while (left > 0) {
    std::vector<model::BatchRow> rows;
    std::vector<size_t> owners;
    const uint64_t wanted = 1 + random.below(std::min<uint64_t>(left, 20));
    while (rows.size() < wanted) {
      const size_t owner = random.below(prompts.size());
      const size_t position = done[owner];
      if (position == prompts[owner].size()) continue;
      EXPECT_TRUE(pages_.reserve(sequences[owner], static_cast<int64_t>(position) + 1));
      rows.push_back({prompts[owner][position], static_cast<int32_t>(position), &sequences[owner],
                      true, sets.empty() ? nullptr : sets[owner]});
      owners.push_back(owner);
      ++done[owner];
      --left;
    }
    std::vector<float> logits(rows.size() * vocab);
    model::forward(model_, backend_, *store_, rows, workspace_, logits.data());
    for (size_t row = 0; row < rows.size(); ++row) {
      const auto from = logits.begin() + static_cast<std::ptrdiff_t>(row * vocab);
      auto& result = results[owners[row]];
      result.insert(result.end(), from, from + static_cast<std::ptrdiff_t>(vocab));
    }
  }
  for (model::SequenceState& sequence : sequences) pages_.release(sequence);
  return results;
}

double relative_error(const Golden& golden, const std::vector<float>& logits) {
  EXPECT_EQ(golden.logits.size(), logits.size());
  const auto [low, high] = std::minmax_element(golden.logits.begin(), golden.logits.end());
  double largest = 0.0;
  for (size_t i = 0; i < std::min(logits.size(), golden.logits.size()); ++i) {
    const double error = std::abs(double{golden.logits[i]} - logits[i]);
    largest =
        std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(largest, error);
  }
  return largest / (double{*high} - *low);
}

}  // namespace bittern::test
