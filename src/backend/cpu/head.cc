// The output layer by its coarse plane (kernel/head.h): every logit within a bound, then those rows
// of weights in full that the bound leaves in play, with the kernels and so the bits of linear().
//
//   1  two rows of int8 codes for each row of activations, and how far the bound reaches
//   2  all strips of the plane: coarse logits c (left where the logits go), and for each strip the
//      largest lower and the largest upper bound of its logits
//   3  a threshold that `top` logits surely reach: the top-th largest of the strips' lower bounds;
//      then every row whose upper bound reaches it, and those that are wanted anyway
//   4  these in full, scaled and capped; all others become -infinity
//
// Whole rows, many rows at once and activations that are not finite go to Backend::head.

#include "backend/cpu/head.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "backend/cpu/device.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

constexpr int64_t kStrip = kernel::kBlockStripRows;
constexpr int64_t kStripsOfTask = 4;  // 160 KiB at 2560 columns
constexpr int64_t kRefined = 8;       // rows of weights of a task
constexpr float kLeast = -std::numeric_limits<float>::infinity();
// What summing the norms in double was proven for.
constexpr int64_t kMostColumns = int64_t{1} << 17;
// Weights of smaller layers stay in cache, or are read in no time.
constexpr int64_t kLeastElements = int64_t{1} << 23;

bool has_coarse_form(codec::Id id) {
  return id == codec::Id::f32 || id == codec::Id::f16 || id == codec::Id::bf16;
}

// How far a logit may be from the coarse one with its bias, and a little more for the roundings of
// the sums with it.
float distance(const kernel::HeadNorms& norms, int64_t n, const kernel::HeadReach& reach,
               float coarse, float bias) {
  const float width =
      norms.error[n] * reach.error + norms.weight[n] * reach.weight + reach.absolute;
  return (width + (std::abs(coarse) + std::abs(bias)) * 0x1p-21f) * (1.0f + 0x1p-20f);
}

// A bound such that what lies below it is less than what reaches `threshold` once both are scaled
// and capped: neither may round, or saturate, to a tie.
float before_epilogue(float threshold, float scale, float softcap) {
  if (threshold == kLeast) return kLeast;
  double bound = threshold;
  if (softcap > 0.0f) {
    const double cap = double{softcap} / double{scale};
    const double share = std::tanh(bound / cap);
    const double less = share - std::abs(share) * 0x1p-18 - 1e-30;
    if (!(less > -1.0)) return kLeast;
    bound = std::min(bound, cap * std::atanh(std::min(less, 1.0 - 0x1p-18)));
  }
  if (scale != 1.0f || softcap > 0.0f)
    bound -= std::abs(bound) * 0x1p-20 + 0x1p-120 / double{scale};
  return static_cast<float>(bound - std::abs(bound) * 0x1p-22);
}

}  // namespace

int64_t coarse_head_bytes(const TensorView& weight) {
  if (!has_coarse_form(weight.codec) || weight.shape.size() != 2) return 0;
  if (weight.elements() < kLeastElements || weight.columns() > kMostColumns) return 0;
  return kernel::head_bytes(weight.rows(), weight.columns());
}

void HeadWork::grow(int64_t outputs, int64_t columns) {
  const int64_t blocks = code_blocks(columns), strips = strip_count(outputs);
  const auto at_least = [](auto& values, int64_t count) {
    if (static_cast<int64_t>(values.size()) < count) values.resize(static_cast<size_t>(count));
  };
  at_least(rest, columns);
  codes.grow(blocks, 2 * kHeadRows);
  at_least(least, strips * kHeadRows);
  at_least(most, strips * kHeadRows);
  at_least(order, outputs);
  at_least(logits, kHeadRows * outputs);
  ids.reserve(static_cast<size_t>(kHeadRows * outputs));
}

void CpuBackend::pack_coarse(const LinearSource& source, CpuLinear& linear) {
  const bool wanted =
      options_.head == HeadPlane::always ||
      (options_.head == HeadPlane::where_faster && coarse_head_bytes(*source.weight) > 0);
  if (!wanted || linear.family != Family::real || !linear.format ||
      !has_coarse_form(source.weight->codec) || linear.in_size > kMostColumns)
    return;
  auto plane = std::make_unique<CpuLinear>();
  plane->in_size = linear.in_size;
  plane->out_size = linear.out_size;
  plane->layout = kernel::kHeadLayout.name;
  const int64_t columns = linear.in_size;
  plane->strip_bytes = kernel::head_strip_bytes(columns);
  if (!find_strips(source, plane->strip_bytes, *plane)) {
    scratch_.grow(pool_.thread_count(), kStrip * columns);
    const kernel::Decode decode =
        source.weight->scale == 1.0f ? fast_decode(table_, source.weight->codec) : nullptr;
    std::atomic<float> largest = 0.0f;
    auto packed = pack_strips(
        source, plane->strip_bytes, *plane, [&](int64_t strip, int worker, uint8_t* to) {
          float* rows = scratch_.of(worker);
          const int64_t first = strip * kStrip;
          const int64_t count = std::min(kStrip, linear.out_size - first);
          for (int64_t n = 0; n < count; ++n) {
            const int64_t row = source_row(source.row_order, first + n);
            const std::byte* bytes = source.weight->bytes.data() + row * linear.row_bytes;
            if (decode != nullptr)
              decode(bytes, columns, rows + n * columns);
            else
              decode_rows(*source.weight, row, 1, rows + n * columns);
          }
          const float of_strip = kernel::pack_head_strip(rows, count, columns, columns, to);
          float before = largest.load(std::memory_order_relaxed);
          while (of_strip > before && !largest.compare_exchange_weak(before, of_strip)) {
          }
        });
    plane->scale = largest;
    keep_strips(source, std::move(packed), *plane);
  }
  if (!std::isfinite(plane->scale)) return;  // no bound holds for such weights
  linear.coarse_bytes = plane->strips.bytes();
  linear.resident_bytes += linear.coarse_bytes;
  linear.coarse = std::move(plane);
  head_work_.grow(linear.out_size, columns);
}

void CpuBackend::head(const HeadCall& call, Activations& in) {
  const auto& weights = static_cast<const CpuLinear&>(*call.weights);
  const auto leaves_something_out = [&](const HeadCut& cut) {
    return cut.top > 0 && cut.top < cut.outputs && cut.outputs <= weights.out_size;
  };
  const bool coarse = weights.coarse != nullptr && in.count <= kHeadRows &&
                      static_cast<int64_t>(call.cuts.size()) == in.count &&
                      std::ranges::all_of(call.cuts, leaves_something_out) && call.scale > 0.0f &&
                      std::isfinite(call.scale) && code_head_rows(weights, in);
  if (!coarse) return Backend::head(call, in);
  run_plane(call, in.count);
  head_work_.ids.clear();
  for (int64_t row = 0; row < in.count; ++row) {
    if (!choose_rows(call, row)) return Backend::head(call, in);
  }
  refine_rows(call, in);
  head_counts_.coarse_rows += in.count;
  head_counts_.weight_rows += static_cast<int64_t>(head_work_.ids.size());
}

// False where there is no bound.
bool CpuBackend::code_head_rows(const CpuLinear& weights, const Activations& in) {
  HeadWork& work = head_work_;
  const int64_t blocks = code_blocks(in.width);
  const kernel::BlockRows rows = work.codes.rows(2 * in.count);
  for (int64_t row = 0; row < in.count; ++row) {
    const float* x = in.values + row * in.width;
    const kernel::BlockRows own = rows.from(2 * row);
    const kernel::HeadCodes codes = {own.codes, own.scales, own.pitch};
    table_.block->quantise(x, in.width, blocks, own);
    kernel::head_rest(x, in.width, codes, work.rest.data());
    table_.block->quantise(work.rest.data(), in.width, blocks, own.from(1));
    const auto reach = kernel::head_reach(x, in.width, codes, weights.coarse->scale);
    if (!std::isfinite(reach.error)) return false;
    work.reach[static_cast<size_t>(row)] = reach;
  }
  work.codes.make_starts(*table_.block, kernel::kHeadLayout);
  return true;
}

void CpuBackend::run_plane(const HeadCall& call, int64_t rows) {
  const auto& weights = static_cast<const CpuLinear&>(*call.weights);
  const int64_t strips = strip_count(weights.out_size);
  const int64_t tasks = (strips + kStripsOfTask - 1) / kStripsOfTask;
  run(2 * rows * weights.in_size * weights.out_size, tasks, [&](int64_t task, int) {
    const int64_t end = std::min((task + 1) * kStripsOfTask, strips);
    for (int64_t strip = task * kStripsOfTask; strip < end; ++strip) plane_strip(call, rows, strip);
  });
}

void CpuBackend::plane_strip(const HeadCall& call, int64_t rows, int64_t strip) {
  HeadWork& work = head_work_;
  const auto& weights = static_cast<const CpuLinear&>(*call.weights);
  const CpuLinear& plane = *weights.coarse;
  const int64_t strips = strip_count(weights.out_size), first = strip * kStrip;
  const auto* bytes =
      reinterpret_cast<const uint8_t*>(plane.strips.data()) + strip * plane.strip_bytes;
  float parts[2 * kHeadRows * kStrip];
  table_.block->dots({.layout = &kernel::kHeadLayout,
                      .strip = bytes,
                      .strips = 1,
                      .strip_bytes = plane.strip_bytes,
                      .blocks = code_blocks(weights.in_size),
                      .in = work.codes.rows(2 * rows),
                      .rows = 2 * rows,
                      .outputs = kStrip,
                      .bias = nullptr,
                      .out = parts,
                      .stride = kStrip});
  const auto& norms = *reinterpret_cast<const kernel::HeadNorms*>(
      bytes + kernel::head_norms_offset(weights.in_size));
  for (int64_t row = 0; row < rows; ++row) {
    const kernel::HeadReach& reach = work.reach[static_cast<size_t>(row)];
    const int64_t count = std::min(kStrip, call.cuts[static_cast<size_t>(row)].outputs - first);
    float* coarse = call.out + row * call.out_stride + first;
    float least = kLeast, most = kLeast;
    for (int64_t n = 0; n < count; ++n) {
      const float bias = weights.bias.empty() ? 0.0f : weights.bias[static_cast<size_t>(first + n)];
      coarse[n] = parts[2 * row * kStrip + n] + parts[(2 * row + 1) * kStrip + n] + bias;
      const float around = distance(norms, n, reach, coarse[n], bias);
      least = std::max(least, coarse[n] - around);
      most = std::max(most, coarse[n] + around);
    }
    work.least[static_cast<size_t>(row * strips + strip)] = least;
    work.most[static_cast<size_t>(row * strips + strip)] = most;
  }
}

// Bounds of a row of weights that is in play; false where it is not: beyond the outputs, or among
// those that are wanted anyway, whose coarse logit has become -infinity.
bool CpuBackend::bounds_of(const HeadCall& call, int64_t row, int64_t id, float& least,
                           float& most) const {
  const auto& weights = static_cast<const CpuLinear&>(*call.weights);
  const float coarse = call.out[row * call.out_stride + id];
  if (coarse == kLeast) return false;
  const auto* strip = reinterpret_cast<const uint8_t*>(weights.coarse->strips.data()) +
                      id / kStrip * weights.coarse->strip_bytes;
  const auto& norms = *reinterpret_cast<const kernel::HeadNorms*>(
      strip + kernel::head_norms_offset(weights.in_size));
  const float bias = weights.bias.empty() ? 0.0f : weights.bias[static_cast<size_t>(id)];
  const float around =
      distance(norms, id % kStrip, head_work_.reach[static_cast<size_t>(row)], coarse, bias);
  least = coarse - around;
  most = coarse + around;
  return true;
}

// What `top` of the logits in play surely reach.
float CpuBackend::head_threshold(const HeadCall& call, int64_t row) {
  HeadWork& work = head_work_;
  const HeadCut& cut = call.cuts[static_cast<size_t>(row)];
  const int64_t strips = strip_count(cut.outputs);
  int64_t count = 0;
  if (cut.top <= strips) {
    const float* least = work.least.data() + row * strip_count(call.weights->out_size);
    std::copy_n(least, strips, work.order.begin());
    count = strips;
  } else {
    float least = 0.0f, most = 0.0f;
    for (int64_t id = 0; id < cut.outputs; ++id) {
      if (bounds_of(call, row, id, least, most)) work.order[static_cast<size_t>(count++)] = least;
    }
    if (count < cut.top) return kLeast;
  }
  const auto place = work.order.begin() + (cut.top - 1);
  std::nth_element(work.order.begin(), place, work.order.begin() + count, std::greater<>());
  return before_epilogue(*place, call.scale, call.softcap);
}

// The rows of weights that this row's cut needs. False where they are so many that reading them
// one by one would be no gain.
bool CpuBackend::choose_rows(const HeadCall& call, int64_t row) {
  HeadWork& work = head_work_;
  const HeadCut& cut = call.cuts[static_cast<size_t>(row)];
  float* coarse = call.out + row * call.out_stride;
  const int64_t strips = strip_count(call.weights->out_size);
  float* strip_least = work.least.data() + row * strips;
  float* strip_most = work.most.data() + row * strips;
  const size_t begin = work.ids.size();
  for (const int32_t id : cut.always) {
    BITTERN_CHECK(id >= 0 && id < cut.outputs, "id {} of {}", id, cut.outputs);
    if (coarse[id] == kLeast) continue;  // said twice
    coarse[id] = kLeast;
    work.ids.push_back(id);
    // The strip's bounds without it.
    const int64_t strip = id / kStrip, first = strip * kStrip;
    strip_least[strip] = strip_most[strip] = kLeast;
    for (int64_t other = first; other < std::min(first + kStrip, cut.outputs); ++other) {
      float least = 0.0f, most = 0.0f;
      if (!bounds_of(call, row, other, least, most)) continue;
      strip_least[strip] = std::max(strip_least[strip], least);
      strip_most[strip] = std::max(strip_most[strip], most);
    }
  }
  const float threshold = head_threshold(call, row);
  for (int64_t strip = 0; strip < strip_count(cut.outputs); ++strip) {
    if (strip_most[strip] < threshold) continue;
    for (int64_t id = strip * kStrip; id < std::min((strip + 1) * kStrip, cut.outputs); ++id) {
      float least = 0.0f, most = 0.0f;
      if (bounds_of(call, row, id, least, most) && most >= threshold)
        work.ids.push_back(static_cast<int32_t>(id));
    }
  }
  std::sort(work.ids.begin() + static_cast<int64_t>(begin), work.ids.end());
  work.ends[static_cast<size_t>(row)] = static_cast<int64_t>(begin);
  work.ends[static_cast<size_t>(row + 1)] = static_cast<int64_t>(work.ids.size());
  return 2 * static_cast<int64_t>(work.ids.size() - begin) <= cut.outputs;
}

void CpuBackend::refine_rows(const HeadCall& call, const Activations& in) {
  HeadWork& work = head_work_;
  const auto& weights = static_cast<const CpuLinear&>(*call.weights);
  for (int64_t row = 0; row < in.count; ++row) {
    const int64_t begin = work.ends[static_cast<size_t>(row)];
    const int64_t count = work.ends[static_cast<size_t>(row + 1)] - begin;
    float* logits = work.logits.data() + begin;
    run(count * in.width, (count + kRefined - 1) / kRefined, [&](int64_t task, int worker) {
      const int64_t first = task * kRefined, these = std::min(kRefined, count - first);
      real_rows(weights, in.values + row * in.width,
                {work.ids.data() + begin + first, static_cast<size_t>(these)}, logits + first,
                worker);
    });
    if (call.scale != 1.0f) table_.scale(logits, count, call.scale);
    if (call.softcap > 0.0f) table_.softcap(logits, call.softcap, count);
    float* out = call.out + row * call.out_stride;
    std::fill_n(out, weights.out_size, kLeast);
    for (int64_t i = 0; i < count; ++i) out[work.ids[static_cast<size_t>(begin + i)]] = logits[i];
  }
}

}  // namespace bittern::backend
