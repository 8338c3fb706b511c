// Linear layers of block formats: the codec's own codes and scales, repacked into strips, times
// int8 activations with one scale for each 32 columns; the arithmetic is kernel/block.h's. A
// tensor that has a scale beside its codec (NVFP4) is multiplied by it last, before the bias.

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/device.h"
#include "kernel/bf16_pack.h"
#include "kernel/block_pack.h"

namespace bittern::backend {
namespace {

constexpr int64_t kStrip = kernel::kBlockStripRows;
static_assert(kStrip == kernel::kStripRows, "strip_count() counts the strips of every family");
static_assert(kCodeBlock == kernel::kBlockColumns && kCodeBlockRuns == kernel::kBlockRuns &&
              kCodeBlockSums == kernel::kBlockSums);

}  // namespace

int64_t packed_bytes(const TensorView& weight) {
  if (weight.codec == codec::Id::bf16) return kernel::bf16_bytes(weight.rows(), weight.columns());
  const kernel::BlockLayout* layout = kernel::block_layout(weight.codec);
  return layout == nullptr ? 0 : kernel::block_bytes(*layout, weight.rows(), weight.columns());
}

const kernel::BlockLayout* CpuBackend::block_layout_of(const LinearSource& source) const {
  return options_.float_activations ? nullptr : kernel::block_layout(source.weight->codec);
}

void CpuBackend::pack_block(const LinearSource& source, const kernel::BlockLayout& layout,
                            CpuLinear& linear) {
  const int64_t columns = linear.in_size;
  linear.family = Family::block;
  linear.block = &layout;
  if (kernel::has_starts(layout)) linear.start = table_.block->start(layout);
  linear.wants = Codes::block;
  linear.scale = source.weight->scale;
  linear.layout = std::string(codec::get(source.weight->codec).name);
  linear.kernel = fmt::format("block/{}", table_.block->name);
  const int64_t strip_bytes = kernel::block_strip_bytes(layout, columns);
  if (find_strips(source, strip_bytes, linear)) return;
  make_strips(source, strip_bytes, linear, [&](int64_t strip, int, uint8_t* to) {
    int64_t rows[kStrip];
    const int64_t first = strip * kStrip;
    const int64_t count = std::min(kStrip, linear.out_size - first);
    for (int64_t row = 0; row < count; ++row) rows[row] = source_row(source.row_order, first + row);
    kernel::pack_block_strip(*source.weight, {rows, static_cast<size_t>(count)}, to);
  });
}

void CpuBackend::quantise_blocks(Activations& in) {
  const int64_t blocks = code_blocks(in.width);
  run(in.count * in.width, in.count, [&](int64_t row, int) {
    table_.block->quantise(in.values + row * in.width, in.width, blocks, block_rows(in).from(row));
  });
  in.coded(Codes::block);
}

void CpuBackend::make_starts(const kernel::BlockStart& start, Activations& in) {
  if (in.block_start == start.key()) return;
  in.block_start = start.key();
  if (start == kSums) return;
  const int64_t count = code_blocks(in.width) * in.count * kCodeBlockSums;
  const int64_t step = kCodeBlockSums * 256;
  run(count, (count + step - 1) / step, [&](int64_t task, int) {
    const int64_t first = task * step;
    table_.block->starts(in.block_sums + first, std::min(step, count - first), start,
                         in.block_starts + first);
  });
}

void CpuBackend::block_strips(const CpuLinear& weights, const Activations& in,
                              const StripTask& task) const {
  const int64_t blocks = code_blocks(weights.in_size);
  const int64_t strip_bytes = kernel::block_strip_bytes(*weights.block, weights.in_size);
  const auto* strips = reinterpret_cast<const uint8_t*>(weights.strips.data());
  const int64_t first = task.strip * kStrip;
  const int64_t outputs = std::min(task.strips * kStrip, weights.out_size - first);
  const float* bias = weights.bias.empty() ? nullptr : weights.bias.data() + first;
  const bool scaled = weights.scale != 1.0f;
  float* out = task.out + task.row * task.out_stride + first;
  table_.block->dots({.layout = weights.block,
                      .strip = strips + task.strip * strip_bytes,
                      .strips = task.strips,
                      .strip_bytes = strip_bytes,
                      .blocks = blocks,
                      .in = block_rows(in).from(task.row),
                      .rows = task.rows,
                      .outputs = outputs,
                      .bias = scaled ? nullptr : bias,
                      .out = out,
                      .stride = task.out_stride});
  if (!scaled) return;
  for (int64_t row = 0; row < task.rows; ++row, out += task.out_stride) {
    table_.scale(out, outputs, weights.scale);
    if (bias != nullptr) table_.add(out, bias, outputs);
  }
}

}  // namespace bittern::backend
