// Linear layers: which family a tensor belongs to when it is bound, and the parallel regions they
// run in. Each family has a file of its own (linear_*.cc) with how it packs and what it does for
// one strip of 16 outputs and a run of rows.
//
// The calls of a region share their activations, which are quantised once, and what the products of
// block formats start from. A region's tasks are (run of rows, call, group of strips), in this
// order, in contiguous shares for the workers: what a share computes never depends on where it
// begins.

#include <algorithm>

#include "backend/cpu/device.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

void check_source(const LinearSource& source) {
  const TensorView& weight = *source.weight;
  for (const int32_t row : source.row_order) {
    BITTERN_CHECK(row >= 0 && row < weight.rows(), "{}: row {} of {}", printable(weight.name), row,
                  weight.rows());
  }
  if (source.bias == nullptr) return;
  if (source.bias->elements() != weight.rows()) {
    bad_input("{}: expected one value for each of the {} rows of {}, got {}",
              printable(source.bias->name), weight.rows(), printable(weight.name),
              source.bias->elements());
  }
}

std::vector<float> ordered_bias(const LinearSource& source, int64_t outputs) {
  if (source.bias == nullptr) return {};
  std::vector<float> stored(static_cast<size_t>(source.bias->elements()));
  decode_rows(*source.bias, 0, source.bias->rows(), stored.data());
  std::vector<float> bias(static_cast<size_t>(outputs));
  for (int64_t row = 0; row < outputs; ++row) {
    bias[static_cast<size_t>(row)] = stored[static_cast<size_t>(source_row(source.row_order, row))];
  }
  return bias;
}

// Rows of activations that a task handles: as many as stay in cache beside its strips.
int64_t rows_of_task(Family family, int64_t count, int64_t width) {
  if (family == Family::real) return 512;
  if (family == Family::bf16) {
    // About equal parts, of whole tiles of any kernel (12 and 16 rows).
    const int64_t parts = (count + kernel::kBf16Rows - 1) / kernel::kBf16Rows;
    return (count + parts * 48 - 1) / (parts * 48) * 48;
  }
  if (family == Family::block) return 128;
  return std::clamp<int64_t>(kTernaryCodeBytes / padded_width(width), 32, kTernaryRows);
}

// Strips of a task: kernels of packed strips read activations once for several of them, but every
// worker is to have several tasks.
int64_t strips_of_task(Family family, int64_t strips, int threads) {
  if (family == Family::real) return 1;
  int64_t most = kernel::kTernaryStrips;
  if (family == Family::block) most = kernel::kBlockStrips;
  if (family == Family::bf16) most = kernel::kBf16Strips;
  return std::clamp<int64_t>(strips / (4 * threads), 1, most);
}

const CpuLinear& weights_of(const LinearCall& call) {
  return static_cast<const CpuLinear&>(*call.weights);
}

}  // namespace

std::unique_ptr<Linear> CpuBackend::pack(const LinearSource& source) {
  check_source(source);
  auto linear = std::make_unique<CpuLinear>();
  linear->in_size = source.weight->columns();
  linear->out_size = source.row_order.empty() ? source.weight->rows()
                                              : static_cast<int64_t>(source.row_order.size());
  linear->bias = ordered_bias(source, linear->out_size);
  if (source.ternary) {
    pack_ternary(source, *linear);
  } else if (const kernel::BlockLayout* layout = block_layout_of(source)) {
    pack_block(source, *layout, *linear);
  } else if (is_bf16(source)) {
    pack_bf16(source, *linear);
  } else {
    bind_real(source, *linear);
  }
  if (source.head) pack_coarse(source, *linear);
  linear->resident_bytes += static_cast<int64_t>(linear->bias.size() * sizeof(float));
  return linear;
}

void CpuBackend::quantise(Activations& in) {
  const int64_t padded = padded_width(in.width);
  run(in.count * in.width, in.count, [&](int64_t row, int) {
    table_.quantise(in.values + row * in.width, in.width, padded, in.codes + row * padded,
                    in.inverse_scales + row, in.sums + row);
  });
  in.coded(Codes::row);
}

// Calls that run in one region: those of a family, and of block formats those whose products start
// from the same numbers.
struct CpuBackend::Together {
  Family family;
  kernel::BlockStart start;
  kernel::BlockStart otherwise;  // with which calls go that need no starts

  bool has(const CpuLinear& weights) const {
    return weights.family == family && weights.start.value_or(otherwise) == start;
  }
};

void CpuBackend::linears(std::span<const LinearCall> calls, Activations& in) {
  kernel::BlockStart otherwise = kSums;  // which are there
  for (size_t i = calls.size(); i-- > 0;)
    otherwise = weights_of(calls[i]).start.value_or(otherwise);
  for (size_t i = 0; i < calls.size(); ++i) {
    const CpuLinear& weights = weights_of(calls[i]);
    const Together together = {weights.family, weights.start.value_or(otherwise), otherwise};
    const auto before = calls.first(i);
    const bool done = std::any_of(before.begin(), before.end(), [&](const LinearCall& call) {
      return together.has(weights_of(call));
    });
    if (!done) linears_together(calls, together, in);
  }
}

void CpuBackend::linears_together(std::span<const LinearCall> calls, const Together& together,
                                  Activations& in) {
  const Family family = together.family;
  int64_t strips = 0, work = 0;
  for (const LinearCall& call : calls) {
    const CpuLinear& weights = weights_of(call);
    if (!together.has(weights)) continue;
    strips += strip_count(weights.out_size);
    work += in.count * weights.in_size * weights.out_size;
  }
  if (family == Family::ternary && !in.quantised) quantise(in);
  if (family == Family::bf16 && !in.rounded) round_to_bf16(in);
  if (family == Family::block && !in.block_quantised) quantise_blocks(in);
  if (family == Family::block) make_starts(together.start, in);
  const int64_t step = rows_of_task(family, in.count, in.width);
  const int64_t runs = (in.count + step - 1) / step;
  const int64_t group = strips_of_task(family, strips, pool_.thread_count());
  const auto groups_of = [&](const CpuLinear& weights) {
    return (strip_count(weights.out_size) + group - 1) / group;
  };
  int64_t groups = 0;
  for (const LinearCall& call : calls) {
    if (together.has(weights_of(call))) groups += groups_of(weights_of(call));
  }
  run(work, runs * groups, [&](int64_t task, int worker) {
    const int64_t row = task / groups * step;
    int64_t strip = task % groups * group;
    for (const LinearCall& call : calls) {
      const CpuLinear& weights = weights_of(call);
      if (!together.has(weights)) continue;
      const int64_t own = strip_count(weights.out_size);
      if (strip < own) {
        run_strip(weights, in,
                  {.strip = strip,
                   .strips = std::min(group, own - strip),
                   .row = row,
                   .rows = std::min(step, in.count - row),
                   .out = call.out,
                   .out_stride = call.out_stride,
                   .worker = worker});
        return;
      }
      strip -= groups_of(weights) * group;
    }
  });
}

void CpuBackend::run_strip(const CpuLinear& weights, const Activations& in,
                           const StripTask& task) const {
  switch (weights.family) {
    case Family::ternary:
      return ternary_strips(weights, in, task);
    case Family::block:
      return block_strips(weights, in, task);
    case Family::bf16:
      return bf16_strips(weights, in, task);
    case Family::real:
      return real_strip(weights, in, task);
  }
}

}  // namespace bittern::backend
