// The example model in every container it can live in: GGUF TQ1_0 (as shipped), TQ2_0 and I2_S,
// a Hugging Face folder with packed uint8 linears and f32 for the rest, and the lone SafeTensors
// file in it. One set of numbers, so every logit is the same, bit for bit, and so are the tokens.
// The forms are written here by Bittern's own writers; tests/oracles reads such files with the
// packages of others.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "base/log.h"
#include "codec/ternary.h"
#include "engine/sequence_runner.h"
#include "format/gguf/writer.h"
#include "format/safetensors/writer.h"
#include "kernel/select.h"
#include "model/bind.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

constexpr int kTokens = 64;
const std::filesystem::path kExample =
    std::filesystem::path(BITTERN_SOURCE) / "models" / "bittern-stories.gguf";

// Owns the bytes of re-encoded tensors.
struct Recoded {
  std::vector<TensorView> views;
  std::vector<std::unique_ptr<std::vector<std::byte>>> bytes;

  void add(std::string name, codec::Id id, std::vector<int64_t> shape, Bytes content) {
    bytes.push_back(std::make_unique<std::vector<std::byte>>(content.begin(), content.end()));
    TensorView view;
    view.name = std::move(name);
    view.codec = id;
    view.shape = std::move(shape);
    view.bytes = *bytes.back();
    views.push_back(std::move(view));
  }
};

std::vector<float> values_of(const TensorView& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  decode_rows(tensor, 0, tensor.rows(), values.data());
  return values;
}

std::vector<std::byte> encode(codec::Id id, const std::vector<float>& values,
                              const TensorView& like) {
  const codec::Codec& codec = codec::get(id);
  std::vector<std::byte> bytes(
      static_cast<size_t>(codec.tensor_bytes(like.rows(), like.columns()).value()));
  codec.encode(values.data(), like.rows(), like.columns(), bytes.data());
  return bytes;
}

std::filesystem::path write_gguf(const format::Checkpoint& example, codec::Id body,
                                 const std::filesystem::path& path) {
  Recoded recoded;
  for (const TensorView& tensor : example.tensors) {
    if (tensor.codec == codec::Id::tq1_0) {
      recoded.add(tensor.name, body, tensor.shape, encode(body, values_of(tensor), tensor));
    } else {
      recoded.add(tensor.name, tensor.codec, tensor.shape, tensor.bytes);
    }
  }
  format::gguf::write(path, example.metadata, recoded.views);
  return path;
}

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj"
std::string hf_module(const std::string& name, const model::ArchSpec& arch, int64_t layer_count) {
  const std::string module = name.substr(0, name.rfind('.'));
  const model::TensorNames &from = *arch.gguf, &to = *arch.hf;
  const std::pair<std::string_view, std::string_view> pairs[] = {
      {from.embedding, to.embedding},
      {from.output_norm, to.output_norm},
      {from.attention_norm, to.attention_norm},
      {from.query, to.query},
      {from.key, to.key},
      {from.value, to.value},
      {from.output, to.output},
      {from.attention_sub_norm, to.attention_sub_norm},
      {from.ffn_norm, to.ffn_norm},
      {from.gate, to.gate},
      {from.up, to.up},
      {from.down, to.down},
      {from.ffn_sub_norm, to.ffn_sub_norm}};
  for (const auto& [gguf, hf] : pairs) {
    if (gguf == module) return std::string(hf);
    if (gguf.find("{}") == std::string_view::npos) continue;
    for (int64_t layer = 0; layer < layer_count; ++layer)
      if (model::module_name(gguf, layer) == module) return model::module_name(hf, layer);
  }
  ADD_FAILURE() << "no Hugging Face name for " << name;
  return module;
}

constexpr std::string_view kConfig = R"({
  "architectures": ["BitNetForCausalLM"], "model_type": "bitnet",
  "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 8,
  "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "hidden_act": "relu2",
  "max_position_embeddings": 512, "rms_norm_eps": 1e-05, "tie_word_embeddings": true,
  "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
  "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear",
                          "quantization_mode": "offline"}})";

std::filesystem::path write_hf(const format::Checkpoint& example, const TemporaryFolder& folder) {
  const model::ArchSpec& arch = model::find_architecture(example);
  Recoded recoded;
  for (const TensorView& tensor : example.tensors) {
    const std::string module = hf_module(tensor.name, arch, 8);
    std::vector<float> values = values_of(tensor);
    if (tensor.codec == codec::Id::tq1_0) {
      const float scale = codec::exact_ternary_scale(values).value();
      for (float& value : values) value = value == 0.0f ? 0.0f : std::copysign(1.0f, value);
      recoded.add(module + ".weight", codec::Id::u8, {tensor.rows() / 4, tensor.columns()},
                  encode(codec::Id::hf_ternary, values, tensor));
      recoded.add(module + ".weight_scale", codec::Id::f32, {1},
                  std::as_bytes(std::span(&scale, 1)));
    } else {
      recoded.add(module + ".weight", codec::Id::f32, tensor.shape,
                  std::as_bytes(std::span(values)));
    }
  }
  folder.write("config.json", kConfig);
  format::safetensors::write(folder.path() / "model.safetensors", {{"format", "pt"}},
                             recoded.views);
  return folder.path();
}

struct Outcome {
  std::vector<int32_t> tokens;
  std::vector<float> logits;  // of every step
};

Outcome run(const std::filesystem::path& path, bool float_activations = false) {
  ThreadPool pool(2);
  const Log log(Log::Level::quiet);
  const auto backend = backend::make_cpu_backend(pool, kernel::select(log),
                                                 {.float_activations = float_activations});
  const auto model = model::Model::load(format::open_checkpoint(path), *backend);
  engine::SequenceRunner runner(*model, *backend, {.context = 128});
  std::vector<int32_t> next = {0, 384, 500, 260};
  Outcome outcome;
  for (int i = 0; i < kTokens; ++i) {
    const float* logits = runner.step(next, 1);
    outcome.logits.insert(outcome.logits.end(), logits, logits + model->config.vocab_size);
    const auto best = std::max_element(logits, logits + model->config.vocab_size) - logits;
    next = {static_cast<int32_t>(best)};
    outcome.tokens.push_back(next[0]);
  }
  return outcome;
}

void expect_same(const Outcome& expected, const Outcome& got) {
  EXPECT_EQ(expected.tokens, got.tokens);
  ASSERT_EQ(expected.logits.size(), got.logits.size());
  EXPECT_EQ(
      0, std::memcmp(expected.logits.data(), got.logits.data(), got.logits.size() * sizeof(float)));
}

TEST(ExampleForms, EveryContainerGivesTheSameBits) {
  const format::Checkpoint example = format::open_checkpoint(kExample);
  const Outcome expected = run(kExample);
  const TemporaryFolder folder;
  for (const codec::Id body : {codec::Id::tq2_0, codec::Id::i2_s}) {
    const std::string name(codec::get(body).name);
    SCOPED_TRACE(name);
    expect_same(expected, run(write_gguf(example, body, folder.path() / (name + ".gguf"))));
  }
  // The head is Q8_0 there and f32 here: the same numbers, of which only one meets int8
  // activations.
  const TemporaryFolder hf;
  SCOPED_TRACE("Hugging Face folder, SafeTensors file");
  const Outcome exact = run(write_hf(example, hf));
  expect_same(run(kExample, true), exact);
  expect_same(run(hf.path() / "model.safetensors"), exact);
  constexpr size_t kVocab = 4096;
  const auto [least, most] = std::minmax_element(exact.logits.begin(), exact.logits.end());
  for (size_t i = 0; i < kVocab; ++i)  // later steps may have gone another way
    ASSERT_NEAR(expected.logits[i], exact.logits[i], 5e-3 * (*most - *least));
}

// The comparison above can fail: one flipped code is seen.
TEST(ExampleForms, OneChangedWeightIsNoticed) {
  format::Checkpoint example = format::open_checkpoint(kExample);
  const Outcome expected = run(kExample);
  const TemporaryFolder folder;
  for (TensorView& tensor : example.tensors) {
    if (tensor.name != "blk.0.ffn_down.weight") continue;
    std::vector<std::byte> bytes(tensor.bytes.begin(), tensor.bytes.end());
    bytes[0] = bytes[0] == std::byte{0} ? std::byte{255} : std::byte{0};
    example.buffers.push_back(std::move(bytes));
    tensor.bytes = example.buffers.back();
  }
  format::gguf::write(folder.path() / "changed.gguf", example.metadata, example.tensors);
  const Outcome changed = run(folder.path() / "changed.gguf");
  EXPECT_NE(0, std::memcmp(expected.logits.data(), changed.logits.data(),
                           changed.logits.size() * sizeof(float)));
}

}  // namespace
}  // namespace bittern::test
