// Linear layers of real-valued weights: the mapped tensor, decoded kDecodeRows rows at a time into
// the worker's scratch and multiplied by f32 activations in the one order of kernel.h, then the
// bias.

#include <algorithm>
#include <cstring>

#include "backend/cpu/device.h"
#include "base/error.h"

namespace bittern::backend {
namespace {

constexpr int64_t kDecodeRows = 8;  // rows of weights decoded at once

// The stride of decoded rows: whole lines, so that rows start aligned.
int64_t decoded_stride(int64_t columns) { return (columns + 15) / 16 * 16; }

}  // namespace

kernel::Decode fast_decode(const kernel::Table& table, codec::Id id) {
  switch (id) {
    case codec::Id::f16:
      return table.decode_f16;
    case codec::Id::bf16:
      return table.decode_bf16;
    case codec::Id::q8_0:
      return table.decode_q8_0;
    case codec::Id::q4_0:
      return table.decode_q4_0;
    case codec::Id::q4_1:
      return table.decode_q4_1;
    default:
      return nullptr;
  }
}

void CpuBackend::bind_real(const LinearSource& source, CpuLinear& linear) {
  const codec::Codec& codec = codec::get(source.weight->codec);
  linear.weight = *source.weight;
  linear.row_order = source.row_order;
  linear.layout = std::string(codec.name);
  linear.kernel = fmt::format("float/{}", table_.name);
  scratch_.grow(pool_.thread_count(), kDecodeRows * decoded_stride(linear.in_size));

  // A view's scale is a second rounding that only the codec's path applies.
  const bool plain = source.weight->scale == 1.0f;
  const auto* bytes = source.weight->bytes.data();
  const bool aligned = reinterpret_cast<uintptr_t>(bytes) % alignof(float) == 0;
  if (codec.id == codec::Id::f32 && plain && aligned && source.row_order.empty()) {
    linear.direct = reinterpret_cast<const float*>(bytes);
    return;
  }
  if (plain) linear.decode = fast_decode(table_, codec.id);
  if (linear.decode != nullptr) {
    linear.row_bytes = codec.tensor_bytes(1, linear.in_size).value_or(0);
  } else if (codec.id != codec::Id::f32) {
    linear.kernel += fmt::format(" (scalar decode of {})", codec.name);
  }
}

const float* CpuBackend::decoded_rows(const CpuLinear& weights, int64_t first, int64_t count,
                                      float* buffer) const {
  const int64_t stride = decoded_stride(weights.in_size);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = source_row(weights.row_order, first + i);
    float* to = buffer + i * stride;
    if (weights.decode != nullptr) {
      weights.decode(weights.weight.bytes.data() + row * weights.row_bytes, weights.in_size, to);
    } else {
      decode_rows(weights.weight, row, 1, to);
    }
  }
  return buffer;
}

void CpuBackend::real_strip(const CpuLinear& weights, const Activations& in,
                            const StripTask& task) const {
  const int64_t columns = weights.in_size;
  const int64_t end = std::min((task.strip + 1) * kernel::kStripRows, weights.out_size);
  const float* values = in.values + task.row * in.width;
  for (int64_t first = task.strip * kernel::kStripRows; first < end; first += kDecodeRows) {
    const int64_t count = std::min(kDecodeRows, end - first);
    const bool direct = weights.direct != nullptr;
    const float* rows = direct ? weights.direct + first * columns
                               : decoded_rows(weights, first, count, scratch_.of(task.worker));
    float* out = task.out + task.row * task.out_stride + first;
    table_.float_dots({rows, count, direct ? columns : decoded_stride(columns), values, task.rows,
                       in.width, columns, out, task.out_stride});
    if (weights.bias.empty()) continue;
    for (int64_t row = 0; row < task.rows; ++row)
      table_.add(out + row * task.out_stride, weights.bias.data() + first, count);
  }
}

}  // namespace bittern::backend
