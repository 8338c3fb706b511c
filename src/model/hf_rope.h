// The rotary parameters of config.json in all their spellings.
#pragma once

#include "model/config.h"
#include "model/hf_fields.h"

namespace bittern::model {

// Fills config.rope, whose theta and partial are the family's defaults where the file is silent,
// and config.window_rope where the file nests parameters by layer type.
void read_rope(const HfFields& top, Config& config);

}  // namespace bittern::model
