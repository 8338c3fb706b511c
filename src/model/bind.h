// From a checkpoint's tensors to a Model: names by the architecture's table, shapes held against
// the configuration, packed Hugging Face linears given their codec and scale.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "format/checkpoint.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/model.h"

namespace bittern::model {

// The row of the table for a checkpoint. Throws Error{unsupported} naming what the file says and
// listing the table.
const ArchSpec& find_architecture(const format::Checkpoint& checkpoint);

// config.json or GGUF metadata, whichever the checkpoint has.
Config read_config(const format::Checkpoint& checkpoint, const ArchSpec& arch);

// Binds and packs all weights and builds the rotary table for `context` positions; no tokenizer,
// no generation defaults. `arch` must outlive the model.
std::unique_ptr<Model> bind(format::Checkpoint checkpoint, const ArchSpec& arch, Config config,
                            backend::Backend& backend, int64_t context,
                            const LayerBound& layer_bound = {});

// The name of a module of a layer: "blk.{}.attn_q" -> "blk.3.attn_q".
std::string module_name(std::string_view pattern, int64_t layer);

}  // namespace bittern::model
