// Bounds on a model's numbers: an order of magnitude above every published decoder, low enough
// that products of any three fit in int64_t. Real sizes are then checked against the tensors.
#pragma once

#include <cstdint>

namespace bittern::model {

inline constexpr int64_t kHiddenMax = int64_t{1} << 20;
inline constexpr int64_t kFfnMax = int64_t{1} << 22;
inline constexpr int64_t kLayersMax = 1024;
inline constexpr int64_t kHeadsMax = int64_t{1} << 14;
inline constexpr int64_t kHeadDimMax = int64_t{1} << 13;
inline constexpr int64_t kVocabMax = int64_t{1} << 24;
inline constexpr int64_t kContextMax = int64_t{1} << 30;
inline constexpr int64_t kExpertsMax = 1024;
inline constexpr double kThetaMax = 1e15;
inline constexpr double kFactorMax = 1e6;  // of rotary scaling and of the multipliers

}  // namespace bittern::model
