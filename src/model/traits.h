// What the families say in fields of their own: one reader for each spelling of the same traits,
// named in the rows of the architecture table (ArchSpec::read_hf, read_gguf).
#pragma once

#include "model/config.h"
#include "model/gguf_keys.h"
#include "model/hf_fields.h"

namespace bittern::model {

// config.json, after the common fields.
namespace hf {
void read_llama(const HfFields& fields, Config& config);
void read_qwen2(const HfFields& fields, Config& config);
void read_qwen3(const HfFields& fields, Config& config);
void read_qwen3_moe(const HfFields& fields, Config& config);
void read_mistral(const HfFields& fields, Config& config);
void read_mixtral(const HfFields& fields, Config& config);
void read_gemma(const HfFields& fields, Config& config);
void read_gemma2(const HfFields& fields, Config& config);
void read_gemma3(const HfFields& fields, Config& config);
void read_phi3(const HfFields& fields, Config& config);
void read_phi(const HfFields& fields, Config& config);
void read_cohere(const HfFields& fields, Config& config);
void read_granite(const HfFields& fields, Config& config);
void read_smollm3(const HfFields& fields, Config& config);
void read_stablelm(const HfFields& fields, Config& config);
void read_starcoder2(const HfFields& fields, Config& config);
void read_gpt2(const HfFields& fields, Config& config);
void read_gpt_neox(const HfFields& fields, Config& config);
void read_falcon(const HfFields& fields, Config& config);
void read_bert(const HfFields& fields, Config& config);
}  // namespace hf

// GGUF metadata, after the common keys. Biases are what the tensors say.
namespace gguf {
void read_llama(const GgufKeys& keys, Config& config);
void read_qwen3_moe(const GgufKeys& keys, Config& config);
void read_gemma(const GgufKeys& keys, Config& config);
void read_gemma2(const GgufKeys& keys, Config& config);
void read_gemma3(const GgufKeys& keys, Config& config);
void read_phi3(const GgufKeys& keys, Config& config);
void read_phi(const GgufKeys& keys, Config& config);
void read_cohere(const GgufKeys& keys, Config& config);
void read_granite(const GgufKeys& keys, Config& config);
void read_smollm3(const GgufKeys& keys, Config& config);
void read_stablelm(const GgufKeys& keys, Config& config);
void read_gpt_neox(const GgufKeys& keys, Config& config);
void read_falcon(const GgufKeys& keys, Config& config);
void read_bert(const GgufKeys& keys, Config& config);
}  // namespace gguf

}  // namespace bittern::model
