// GGUF files as checkpoints: header, dialect, splits, and the checks that decide whether Bittern
// may read the weights at all.
#pragma once

#include <filesystem>

#include "format/checkpoint.h"

namespace bittern::format::gguf {

// Opens a file or, given any part of a split set, the whole set (key-values from the first
// part). Tensors of a type without a codec become Checkpoint::opaque. Throws bad_input, and
// Error{unsupported} for prism.* keys that are not understood (rotation.h).
Checkpoint open(const std::filesystem::path& path, const OpenOptions& options = {});

// The same for one whole file in memory; the checkpoint views `file`, which must outlive it.
Checkpoint read(Bytes file, std::string file_name, const OpenOptions& options = {});

}  // namespace bittern::format::gguf
