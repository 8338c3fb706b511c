// Loading: architecture, numbers, memory plan, weights, then tokenizer and generation defaults.
#include "model/model.h"

#include <cmath>
#include <future>

#include "base/error.h"
#include "base/memory.h"
#include "format/vocab.h"
#include "model/bind.h"

namespace bittern::model {
namespace {

std::optional<double> in_range(std::optional<double> value, double least, double most,
                               std::string_view field, const std::string& file) {
  if (value && !(*value >= least && *value <= most))
    bad_input("{}: {}: expected {} to {}, got {}", file, field, least, most, *value);
  return value;
}

GenerationDefaults generation_from_hf(const json::Value& root) {
  const std::string& file = root.file_name();
  const auto number = [&](std::string_view key, double least, double most) {
    return in_range(root.get_number(key), least, most, key, file);
  };
  GenerationDefaults defaults;
  defaults.temperature = number("temperature", 0.0, 1e3);
  defaults.top_p = number("top_p", 0.0, 1.0);
  defaults.min_p = number("min_p", 0.0, 1.0);
  defaults.repetition_penalty = number("repetition_penalty", 1e-3, 1e3);
  defaults.do_sample = root.get_boolean("do_sample");
  for (const auto& [key, target] :
       {std::pair{"top_k", &defaults.top_k}, std::pair{"max_new_tokens", &defaults.max_tokens}}) {
    *target = root.get_integer(key);
    if (*target && (**target < 0 || **target > INT32_MAX))
      bad_input("{}: {}: expected 0 to {}, got {}", file, key, INT32_MAX, **target);
  }
  return defaults;
}

// general.sampling.* (transformers' generation_config as llama.cpp's converter writes it).
GenerationDefaults generation_from_gguf(const format::Metadata& metadata) {
  const auto number = [&](const char* key, double least, double most) {
    return in_range(metadata.get_number(key), least, most, key, metadata.file_name);
  };
  GenerationDefaults defaults;
  defaults.temperature = number("general.sampling.temp", 0.0, 1e3);
  defaults.top_p = number("general.sampling.top_p", 0.0, 1.0);
  defaults.min_p = number("general.sampling.min_p", 0.0, 1.0);
  defaults.repetition_penalty = number("general.sampling.penalty_repeat", 1e-3, 1e3);
  if (const auto top_k = number("general.sampling.top_k", 0.0, INT32_MAX))
    defaults.top_k = static_cast<int64_t>(*top_k);
  return defaults;
}

// A vocabulary of a kind not read yet leaves a model that runs by token ids: `reason` says why, and
// nothing is returned.
std::optional<text::VocabSpec> read_vocab(const format::Checkpoint& checkpoint, int64_t vocab_size,
                                          std::string& reason) {
  if (!format::has_vocab(checkpoint)) {
    reason = fmt::format("{}: tokenizer: the files carry none",
                         printable(checkpoint.path.string(), 200));
    return std::nullopt;
  }
  try {
    text::VocabSpec spec = format::read_vocab(checkpoint);
    format::drop_tokens_without_rows(spec, vocab_size);
    return spec;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    reason = error.message();
    return std::nullopt;
  }
}

using FutureTokenizer = std::future<std::unique_ptr<text::Tokenizer>>;

// Built while the weights are loaded: with 128 thousand tokens that takes as long as mapping them.
FutureTokenizer build_tokenizer(std::optional<text::VocabSpec> spec) {
  if (!spec) return {};
  return std::async(std::launch::async, [spec = std::move(*spec)]() mutable {
    return text::Tokenizer::build(std::move(spec));
  });
}

void take_tokenizer(FutureTokenizer future, Model& model) {
  if (!future.valid()) return;
  try {
    model.tokenizer = future.get();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    model.no_tokenizer_reason = error.message();
    return;
  }
  if (model.tokenizer->vocab_size() > model.config.vocab_size) {
    bad_input("{}: tokenizer: expected at most {} tokens (rows of the embedding), got {}",
              printable(model.checkpoint.path.string(), 200), model.config.vocab_size,
              model.tokenizer->vocab_size());
  }
}

}  // namespace

const float* InputRotation::signs_of(int64_t width) const {
  for (const Signs& row : signs)
    if (row.width == width) return row.values.data();
  return nullptr;
}

std::vector<const backend::Linear*> Model::linears() const {
  std::vector<const backend::Linear*> result;
  const auto note = [&](std::initializer_list<const backend::Linear*> linears) {
    for (const backend::Linear* linear : linears)
      if (linear != nullptr) result.push_back(linear);
  };
  for (const Layer& layer : layers) {
    note({layer.query.get(), layer.key.get(), layer.value.get(), layer.output.get()});
    note({layer.router.get(), layer.gate.get(), layer.up.get(), layer.down.get()});
    for (const Expert& expert : layer.experts)
      note({expert.gate.get(), expert.up.get(), expert.down.get()});
  }
  note({head.get()});
  return result;
}

int64_t Model::resident_weight_bytes() const {
  int64_t bytes = copied_weight_bytes;
  for (const backend::Linear* linear : linears()) bytes += linear->resident_bytes;
  return bytes;
}

std::unique_ptr<Model> Model::load(format::Checkpoint checkpoint, backend::Backend& backend,
                                   const LoadOptions& options) {
  const ArchSpec& arch = find_architecture(checkpoint);
  Config config = read_config(checkpoint, arch);
  const int64_t context = planned_context(config, options.plan.context);
  require_memory(plan_memory(config, checkpoint, options.plan), memory::available_bytes(),
                 config.file);
  std::string no_tokenizer_reason;
  FutureTokenizer tokenizer =
      build_tokenizer(read_vocab(checkpoint, config.vocab_size, no_tokenizer_reason));
  auto model =
      bind(std::move(checkpoint), arch, std::move(config), backend, context, options.layer_bound);
  model->no_tokenizer_reason = std::move(no_tokenizer_reason);
  take_tokenizer(std::move(tokenizer), *model);
  // What loading has read here and there; the weights that stay in the file come back as they are
  // used.
  for (const FileMap& map : model->checkpoint.maps) FileMap::release(map.bytes());
  if (model->checkpoint.generation_config != nullptr)
    model->generation = generation_from_hf(model->checkpoint.generation_config->root());
  else
    model->generation = generation_from_gguf(model->checkpoint.metadata);
  return model;
}

}  // namespace bittern::model
