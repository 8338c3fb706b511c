// A LoRA adapter as it lies in its files: for some linear layers of a model y = W x two small
// matrices, with which the layer becomes y = W x + scale * B (A x). Two containers:
//
//   PEFT   a folder with adapter_config.json and adapter_model.safetensors, or the latter;
//          base_model.model.MODULE.lora_A.weight [rank, in], .lora_B.weight [out, rank]
//   GGUF   general.type "adapter", adapter.type "lora", adapter.lora.alpha;
//          TENSOR.lora_a, TENSOR.lora_b of the same shapes, named as in GGUF files of the model
//
// What is in the files and is no such pair is an error that names it. Whether the pairs fit a model
// is decided where they are bound (model/adapter.h). Sources: peft 0.21; llama.cpp's
// convert_lora_to_gguf.py and llama-adapter.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "codec/tensor_view.h"
#include "format/checkpoint.h"

namespace bittern::format {

struct AdapterPair {
  std::string module;  // as the file has it: "model.layers.0.mlp.up_proj", "blk.0.ffn_up"
  const TensorView* a = nullptr;  // [rank, in], of the checkpoint
  const TensorView* b = nullptr;  // [out, rank]
  double scale = 1.0;             // alpha / rank, or as the config says

  int64_t rank() const { return a->rows(); }
};

struct AdapterFile {
  Checkpoint checkpoint;
  std::string base_model;          // what it was trained on, as the file says it; may be empty
  std::string architecture;        // of GGUF files: general.architecture
  std::string identity;            // SHA-256 of all its bytes
  std::vector<AdapterPair> pairs;  // at least one, in the file's order of A
  std::vector<std::string> unknown_keys;  // PeftConfig::unknown_keys
};

// Throws Error{bad_input} where that is not an adapter or not whole, Error{unsupported} where it is
// one of another kind.
AdapterFile open_adapter(const std::filesystem::path& path);

// The same of a GGUF file that is open.
AdapterFile adapter_of(Checkpoint checkpoint);

}  // namespace bittern::format
