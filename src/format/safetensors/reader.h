// SafeTensors files as tensors of a checkpoint: one file, or the shards of an index.
#pragma once

#include <filesystem>

#include "format/checkpoint.h"

namespace bittern::format::safetensors {

// Appends the tensors of one file to `checkpoint`, and its map. The caller indexes.
void add_file(Checkpoint& checkpoint, const std::filesystem::path& path);

// The same for every tensor that the index at `path` names.
void add_shards(Checkpoint& checkpoint, const std::filesystem::path& path);

// One whole file in memory; the checkpoint views `file`, which must outlive it.
Checkpoint read(Bytes file, std::string file_name);

}  // namespace bittern::format::safetensors
