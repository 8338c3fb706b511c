#include "bench/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <span>

#include "base/error.h"
#include "base/memory.h"
#include "bench/random_weights.h"
#include "format/gguf/writer.h"

namespace bittern::bench {
namespace {

using codec::Id;

// Formats of the parts of a model. Source of mixes and of the head's default: llama-quantize
// (llama-quant.cpp, llama_tensor_get_type).
struct Mix {
  std::string_view name;
  Id body;
  Id more;  // value and down projections of the layers that matter more
};
constexpr Mix kMixes[] = {{"q4_k_m", Id::q4_k, Id::q6_k}, {"q5_k_m", Id::q5_k, Id::q6_k}};

// What llama-quantize takes where a row is no whole number of blocks of 256.
struct Fallback {
  Id wanted, taken;
};
constexpr Fallback kFallbacks[] = {
    {Id::q4_k, Id::q5_0},      {Id::q5_k, Id::q5_1},    {Id::q6_k, Id::q8_0},
    {Id::q2_k, Id::iq4_nl},    {Id::q3_k, Id::iq4_nl},  {Id::iq4_xs, Id::iq4_nl},
    {Id::iq3_xxs, Id::iq4_nl}, {Id::iq3_s, Id::iq4_nl}, {Id::iq2_xxs, Id::iq4_nl},
    {Id::iq2_xs, Id::iq4_nl},  {Id::iq2_s, Id::iq4_nl}, {Id::iq1_s, Id::iq4_nl},
    {Id::iq1_m, Id::iq4_nl},   {Id::tq1_0, Id::q4_0},   {Id::tq2_0, Id::q4_0},
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

Id codec_named(std::string_view name, std::string_view flag) {
  const codec::Codec* codec = codec::find(name);
  if (codec != nullptr && can_fill_random(codec->id)) return codec->id;
  std::string known;
  for (const codec::Codec& row : codec::table())
    if (can_fill_random(row.id)) known += lower(row.name) + ", ";
  for (const Mix& mix : kMixes) known += fmt::format("{}, ", mix.name);
  known.resize(known.size() - 2);
  fail(ErrorKind::usage, "{}: expected one of {}, got {}", flag, known, printable(name));
}

Mix mix_named(const std::string& name) {
  for (const Mix& mix : kMixes)
    if (mix.name == lower(name)) return mix;
  const Id id = codec_named(name, "--codec");
  return {"", id, id};
}

// Floats and Q8_0 keep their format in the head; all others take Q6_K.
Id default_head(Id body) {
  const bool kept = body == Id::f32 || body == Id::f16 || body == Id::bf16 || body == Id::q8_0;
  return kept ? body : Id::q6_k;
}

Id fitting(Id wanted, int64_t rows, int64_t columns) {
  if (codec::get(wanted).tensor_bytes(rows, columns)) return wanted;
  for (const Fallback& row : kFallbacks)
    if (row.wanted == wanted) return fitting(row.taken, rows, columns);
  fail(ErrorKind::usage, "--codec: {} cannot store {} x {}", codec::get(wanted).name, rows,
       columns);
}

bool matters_more(int64_t layer, int64_t layer_count) {
  return layer < layer_count / 8 || layer >= 7 * layer_count / 8 ||
         (layer - layer_count / 8) % 3 == 2;
}

class Planner {
 public:
  Planner(const ModelShape& shape, const Mix& mix, Id head) : shape_(shape), mix_(mix) {
    // An embedding of its own is no more than a table to look up in.
    matrix("token_embd.weight", shape.tied ? head : mix.body, shape.vocab_size, shape.hidden_size);
    vector("output_norm.weight", shape.hidden_size);
    if (!shape.tied) matrix("output.weight", head, shape.vocab_size, shape.hidden_size);
    for (int64_t index = 0; index < shape.layer_count; ++index) layer(index);
  }
  SyntheticPlan take() { return std::move(plan_); }

 private:
  void layer(int64_t index) {
    const std::string prefix = fmt::format("blk.{}.", index);
    const int64_t hidden = shape_.hidden_size;
    const int64_t query = shape_.head_count * shape_.head_dim;
    const int64_t key = shape_.kv_head_count * shape_.head_dim;
    const Id more = matters_more(index, shape_.layer_count) ? mix_.more : mix_.body;
    vector(prefix + "attn_norm.weight", hidden);
    matrix(prefix + "attn_q.weight", mix_.body, query, hidden);
    matrix(prefix + "attn_k.weight", mix_.body, key, hidden);
    matrix(prefix + "attn_v.weight", more, key, hidden);
    matrix(prefix + "attn_output.weight", mix_.body, hidden, query);
    if (shape_.head_norm) {
      vector(prefix + "attn_q_norm.weight", shape_.head_dim);
      vector(prefix + "attn_k_norm.weight", shape_.head_dim);
    }
    if (shape_.ternary) {
      vector(prefix + "attn_sub_norm.weight", query);
      vector(prefix + "ffn_sub_norm.weight", shape_.ffn_size);
    }
    vector(prefix + "ffn_norm.weight", hidden);
    matrix(prefix + "ffn_gate.weight", mix_.body, shape_.ffn_size, hidden);
    matrix(prefix + "ffn_up.weight", mix_.body, shape_.ffn_size, hidden);
    matrix(prefix + "ffn_down.weight", more, hidden, shape_.ffn_size);
  }

  // Outputs as large as inputs.
  void matrix(std::string name, Id wanted, int64_t rows, int64_t columns) {
    add({.name = std::move(name),
         .codec = fitting(wanted, rows, columns),
         .shape = {rows, columns},
         .deviation = 1.0 / std::sqrt(static_cast<double>(columns))});
  }
  void vector(std::string name, int64_t size) {
    add({.name = std::move(name),
         .codec = Id::f32,
         .shape = {size},
         .mean = 1.0,
         .deviation = 0.05});
  }
  void add(PlannedTensor tensor) {
    const int64_t rows = tensor.shape.size() == 2 ? tensor.shape[0] : 1;
    plan_.bytes += codec::get(tensor.codec).tensor_bytes(rows, tensor.shape.back()).value();
    plan_.tensors.push_back(std::move(tensor));
  }

  const ModelShape& shape_;
  Mix mix_;
  SyntheticPlan plan_;
};

format::Metadata metadata_of(const ModelShape& shape, const SyntheticPlan& plan) {
  using format::value_of;
  format::Metadata metadata;
  metadata.file_name = fmt::format("--shape {}", shape.name);
  const std::string arch(shape.architecture);
  const auto count = [&](const char* key, int64_t value) {
    metadata.set(arch + key, value_of(static_cast<uint32_t>(value)));
  };
  metadata.set("general.architecture", value_of(arch));
  metadata.set("general.name", value_of(fmt::format("random weights in the shape of {} ({})",
                                                    shape.model, plan.codec)));
  count(".context_length", shape.context);
  count(".embedding_length", shape.hidden_size);
  count(".block_count", shape.layer_count);
  count(".feed_forward_length", shape.ffn_size);
  count(".attention.head_count", shape.head_count);
  count(".attention.head_count_kv", shape.kv_head_count);
  count(".attention.key_length", shape.head_dim);
  count(".attention.value_length", shape.head_dim);
  count(".rope.dimension_count", shape.head_dim);
  count(".vocab_size", shape.vocab_size);
  metadata.set(arch + ".rope.freq_base", value_of(static_cast<float>(shape.rope_theta)));
  metadata.set(arch + ".attention.layer_norm_rms_epsilon",
               value_of(static_cast<float>(shape.norm_eps)));
  return metadata;
}

void fill(const PlannedTensor& tensor, uint64_t seed, uint64_t stream, ThreadPool& pool,
          std::span<std::byte> out) {
  const int64_t rows = tensor.shape.size() == 2 ? tensor.shape[0] : 1;
  fill_random({.codec = tensor.codec,
               .rows = rows,
               .columns = tensor.shape.back(),
               .deviation = tensor.deviation,
               .seed = seed,
               .stream = stream},
              pool, out);
  if (tensor.mean == 0.0) return;
  auto* values = reinterpret_cast<float*>(out.data());
  for (int64_t i = 0; i < tensor.shape.back(); ++i) values[i] += static_cast<float>(tensor.mean);
}

}  // namespace

SyntheticPlan plan_synthetic(const ModelShape& shape, const SyntheticOptions& options) {
  const std::string body =
      options.codec.empty() ? (shape.ternary ? "tq2_0" : "q4_0") : lower(options.codec);
  const Mix mix = mix_named(body);
  const Id head = options.head_codec.empty() ? default_head(mix.body)
                                             : codec_named(options.head_codec, "--head-codec");
  SyntheticPlan plan = Planner(shape, mix, head).take();
  plan.codec = body;
  plan.head_codec = lower(codec::get(head).name);
  return plan;
}

format::Checkpoint make_synthetic(const ModelShape& shape, const SyntheticPlan& plan, uint64_t seed,
                                  ThreadPool& pool, const std::function<void(int64_t)>& filled) {
  if (const int64_t available = memory::available_bytes(); plan.bytes > available) {
    fail(ErrorKind::resources, "--shape {}: {} bytes of weights, {} are available", shape.name,
         plan.bytes, available);
  }
  format::Checkpoint checkpoint;
  checkpoint.container = format::Container::gguf;
  checkpoint.path = fmt::format("{}-{}", shape.name, plan.codec);
  checkpoint.dialect = "gguf v3 (mainline), in memory";
  checkpoint.metadata = metadata_of(shape, plan);
  checkpoint.buffers.reserve(plan.tensors.size());
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlannedTensor& tensor = plan.tensors[i];
    const int64_t rows = tensor.shape.size() == 2 ? tensor.shape[0] : 1;
    const int64_t bytes = codec::get(tensor.codec).tensor_bytes(rows, tensor.shape.back()).value();
    auto& buffer = checkpoint.buffers.emplace_back(static_cast<size_t>(bytes));
    fill(tensor, seed, i, pool, buffer);
    TensorView view;
    view.name = tensor.name;
    view.codec = tensor.codec;
    view.shape = tensor.shape;
    view.bytes = buffer;
    checkpoint.tensors.push_back(std::move(view));
    if (filled) filled(bytes);
  }
  checkpoint.index();
  return checkpoint;
}

void write_synthetic(const std::filesystem::path& path, const format::Checkpoint& checkpoint) {
  format::Metadata metadata = checkpoint.metadata;
  // What other readers take as: token ids only.
  metadata.set("tokenizer.ggml.model", format::value_of("none"));
  format::gguf::write(path, metadata, checkpoint.tensors);
}

}  // namespace bittern::bench
