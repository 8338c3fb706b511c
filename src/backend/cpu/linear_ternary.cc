// Ternary linear layers (W1.58A8): strips in memory of their own or in a mapped cache, int8
// activations with one scale per row, exact int32 sums, then (float(sum) * inverse scale of the
// row) * scale of the weights, then the bias. Strips are T2, or T1.6 where the machine decodes it
// faster than it would read T2 (kernel/pack.h). Weights have one scale for the tensor or, where
// their codec stores so, one for each output: then the 16 scales of a strip stand behind its lines.

#include <algorithm>
#include <atomic>

#include "backend/cpu/device.h"
#include "base/error.h"
#include "codec/ternary.h"
#include "kernel/pack.h"
#include "kernel/ternary_rows.h"

namespace bittern::backend {
namespace {

constexpr int64_t kStrip = kernel::kStripRows;
constexpr int64_t kScaleBytes = kStrip * static_cast<int64_t>(sizeof(float));

// Of a strip, its scales aside.
int64_t line_bytes(const CpuLinear& linear) {
  return linear.dense == nullptr ? kernel::t2_strip_bytes(linear.in_size)
                                 : kernel::t16_strip_bytes(linear.in_size);
}

void put_scales(const CpuLinear& linear, const float* scales, uint8_t* strip) {
  if (linear.row_scales)
    std::copy_n(reinterpret_cast<const uint8_t*>(scales), kScaleBytes, strip + line_bytes(linear));
}

bool has_every_row(const LinearSource& source) {
  if (source.row_order.empty()) return true;
  std::vector<bool> read(static_cast<size_t>(source.weight->rows()));
  for (const int32_t row : source.row_order) read[static_cast<size_t>(row)] = true;
  return std::ranges::find(read, false) == read.end();
}

}  // namespace

void CpuBackend::pack_ternary(const LinearSource& source, CpuLinear& linear) {
  const int64_t columns = linear.in_size;
  if (columns > kernel::kMaxTernaryColumns) {
    fail(ErrorKind::unsupported, "{}: ternary linears have at most {} columns, got {}",
         printable(source.weight->name), kernel::kMaxTernaryColumns, columns);
  }
  linear.family = Family::ternary;
  linear.wants = Codes::row;
  linear.dense = dense_;
  linear.row_scales = codec::has_row_scales(source.weight->codec);
  linear.layout =
      fmt::format("{}{}", dense_ == nullptr ? "T2" : "T1.6", linear.row_scales ? " rows" : "");
  linear.kernel =
      fmt::format("ternary/{}", dense_ == nullptr ? table_.ternary->name : dense_->name);
  linear.strip_bytes = line_bytes(linear) + (linear.row_scales ? kScaleBytes : 0);
  const int64_t scratch_bytes =
      std::max<int64_t>(kStrip * columns, kTernaryRows * kernel::kTernaryStrips * kStrip * 4);
  scratch_.grow(pool_.thread_count(), (scratch_bytes + 3) / 4);
  if (find_strips(source, linear.strip_bytes, linear)) return;
  if (!pack_ternary_rows(source, linear)) pack_ternary_values(source, linear);
}

// By the bytes of the format. False where it has no such way, or where the tensor holds what only
// its values can tell.
bool CpuBackend::pack_ternary_rows(const LinearSource& source, CpuLinear& linear) {
  const auto rows = kernel::TernaryRows::of(*source.weight);
  // One scale is that of all rows of the tensor, so all must be read.
  if (!rows || !has_every_row(source)) return false;
  std::atomic<bool> plain = true;
  auto packed =
      pack_strips(source, linear.strip_bytes, linear, [&](int64_t strip, int worker, uint8_t* to) {
        const int64_t first = strip * kStrip;
        const int64_t count = std::min(kStrip, linear.out_size - first);
        auto* lines =
            linear.dense == nullptr ? to : reinterpret_cast<uint8_t*>(scratch_.of(worker));
        auto* words = reinterpret_cast<uint32_t*>(lines);
        float scales[kStrip] = {};
        if (count < kStrip)
          std::fill_n(lines, kernel::t2_strip_bytes(linear.in_size), kernel::kT2ZeroByte);
        for (int64_t row = 0; row < count; ++row) {
          const int64_t from = source_row(source.row_order, first + row);
          if (!rows->read(from, words + row)) plain.store(false, std::memory_order_relaxed);
          scales[row] = rows->scale(from);
        }
        if (linear.dense != nullptr) kernel::t16_from_t2(lines, linear.in_size, to);
        put_scales(linear, scales, to);
      });
  if (!plain) {
    arena_.give_back(std::move(packed));
    return false;
  }
  linear.scale = rows->scale(0);
  for (int64_t row = 1; linear.row_scales && row < source.weight->rows(); ++row)
    linear.scale = std::max(linear.scale, rows->scale(row));
  keep_strips(source, std::move(packed), linear);
  return true;
}

void CpuBackend::pack_ternary_values(const LinearSource& source, CpuLinear& linear) {
  const codec::TernarySource codes(*source.weight);
  linear.scale = codes.scale();
  const auto pack = linear.dense == nullptr ? kernel::t2_pack_strip : kernel::t16_pack_strip;
  make_strips(source, linear.strip_bytes, linear, [&](int64_t strip, int worker, uint8_t* to) {
    auto* rows = reinterpret_cast<int8_t*>(scratch_.of(worker));
    const int64_t first = strip * kStrip;
    const int64_t count = std::min(kStrip, linear.out_size - first);
    float scales[kStrip] = {};
    for (int64_t row = 0; row < count; ++row) {
      const int64_t from = source_row(source.row_order, first + row);
      codes.codes(from, rows + row * linear.in_size);
      scales[row] = codes.row_scale(from);
    }
    pack(rows, count, linear.in_size, to);
    put_scales(linear, scales, to);
  });
}

void CpuBackend::ternary_strips(const CpuLinear& weights, const Activations& in,
                                const StripTask& task) const {
  const int64_t columns = kernel::t2_columns(weights.in_size);
  const auto* strips =
      reinterpret_cast<const uint8_t*>(weights.strips.data()) + task.strip * weights.strip_bytes;
  auto* dots = reinterpret_cast<int32_t*>(scratch_.of(task.worker));
  const auto run = weights.dense == nullptr ? table_.ternary->dots : weights.dense->dots;
  run({.strips = strips,
       .strip_count = task.strips,
       .strip_bytes = weights.strip_bytes,
       .columns = columns,
       .codes = in.codes + task.row * columns,
       .sums = in.sums + task.row,
       .rows = task.rows,
       .out = dots});
  float scales[kStrip];
  std::fill_n(scales, kStrip, weights.scale);
  for (int64_t s = 0; s < task.strips; ++s) {
    const int64_t first = (task.strip + s) * kStrip;
    const uint8_t* end = strips + (s + 1) * weights.strip_bytes;
    if (weights.row_scales)
      std::copy_n(end - kScaleBytes, kScaleBytes, reinterpret_cast<uint8_t*>(scales));
    table_.ternary->scale({.dots = dots + s * task.rows * kStrip,
                           .rows = task.rows,
                           .outputs = std::min(kStrip, weights.out_size - first),
                           .inverse_scales = in.inverse_scales + task.row,
                           .scales = scales,
                           .bias = weights.bias.empty() ? nullptr : weights.bias.data() + first,
                           .out = task.out + task.row * task.out_stride + first,
                           .stride = task.out_stride});
  }
}

}  // namespace bittern::backend
