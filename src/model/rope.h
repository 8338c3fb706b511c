// Rotary tables: the angles of every planned position, any scaling applied, decided once at load
// (docs/decisions/0003-length-dependent-rope.md).
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "model/config.h"

namespace bittern::model {

// The rotated part of a head: int(head_dim * partial), even.
int64_t rope_dim(const Config& config, const RopeConfig& rope);

// Radians per position of each rotated pair [dim / 2], as transformers computes them (f32).
// `context` is the planned number of positions; only dynamic and longrope look at it.
std::vector<float> rope_frequencies(const Config& config, const RopeConfig& rope, int64_t context);

// What cos and sin are multiplied by (yarn, longrope; else 1).
double rope_magnitude(const RopeConfig& rope);

backend::RopeTable make_rope_table(const Config& config, const RopeConfig& rope,
                                   backend::RopePairing pairing, int64_t context);
// Of all tables of the model.
int64_t rope_table_bytes(const Config& config, int64_t context);

}  // namespace bittern::model
