// The architecture table: one row per family, plain data. A new family is a row, its golden test,
// and, where it has a trait nobody had before, a field here and its use in forward.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/backend.h"

namespace bittern::model {

// How the modules of a family are called; {} is the layer number. A module's tensors are its name
// plus ".weight", ".bias", ... Empty: the family has none.
struct TensorNames {
  std::string_view embedding, output_norm, head;
  std::string_view attention_norm, query, key, value, output;
  std::string_view query_norm, key_norm, attention_sub_norm;
  std::string_view ffn_norm, gate, up, down, ffn_sub_norm;
};

struct ArchSpec {
  std::string_view name;                         // "llama": also what messages list
  std::span<const std::string_view> hf_classes;  // config.json "architectures"
  std::span<const std::string_view> gguf_names;  // general.architecture
  const TensorNames* hf;
  const TensorNames* gguf;
  backend::Activation activation;  // where the file does not say
  bool activation_from_file;       // hidden_act is honoured
  backend::RopePairing pairing;    // of the Hugging Face weights
  bool gguf_interleaves_heads;     // GGUF rows of q, k permuted half -> interleaved
  bool head_norms;                 // RMSNorm per head on q and k before rope
  bool sub_norms;                  // SubLN before output and down projections
  bool ternary;                    // W1.58A8 whatever the file says
  // Where config.json is silent (the defaults of transformers' configuration class).
  double default_theta;
  double default_norm_eps;
  int64_t default_context;
  int64_t default_head_dim;  // 0: hidden_size / heads
  bool default_tied;         // tie_word_embeddings
};

std::span<const ArchSpec> arch_table();
// Null where no row has it.
const ArchSpec* find_by_hf_class(std::string_view name);
const ArchSpec* find_by_gguf_name(std::string_view name);

// What the table reads, for messages: "llama (LlamaForCausalLM; gguf llama), ...".
std::string supported_architectures();

}  // namespace bittern::model
