// The architecture table: one row per family, plain data. A new family is a row, its golden test,
// and, where it has a trait nobody had before, a field of Config and its use in the forward
// (docs/porting.md walks through it).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "model/config.h"

namespace bittern::model {

class HfFields;
class GgufKeys;

// How the query, key and value rows lie in a fused tensor.
enum class FusedLayout : uint8_t {
  concatenated,  // all query heads, all key heads, all value heads
  grouped        // per key/value head: its query heads, its key, its value
};

// How the modules of a family are called in one kind of file; {} is the layer number, a second {}
// the expert or the head. A module's tensors are its name plus ".weight", ".bias", ... Empty: the
// family has none (a layer without `attention_norm` has no norm there). "a|b": the first of which
// the file has. A fused module is looked for first; its parts where it is absent.
struct TensorNames {
  std::string_view prefix = {};  // leads the names below; ArchSpec::hf_prefixes has other spellings
  std::string_view embedding = {}, position_embedding = {}, token_types = {}, embedding_norm = {};
  std::string_view output_norm = {}, head = {};
  std::string_view attention_norm = {}, query = {}, key = {}, value = {}, output = {},
                   attention_post_norm = {};
  std::string_view query_key_value = {};  // fused
  FusedLayout fused_layout = FusedLayout::concatenated;
  std::string_view query_norm = {}, key_norm = {}, attention_sub_norm = {};
  std::string_view ffn_norm = {}, gate = {}, up = {}, down = {}, ffn_post_norm = {},
                   ffn_sub_norm = {};
  std::string_view gate_up = {};  // fused: the rows of gate, then those of up
  std::string_view router = {}, expert_gate = {}, expert_up = {}, expert_down = {};
  // All experts in one tensor [experts, out, in]; these names are of tensors, not of modules.
  std::string_view experts_gate = {}, experts_up = {}, experts_down = {}, experts_gate_up = {};
  bool transposed = false;  // linear weights stand [in, out] (Conv1D)
};

// A few names, as a table row holds them.
class NameList {
 public:
  constexpr NameList() = default;
  constexpr NameList(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) names_[count_++] = name;
  }
  constexpr const std::string_view* begin() const { return names_.data(); }
  constexpr const std::string_view* end() const { return names_.data() + count_; }
  constexpr bool empty() const { return count_ == 0; }

 private:
  std::array<std::string_view, 4> names_ = {};
  size_t count_ = 0;
};

// The names GGUF gives to the modules of any decoder; taps are called by them too.
extern const TensorNames kGgufNames;

struct ArchSpec {
  std::string_view name = {};     // "llama": also what messages list
  NameList hf_classes = {};       // config.json "architectures"
  NameList gguf_names = {};       // general.architecture
  std::string_view gguf_as = {};  // the GGUF name where another row reads it
  const TensorNames* hf = nullptr;
  const TensorNames* gguf = nullptr;
  // Other spellings of hf->prefix: wrapped or bare models.
  NameList hf_prefixes = {};
  // What the family says in fields of its own, read after the common ones. May change any trait.
  void (*read_hf)(const HfFields& fields, Config& config) = nullptr;
  void (*read_gguf)(const GgufKeys& keys, Config& config) = nullptr;

  // Traits, as the reference class has them hard-wired.
  NormKind norm = NormKind::rms;
  bool hf_norm_plus_one = false;  // norms multiply by 1 + weight (GGUF holds the sum)
  Residual residual = Residual::sequential;
  HeadNorm head_norm = HeadNorm::none;
  bool sub_norms = false;  // SubLN before output and down projections
  bool ternary = false;    // W1.58A8 whatever the file says
  bool rotary = true;
  backend::RopePairing pairing = backend::RopePairing::half;  // of the Hugging Face weights
  bool gguf_interleaves_heads = false;  // GGUF rows of q, k permuted half -> interleaved
  bool encoder = false;                 // sees both directions, gives hidden states, no logits
  bool gated = true;                    // act(gate) * up; else act(up)
  backend::Activation activation = backend::Activation::silu;  // where the file does not say
  bool activation_from_file = true;                            // hidden_act is honoured
  bool gelu_is_tanh = false;  // "gelu" in old files of the family means the tanh form

  // Where config.json is silent (the defaults of transformers' configuration class). 0: required.
  double default_theta = 1e4;
  double default_partial = 1.0;  // rotated share of a head
  double default_norm_eps = 1e-6;
  int64_t default_context = 2048;
  int64_t default_head_dim = 0;       // 0: hidden_size / heads
  int64_t default_head_count = 0;     //
  int64_t default_kv_head_count = 0;  // 0: as many as heads
  int64_t default_vocab_size = 0;
  int64_t default_ffn_factor = 0;  // of hidden_size
  bool default_tied = false;       // tie_word_embeddings
};

std::span<const ArchSpec> arch_table();
// Null where no row has it.
const ArchSpec* find_by_hf_class(std::string_view name);
const ArchSpec* find_by_gguf_name(std::string_view name);

// What the table reads, for messages: "llama (LlamaForCausalLM; gguf llama), ...".
std::string supported_architectures();

}  // namespace bittern::model
