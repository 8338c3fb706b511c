// The buffers of a step: private to the forward.
#pragma once

#include <cstddef>
#include <vector>

#include "backend/backend.h"
#include "base/region.h"
#include "model/adapter.h"
#include "model/forward.h"

namespace bittern::model {

// Rows of a step that add the same as the adapter at place `slot` of their sets: `count` from
// `first` of Buffers::group_rows.
struct AdapterGroup {
  const AdapterSet::Entry *entry = nullptr;
  size_t slot = 0, first = 0, count = 0;
};

// One arena in huge pages, every buffer 64-byte aligned; R = max_rows, H = hidden_size, A and K the
// widths of queries and keys, F the wider of a layer's ffn and an expert's, E experts, C chosen of
// them (all rows of f32 but where said):
//   hidden [R,H]  projected [R,H]  input [R,H]+codes
//   with rotated inputs: rotated [R, widest input]+codes
// then, over one another, as a layer needs them one after another:
//   attention: query [R,A]  key [R,K]  value [R,K]  attended [R,A]+codes
//   ffn: gate [R,F]  up [R,F]  activated (in gate)+codes
//   ffn with experts, too: shares [R,C]  chosen [R,C] int32  gathered [R,H]+codes  expert_out [R,H]
//   (the router's logits [R,E] stand in gate, which is free then and at least R * E large)
// and behind all of them, never touched by steps without adapters: inner [R, 3 * kLowRankMax]
struct Workspace::Buffers {
  int64_t max_rows = 0;
  float *hidden = nullptr, *projected = nullptr;
  float *query = nullptr, *key = nullptr, *value = nullptr;
  float *gate = nullptr, *up = nullptr;
  backend::Activations input, attended, activated;
  float *shares = nullptr, *expert_out = nullptr;
  int32_t *chosen = nullptr;
  backend::Activations gathered, rotated;
  float *inner = nullptr;  // A x of three layers
  std::vector<backend::RowPlace> places;
  std::vector<int32_t> tokens, positions;
  std::vector<int32_t> expert_rows;  // of the step, that go to the expert at hand
  std::vector<float> expert_shares;  // theirs
  std::vector<AdapterGroup> groups;  // none: no row has an adapter
  std::vector<int32_t> group_rows;
  std::vector<backend::LowRankCall> adapter_calls;
  Region block;

  // Lays the buffers out over `start` (null: only counts); returns the bytes they take.
  int64_t lay_out(const Config &config, int64_t rows, std::byte *start);
};

}  // namespace bittern::model
