// The rotation contract of PrismML's files, from GGUF keys to format::Rotation:
//
//   prism.hadamard.version               u32, 1
//   prism.hadamard.block_size            u32, a power of two
//   prism.hadamard.transform             "normalized-sylvester-walsh-hadamard"
//   prism.hadamard.axis                  "input-last-dimension"
//   prism.hadamard.sign_mode             "identity", or "explicit" with the next two
//   prism.hadamard.sign_widths           u32[]
//   prism.hadamard.sign_values           i32[], +-1, as many as the widths add up to
//   prism.hadamard.weight_names          string[]
//   prism.hadamard.inverse_weight_names  string[], may be absent
//   prism.hadamard.gdn_v_grouped         bool, may be absent
//
// Such keys change what the stored numbers mean, so a prism.* key that is not in this list, or not
// as it says, is a reason to stop.
#pragma once

#include <optional>

#include "format/checkpoint.h"

namespace bittern::format::gguf {

// Nothing where the metadata has no such key. Throws Error{unsupported} for what is not
// understood, bad_input for what contradicts itself or the tensors (which must be indexed).
std::optional<Rotation> read_rotation(const Checkpoint& checkpoint);

// For the later parts of a split set: throws if there is any prism.* key.
void refuse_prism_keys(const Metadata& metadata);

}  // namespace bittern::format::gguf
