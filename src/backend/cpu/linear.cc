// Linear layers: which family a tensor belongs to when it is bound, and the parallel regions they
// run in. Each family has a file of its own (linear_*.cc) with how it packs and what it does for
// one strip of 16 outputs and a run of rows.
//
// The calls of a region share their activations, which are quantised once. A region's tasks are
// (run of rows, call, group of strips), in this order, in contiguous shares for the workers: what a
// share computes never depends on where it begins.

#include <algorithm>

#include "backend/cpu/device.h"
#include "backend/cpu/pack_cache.h"
#include "base/check.h"
#include "base/file_map.h"

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

// Packed between two releases of the pages that were read: so much of a mapped tensor is resident
// beside its packed form.
constexpr int64_t kReleaseBytes = int64_t{16} << 20;

// Rows [first, first + count) of a tensor that were packed, where they lie one after another.
void release_rows(const LinearSource& source, int64_t first, int64_t count) {
  const TensorView& weight = *source.weight;
  const bool in_order = source.row_order.empty() && codec::get(weight.codec).block_bytes > 0;
  if (!source.mapped || !in_order) return;
  const auto row_bytes = static_cast<int64_t>(weight.bytes.size()) / weight.rows();
  FileMap::release(weight.bytes.subspan(static_cast<size_t>(first * row_bytes),
                                        static_cast<size_t>(count * row_bytes)));
}

// Rows of activations that a task handles: as many as stay in cache beside its strips.
int64_t rows_of_task(Family family, int64_t width) {
  if (family == Family::real) return 512;
  if (family == Family::block) return 128;
  return std::clamp<int64_t>(kTernaryCodeBytes / padded_width(width), 32, kTernaryRows);
}

// Strips of a task: ternary kernels read activations once for four of them, but every worker is to
// have several tasks.
int64_t strips_of_task(Family family, int64_t strips, int threads) {
  if (family != Family::ternary) return 1;
  return std::clamp<int64_t>(strips / (4 * threads), 1, kernel::kTernaryStrips);
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
  } else {
    bind_real(source, *linear);
  }
  linear->resident_bytes += static_cast<int64_t>(linear->bias.size() * sizeof(float));
  return linear;
}

bool CpuBackend::find_strips(const LinearSource& source, int64_t strip_bytes, CpuLinear& linear) {
  if (options_.cache == nullptr) return false;
  linear.strips = options_.cache->find({.weight = source.weight,
                                        .row_order = source.row_order,
                                        .layout = linear.layout,
                                        .bytes = strip_count(linear.out_size) * strip_bytes},
                                       pool_, linear.scale);
  linear.resident_bytes = linear.strips.bytes();
  return linear.strips.bytes() > 0;
}

void CpuBackend::make_strips(const LinearSource& source, int64_t strip_bytes, CpuLinear& linear,
                             const PackStrip& pack) {
  const int64_t strips = strip_count(linear.out_size);
  Region region(strips * strip_bytes, "packed weights");
  auto* packed = reinterpret_cast<uint8_t*>(region.data());
  const int64_t source_bytes = static_cast<int64_t>(source.weight->bytes.size()) / strips + 1;
  const int64_t step = std::max<int64_t>(kReleaseBytes / source_bytes, 4 * pool_.thread_count());
  for (int64_t first = 0; first < strips; first += step) {
    const int64_t count = std::min(step, strips - first);
    pool_.run(count, [&](int64_t task, int worker) {
      pack(first + task, worker, packed + (first + task) * strip_bytes);
    });
    const int64_t row = first * kernel::kStripRows;
    release_rows(source, row, std::min(count * kernel::kStripRows, linear.out_size - row));
  }
  if (source.mapped) FileMap::release(source.weight->bytes);
  linear.strips = Packed(std::move(region));
  linear.resident_bytes = linear.strips.bytes();
  if (options_.cache == nullptr) return;
  options_.cache->keep({.weight = source.weight,
                        .row_order = source.row_order,
                        .layout = linear.layout,
                        .bytes = linear.strips.bytes()},
                       linear.strips, linear.scale);
}

void CpuBackend::quantise(Activations& in) {
  const int64_t padded = padded_width(in.width);
  run(in.count * in.width, in.count, [&](int64_t row, int) {
    table_.quantise(in.values + row * in.width, in.width, padded, in.codes + row * padded,
                    in.inverse_scales + row, in.sums + row);
  });
  in.quantised = true;
  in.block_quantised = false;
}

void CpuBackend::linears(std::span<const LinearCall> calls, Activations& in) {
  for (const Family family : {Family::ternary, Family::block, Family::real}) {
    int64_t strips = 0, work = 0;
    for (const LinearCall& call : calls) {
      const auto& weights = static_cast<const CpuLinear&>(*call.weights);
      if (weights.family != family) continue;
      strips += strip_count(weights.out_size);
      work += in.count * weights.in_size * weights.out_size;
    }
    if (strips == 0) continue;
    if (family == Family::ternary && !in.quantised) quantise(in);
    if (family == Family::block && !in.block_quantised) quantise_blocks(in);
    const int64_t step = rows_of_task(family, in.width);
    const int64_t runs = (in.count + step - 1) / step;
    const int64_t group = strips_of_task(family, strips, pool_.thread_count());
    int64_t groups = 0;
    for (const LinearCall& call : calls) {
      const auto& weights = static_cast<const CpuLinear&>(*call.weights);
      if (weights.family == family) groups += (strip_count(weights.out_size) + group - 1) / group;
    }
    run(work, runs * groups, [&](int64_t task, int worker) {
      const int64_t row = task / groups * step;
      int64_t strip = task % groups * group;
      for (const LinearCall& call : calls) {
        const auto& weights = static_cast<const CpuLinear&>(*call.weights);
        if (weights.family != family) continue;
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
        strip -= (own + group - 1) / group * group;
      }
    });
  }
}

void CpuBackend::run_strip(const CpuLinear& weights, const Activations& in,
                           const StripTask& task) const {
  switch (weights.family) {
    case Family::ternary:
      return ternary_strips(weights, in, task);
    case Family::block:
      return block_strip(weights, in, task);
    case Family::real:
      return real_strip(weights, in, task);
  }
}

}  // namespace bittern::backend
