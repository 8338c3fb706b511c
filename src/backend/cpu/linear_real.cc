// Linear layers of real-valued weights times f32 activations, in the one order of kernel/real.h.
// Plain numbers are read where they lie in the mapped file; rows of any other codec are decoded
// into the worker's scratch first, as many at a time as a kernel takes.

#include <algorithm>
#include <array>

#include "backend/cpu/device.h"
#include "base/error.h"

namespace bittern::backend {
namespace {

static_assert(kernel::kStripRows == kernel::kRealOutputs);

// Decoded rows are taken this many at a time where there are few rows of activations, so that they
// are still in the first level of cache when they are multiplied.
constexpr int64_t kFewRows = 4;
constexpr int64_t kFewDecoded = 4;

// The stride of decoded rows: whole lines, so that rows start aligned.
int64_t decoded_stride(int64_t columns) { return (columns + 15) / 16 * 16; }

std::optional<kernel::RealFormat> real_format(codec::Id id) {
  switch (id) {
    case codec::Id::f32:
      return kernel::RealFormat::f32;
    case codec::Id::f16:
      return kernel::RealFormat::f16;
    case codec::Id::bf16:
      return kernel::RealFormat::bf16;
    case codec::Id::f8_e4m3:
      return kernel::RealFormat::f8_e4m3;
    case codec::Id::f8_e5m2:
      return kernel::RealFormat::f8_e5m2;
    case codec::Id::f8_e4m3fnuz:
      return kernel::RealFormat::f8_e4m3fnuz;
    case codec::Id::f8_e5m2fnuz:
      return kernel::RealFormat::f8_e5m2fnuz;
    default:
      return std::nullopt;
  }
}

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
  linear.kernel = fmt::format("float/{}", table_.real->name);
  const int64_t decoded = kernel::kRealOutputs * decoded_stride(linear.in_size);
  scratch_.grow(pool_.thread_count(), kernel::kRealScratch + decoded);
  linear.row_bytes = codec.tensor_bytes(1, linear.in_size).value_or(0);
  linear.format = real_format(codec.id);
  if (linear.format) return;
  // A view's scale is a second rounding that only the codec's path applies.
  if (source.weight->scale == 1.0f) linear.decode = fast_decode(table_, codec.id);
  if (linear.decode == nullptr) linear.kernel += fmt::format(" (scalar decode of {})", codec.name);
}

// Row `row` of the result's order as f32.
void CpuBackend::decode_real(const CpuLinear& weights, int64_t row, float* out) const {
  const int64_t stored = source_row(weights.row_order, row);
  if (weights.decode != nullptr) {
    weights.decode(weights.weight.bytes.data() + stored * weights.row_bytes, weights.in_size, out);
  } else {
    decode_rows(weights.weight, stored, 1, out);
  }
}

void CpuBackend::real_strip(const CpuLinear& weights, const Activations& in,
                            const StripTask& task) const {
  const bool direct = weights.format.has_value();
  const int64_t stride = decoded_stride(weights.in_size);
  const int64_t step = !direct && task.rows <= kFewRows ? kFewDecoded : kernel::kRealOutputs;
  const int64_t begin = task.strip * kernel::kStripRows;
  const int64_t end = std::min(begin + kernel::kStripRows, weights.out_size);
  float* scratch = scratch_.of(task.worker);
  float* decoded = scratch + kernel::kRealScratch;
  for (int64_t first = begin; first < end; first += step) {
    const int64_t count = std::min(step, end - first);
    std::array<const uint8_t*, kernel::kRealOutputs> rows;
    for (int64_t i = 0; i < count; ++i) {
      const void* row = decoded + i * stride;
      if (direct) {
        row = weights.weight.bytes.data() +
              source_row(weights.row_order, first + i) * weights.row_bytes;
      } else {
        decode_real(weights, first + i, decoded + i * stride);
      }
      rows[static_cast<size_t>(i)] = static_cast<const uint8_t*>(row);
    }
    table_.real->dots({.format = weights.format.value_or(kernel::RealFormat::f32),
                       .weights = rows.data(),
                       .outputs = count,
                       .columns = weights.in_size,
                       .scale = direct ? weights.weight.scale : 1.0f,
                       .in = in.values + task.row * in.width,
                       .rows = task.rows,
                       .in_stride = in.width,
                       .bias = weights.bias.empty() ? nullptr : weights.bias.data() + first,
                       .out = task.out + task.row * task.out_stride + first,
                       .stride = task.out_stride,
                       .scratch = scratch});
  }
}

void CpuBackend::real_rows(const CpuLinear& weights, const float* in, std::span<const int32_t> ids,
                           float* out, int worker) const {
  std::array<const uint8_t*, kernel::kRealOutputs> rows;
  std::array<float, kernel::kRealOutputs> bias;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::byte* row =
        weights.weight.bytes.data() + source_row(weights.row_order, ids[i]) * weights.row_bytes;
    rows[i] = reinterpret_cast<const uint8_t*>(row);
    if (!weights.bias.empty()) bias[i] = weights.bias[static_cast<size_t>(ids[i])];
  }
  table_.real->dots({.format = *weights.format,
                     .weights = rows.data(),
                     .outputs = static_cast<int64_t>(ids.size()),
                     .columns = weights.in_size,
                     .scale = weights.weight.scale,
                     .in = in,
                     .rows = 1,
                     .in_stride = weights.in_size,
                     .bias = weights.bias.empty() ? nullptr : bias.data(),
                     .out = out,
                     .stride = static_cast<int64_t>(ids.size()),
                     .scratch = scratch_.of(worker)});
}

}  // namespace bittern::backend
