// Ternary linear layers (W1.58A8): T2 strips in memory of their own, int8 activations with one
// scale per row, exact int32 sums, then (float(sum) * inverse scale of the row) * scale of the
// tensor, then the bias.

#include <algorithm>

#include "backend/cpu/device.h"
#include "base/error.h"
#include "codec/ternary.h"
#include "kernel/pack.h"

namespace bittern::backend {
namespace {

constexpr int64_t kStrip = kernel::kStripRows;
constexpr int64_t kRowBlock = 64;  // rows of activations whose sums are held at once

}  // namespace

void CpuBackend::pack_ternary(const LinearSource& source, CpuLinear& linear) {
  const int64_t columns = linear.in_size;
  if (columns > kernel::kMaxTernaryColumns) {
    fail(ErrorKind::unsupported, "{}: ternary linears have at most {} columns, got {}",
         printable(source.weight->name), kernel::kMaxTernaryColumns, columns);
  }
  const codec::TernarySource codes(*source.weight);
  linear.family = Family::ternary;
  linear.scale = codes.scale();
  linear.layout = "T2";
  linear.kernel = fmt::format("ternary/{}", table_.ternary_name);
  linear.strips = Region(kernel::t2_bytes(linear.out_size, columns), "packed ternary weights");
  linear.resident_bytes = linear.strips.bytes();

  const int64_t strip_bytes = kernel::t2_strip_bytes(columns);
  const int64_t scratch_bytes = std::max<int64_t>(kStrip * columns, kRowBlock * kStrip * 4);
  scratch_.grow(pool_.thread_count(), (scratch_bytes + 3) / 4);
  auto* packed = reinterpret_cast<uint8_t*>(linear.strips.data());
  pool_.run(strip_count(linear.out_size), [&](int64_t strip, int worker) {
    auto* rows = reinterpret_cast<int8_t*>(scratch_.of(worker));
    const int64_t first = strip * kStrip;
    const int64_t count = std::min(kStrip, linear.out_size - first);
    for (int64_t row = 0; row < count; ++row)
      codes.codes(source_row(source.row_order, first + row), rows + row * columns);
    kernel::t2_pack_strip(rows, count, columns, packed + strip * strip_bytes);
  });
}

void CpuBackend::ternary_strip(const CpuLinear& weights, const Activations& in,
                               const StripTask& task) const {
  const int64_t columns = kernel::t2_columns(weights.in_size);
  const int64_t strip_bytes = kernel::t2_strip_bytes(weights.in_size);
  const auto* strips = reinterpret_cast<const uint8_t*>(weights.strips.data());
  auto* dots = reinterpret_cast<int32_t*>(scratch_.of(task.worker));
  const int64_t first = task.strip * kStrip;
  const int64_t outputs = std::min(kStrip, weights.out_size - first);
  const float* bias = weights.bias.empty() ? nullptr : weights.bias.data() + first;
  const int64_t end = task.row + task.rows;
  for (int64_t row = task.row; row < end; row += kRowBlock) {
    const int64_t rows = std::min(kRowBlock, end - row);
    table_.ternary_dots({strips + task.strip * strip_bytes, columns, in.codes + row * columns,
                         in.sums + row, rows, dots});
    table_.ternary_scale({dots, rows, outputs, in.inverse_scales + row, weights.scale, bias,
                          task.out + row * task.out_stride + first, task.out_stride});
  }
}

}  // namespace bittern::backend
