// The router of a mixture of experts: softmax over all experts, then the largest few.
//
// The largest shares belong to the largest logits, so the choice is made among logits; only the
// chosen shares are ever computed. Arithmetic of a row, a function of its logits alone:
//   softmax in chunks of 256 experts, left to right, as attention does it (16-lane sums)
//   share = exp(logit - maximum) * (1 / sum)
//   renormalised: each share divided by the sum of the chosen, largest first

#include <algorithm>
#include <array>
#include <limits>

#include "backend/cpu/device.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

constexpr int64_t kRouteChunk = 256;

// Largest first; of equal logits the lower expert. A NaN is larger than nothing.
void choose(const float* logits, int64_t expert_count, int64_t chosen, int32_t* experts) {
  int64_t kept = 0;
  for (int64_t expert = 0; expert < expert_count; ++expert) {
    int64_t place = kept;
    while (place > 0 && logits[expert] > logits[experts[place - 1]]) --place;
    if (place == chosen) continue;
    kept = std::min(kept + 1, chosen);
    std::copy_backward(experts + place, experts + kept - 1, experts + kept);
    experts[place] = static_cast<int32_t>(expert);
  }
}

}  // namespace

void CpuBackend::route(const RouteShape& shape, const float* logits, int64_t count,
                       int32_t* experts, float* shares) {
  BITTERN_CHECK(
      shape.chosen > 0 && shape.chosen <= shape.expert_count && shape.chosen <= kMaxChosenExperts,
      "{} of {} experts", shape.chosen, shape.expert_count);
  run(count * shape.expert_count * 8, count, [&](int64_t row, int) {
    const float* in = logits + row * shape.expert_count;
    int32_t* chosen = experts + row * shape.chosen;
    float* share = shares + row * shape.chosen;
    choose(in, shape.expert_count, shape.chosen, chosen);

    std::array<float, kRouteChunk> chunk{};
    kernel::SoftmaxChunk state{chunk.data(), 0, -std::numeric_limits<float>::infinity(), 0.0f,
                               0.0f};
    for (int64_t first = 0; first < shape.expert_count; first += kRouteChunk) {
      const int64_t size = std::min(kRouteChunk, shape.expert_count - first);
      chunk.fill(-std::numeric_limits<float>::infinity());
      std::copy_n(in + first, size, chunk.data());
      state.count = (size + 15) / 16 * 16;
      table_.softmax_chunk(state);
    }
    for (int64_t i = 0; i < shape.chosen; ++i) share[i] = in[chosen[i]] - state.maximum;
    table_.exponential(share, shape.chosen, share);
    table_.scale(share, shape.chosen, 1.0f / state.sum);
    if (!shape.renormalise) return;
    float total = 0.0f;
    for (int64_t i = 0; i < shape.chosen; ++i) total = total + share[i];
    for (int64_t i = 0; i < shape.chosen; ++i) share[i] = share[i] / total;
  });
}

}  // namespace bittern::backend
