// The sums behind `show` and the check before load. What a backend repacks is bounded from above:
// ternary linears at 2 bits a weight in 16 x 64 tiles, those of block formats by the backend's own
// count; other weights are read where they lie.
#include "model/plan.h"

#include <algorithm>

#include "base/checked_math.h"
#include "base/error.h"
#include "base/progress.h"
#include "model/forward.h"
#include "model/limits.h"
#include "model/rope.h"
#include "model/sequence.h"
#include "model/tensor_names.h"

namespace bittern::model {
namespace {

constexpr int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Four 2-bit codes a byte, plus a row's scale and bookkeeping.
int64_t ternary_bytes(int64_t out, int64_t in) {
  return round_up(out, 16) * (round_up(in, 64) / 4 + static_cast<int64_t>(sizeof(float)));
}

int64_t float_bytes(int64_t out, int64_t in) {
  return out * in * static_cast<int64_t>(sizeof(float));
}

// All linears of the layers, each taking `bytes_of` [out, in].
int64_t linear_bytes(const Config& config, int64_t (*bytes_of)(int64_t out, int64_t in)) {
  const int64_t hidden = config.hidden_size;
  const auto ffn_bytes = [&](int64_t ffn_size) {
    return (config.gated ? 2 : 1) * bytes_of(ffn_size, hidden) + bytes_of(hidden, ffn_size);
  };
  int64_t bytes = 0;
  for (const LayerConfig& layer : config.layers) {
    bytes += bytes_of(config.query_width() + 2 * config.key_width(), hidden);
    bytes += bytes_of(hidden, config.query_width());
    bytes += layer.experts ? config.experts.count * ffn_bytes(config.experts.ffn_size)
                           : ffn_bytes(config.ffn_size);
  }
  return bytes;
}

// Linears that the backend repacks in their own format. A table that is looked up by rows stays in
// the file, but a tied head is a linear of its own, unless it is bf16: heads of bf16 stay, too. Of
// block formats, which only GGUF files have, a head is known by name.
int64_t repacked_bytes(const Config& config, const format::Checkpoint& checkpoint) {
  constexpr std::string_view kSuffix = ".weight";
  int64_t bytes = 0;
  for (const TensorView& tensor : checkpoint.tensors) {
    if (tensor.shape.size() < 2 || !tensor.name.ends_with(kSuffix)) continue;
    const std::string_view module =
        std::string_view(tensor.name).substr(0, tensor.name.size() - kSuffix.size());
    if (tensor.codec == codec::Id::bf16 && tensor.rows() == config.vocab_size) continue;
    const bool head = config.has_head && config.tied_embedding;
    if (module == names::kGguf.embedding && !head) continue;
    if (module == names::kGguf.position_embedding || module == names::kGgufBert.token_types)
      continue;
    if (module != names::kGguf.embedding && config.is_ternary(module)) continue;
    bytes += backend::packed_bytes(tensor);
  }
  return bytes;
}

// Or the embedding that is one, too.
bool is_head(const Config& config, const TensorView& tensor) {
  if (!config.has_head || tensor.shape.size() != 2 || tensor.rows() != config.vocab_size)
    return false;
  const std::string_view name = tensor.name;
  return config.tied_embedding || name == "output.weight" || name.ends_with("lm_head.weight") ||
         name.ends_with("embed_out.weight");
}

double gibibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

}  // namespace

int64_t MemoryPlan::needed() const {
  return packed_bytes + head_bytes + rope_bytes + kv_bytes + workspace_bytes + attention_bytes +
         logits_bytes;
}

int64_t planned_context(const Config& config, int64_t requested) {
  if (requested <= 0) return config.max_context;
  // Dynamic scaling exists to go beyond the trained length.
  const int64_t most =
      config.rope.scaling == RopeScaling::dynamic ? kContextMax : config.max_context;
  if (requested > most) {
    fail(ErrorKind::usage, "{}: context: expected at most {} (the model's), got {}", config.file,
         most, requested);
  }
  return requested;
}

MemoryPlan plan_memory(const Config& config, const format::Checkpoint& checkpoint,
                       const PlanOptions& options) {
  MemoryPlan plan;
  bool ternary = config.ternary;
  for (const TensorView& tensor : checkpoint.tensors) {
    plan.file_bytes += static_cast<int64_t>(tensor.bytes.size());
    ternary = ternary || codec::is_i2_s(tensor.codec);  // as bind decides
  }
  const int64_t key_width = config.key_width();
  if (ternary) plan.packed_bytes = linear_bytes(config, ternary_bytes);
  if (!options.float_activations) plan.packed_bytes += repacked_bytes(config, checkpoint);
  if (config.transposed_linears) plan.packed_bytes = linear_bytes(config, float_bytes);
  for (const TensorView& tensor : checkpoint.tensors) {
    if (options.coarse_head && is_head(config, tensor))
      plan.head_bytes = std::max(plan.head_bytes, backend::coarse_head_bytes(tensor));
  }
  const int64_t context = planned_context(config, options.context);
  const int64_t positions = std::max(context, options.positions);
  // The numbers may come from a hostile file whose tensors have not been looked at yet.
  const int64_t kv_dimensions[] = {2 * int64_t{sizeof(float)}, config.layer_count, key_width,
                                   round_up(positions, 1024)};
  if (!checked_product(kv_dimensions)) {
    fail(ErrorKind::resources,
         "{}: memory: keys and values of {} positions need more than 2^63 bytes",
         printable(config.file), positions);
  }
  plan.rope_bytes = rope_table_bytes(config, context);
  const backend::KvShape kv = {.layer_count = config.layer_count,
                               .kv_head_count = config.kv_head_count,
                               .head_dim = config.head_dim,
                               .type = options.kv_type,
                               .page_count = PagePool::pages_for(positions)};
  plan.kv_bytes = backend::kv_bytes(kv);
  plan.attention_bytes = backend::attention_bytes(kv, options.threads);
  plan.workspace_bytes = Workspace::bytes(config, options.max_rows);
  plan.logits_bytes = options.logit_rows * config.vocab_size * static_cast<int64_t>(sizeof(float));
  return plan;
}

std::vector<std::string> plan_lines(const MemoryPlan& plan) {
  const auto line = [](std::string_view part, int64_t bytes) {
    return fmt::format("{:<24}{:>12}", part, format_bytes(static_cast<double>(bytes)));
  };
  std::vector<std::string> lines = {line("weights, mapped", plan.file_bytes),
                                    line("weights, repacked", plan.packed_bytes)};
  if (plan.head_bytes > 0) lines.push_back(line("coarse output layer", plan.head_bytes));
  for (const auto& [part, bytes] :
       {std::pair{"keys and values", plan.kv_bytes}, std::pair{"rotary table", plan.rope_bytes},
        std::pair{"step buffers", plan.workspace_bytes},
        std::pair{"attention", plan.attention_bytes}, std::pair{"logits", plan.logits_bytes},
        std::pair{"needed beside the map", plan.needed()}})
    lines.push_back(line(part, bytes));
  return lines;
}

void require_memory(const MemoryPlan& plan, int64_t available_bytes, const std::string& file) {
  if (plan.needed() <= available_bytes) return;
  fail(
      ErrorKind::resources,
      "{}: memory: needs {:.2f} GiB ({:.2f} packed weights, {:.2f} keys and values, {:.2f} other), "
      "{:.2f} GiB are available; a smaller context or another KV type needs less",
      printable(file), gibibytes(plan.needed()), gibibytes(plan.packed_bytes),
      gibibytes(plan.kv_bytes), gibibytes(plan.needed() - plan.packed_bytes - plan.kv_bytes),
      gibibytes(available_bytes));
}

}  // namespace bittern::model
