// Linear layers of bf16 weights times activations rounded to bf16, the arithmetic of kernel/bf16.h.
// Strips are the file's numbers in another order. An output layer stays where it lies, against f32
// activations (linear_real.cc): its rows are refined one by one (head.cc), and an embedding that is
// one too is not kept twice.

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/device.h"
#include "kernel/bf16_pack.h"

namespace bittern::backend {
namespace {

constexpr int64_t kStrip = kernel::kBf16Outputs;
static_assert(kStrip == kernel::kStripRows, "strip_count() counts the strips of every family");
static_assert(kCodeBlock == kernel::kBf16Panel);

}  // namespace

bool CpuBackend::is_bf16(const LinearSource& source) const {
  return source.weight->codec == codec::Id::bf16 && !source.head && !options_.float_activations;
}

void CpuBackend::pack_bf16(const LinearSource& source, CpuLinear& linear) {
  const int64_t columns = linear.in_size;
  linear.family = Family::bf16;
  linear.wants = Codes::bf16;
  linear.scale = source.weight->scale;
  linear.layout = "BF16 pairs";
  linear.kernel = fmt::format("bf16/{}", bf16_.name);
  linear.strip_bytes = kernel::bf16_strip_bytes(columns);
  scratch_.grow(pool_.thread_count(), kernel::kBf16Scratch);
  if (find_strips(source, linear.strip_bytes, linear)) return;
  const auto row_bytes = columns * static_cast<int64_t>(sizeof(uint16_t));
  make_strips(source, linear.strip_bytes, linear, [&](int64_t strip, int, uint8_t* to) {
    const std::byte* rows[kStrip];
    const int64_t first = strip * kStrip;
    const int64_t count = std::min(kStrip, linear.out_size - first);
    for (int64_t row = 0; row < count; ++row) {
      rows[row] =
          source.weight->bytes.data() + source_row(source.row_order, first + row) * row_bytes;
    }
    kernel::pack_bf16_strip({rows, static_cast<size_t>(count)}, columns, to);
  });
}

void CpuBackend::round_row(Activations& in, int64_t row) const {
  bf16_.encode(in.values + row * in.width, in.width, in.count,
               reinterpret_cast<uint16_t*>(in.codes) + row * kCodeBlock);
}

void CpuBackend::round_to_bf16(Activations& in) {
  run(in.count * in.width, in.count, [&](int64_t row, int) { round_row(in, row); });
  in.coded(Codes::bf16);
}

void CpuBackend::bf16_strips(const CpuLinear& weights, const Activations& in,
                             const StripTask& task) const {
  const int64_t first = task.strip * kStrip;
  const int64_t outputs = std::min(task.strips * kStrip, weights.out_size - first);
  const float* bias = weights.bias.empty() ? nullptr : weights.bias.data() + first;
  const bool scaled = weights.scale != 1.0f;
  float* out = task.out + task.row * task.out_stride + first;
  bf16_.dots({.strips = reinterpret_cast<const uint8_t*>(weights.strips.data()) +
                        task.strip * weights.strip_bytes,
              .strip_count = task.strips,
              .columns = kernel::bf16_columns(weights.in_size),
              .codes = reinterpret_cast<const uint16_t*>(in.codes) + task.row * kCodeBlock,
              .pitch = in.count,
              .rows = task.rows,
              .outputs = outputs,
              .bias = scaled ? nullptr : bias,
              .out = out,
              .stride = task.out_stride,
              .scratch = scratch_.of(task.worker)});
  if (!scaled) return;
  for (int64_t row = 0; row < task.rows; ++row, out += task.out_stride) {
    table_.scale(out, outputs, weights.scale);
    if (bias != nullptr) table_.add(out, bias, outputs);
  }
}

}  // namespace bittern::backend
