// A Hugging Face model folder: JSON files beside SafeTensors files.
//
//   config.json (required)   generation_config.json, tokenizer.json, tokenizer_config.json
//   model.safetensors, or model.safetensors.index.json and its shards
//
// Where both forms of weights are present the single file is taken, as transformers does.
#pragma once

#include <filesystem>

#include "format/checkpoint.h"

namespace bittern::format::hf {

inline constexpr std::string_view kWeightsFile = "model.safetensors";
inline constexpr std::string_view kIndexFile = "model.safetensors.index.json";

// The folder at `path`, which must hold config.json. Throws bad_input.
Checkpoint open_folder(const std::filesystem::path& path);

// The shards of one index file, with the JSON files beside it.
Checkpoint open_index(const std::filesystem::path& path);

// A lone .safetensors file, with the JSON files beside it where there are any.
Checkpoint open_file(const std::filesystem::path& path);

}  // namespace bittern::format::hf
