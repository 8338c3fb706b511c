// Linear layers. Two families, told apart when the model is bound:
//
//   ternary  T2 strips in memory of their own, int8 activations, exact int32 sums, then
//            (float(sum) * inverse scale of the row) * scale of the tensor, then the bias
//   float    the mapped tensor, decoded kDecodeRows rows at a time into the worker's scratch and
//            multiplied by f32 activations in the one order of kernel.h, then the bias
//
// Work is split over strips of 16 outputs; each strip serves all rows of the step.

#include <algorithm>
#include <cstring>

#include "backend/cpu/device.h"
#include "base/check.h"
#include "codec/ternary.h"
#include "kernel/pack.h"

namespace bittern::backend {
namespace {

constexpr int64_t kStrip = kernel::kStripRows;
constexpr int64_t kDecodeRows = 8;  // rows of weights decoded at once
constexpr int64_t kRowBlock = 64;   // rows of activations whose sums are held at once

int64_t strip_count(int64_t outputs) { return (outputs + kStrip - 1) / kStrip; }

// The stride of decoded rows: whole lines, so that rows start aligned.
int64_t decoded_stride(int64_t columns) { return (columns + 15) / 16 * 16; }

int64_t source_row(const std::vector<int32_t>& order, int64_t row) {
  return order.empty() ? row : order[static_cast<size_t>(row)];
}

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

std::unique_ptr<Linear> CpuBackend::pack(const LinearSource& source) {
  check_source(source);
  auto linear = std::make_unique<CpuLinear>();
  linear->in_size = source.weight->columns();
  linear->out_size = source.row_order.empty() ? source.weight->rows()
                                              : static_cast<int64_t>(source.row_order.size());
  linear->bias = ordered_bias(source, linear->out_size);
  if (source.ternary) {
    pack_ternary(source, *linear);
  } else {
    bind_float(source, *linear);
  }
  linear->resident_bytes += static_cast<int64_t>(linear->bias.size() * sizeof(float));
  return linear;
}

void CpuBackend::pack_ternary(const LinearSource& source, CpuLinear& linear) {
  const int64_t columns = linear.in_size;
  if (columns > kernel::kMaxTernaryColumns) {
    fail(ErrorKind::unsupported, "{}: ternary linears have at most {} columns, got {}",
         printable(source.weight->name), kernel::kMaxTernaryColumns, columns);
  }
  const codec::TernarySource codes(*source.weight);
  linear.ternary = true;
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

void CpuBackend::bind_float(const LinearSource& source, CpuLinear& linear) {
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

void CpuBackend::quantise(Activations& in) {
  const int64_t padded = padded_width(in.width);
  run(in.count * in.width, in.count, [&](int64_t row, int) {
    table_.quantise(in.values + row * in.width, in.width, padded, in.codes + row * padded,
                    in.inverse_scales + row, in.sums + row);
  });
  in.quantised = true;
}

void CpuBackend::linear(const Linear& weights, Activations& in, float* out, int64_t out_stride) {
  const auto& own = static_cast<const CpuLinear&>(weights);
  if (own.ternary) {
    if (!in.quantised) quantise(in);
    ternary_linear(own, in, out, out_stride);
  } else {
    float_linear(own, in, out, out_stride);
  }
}

void CpuBackend::ternary_linear(const CpuLinear& weights, const Activations& in, float* out,
                                int64_t out_stride) {
  const int64_t columns = kernel::t2_columns(weights.in_size);
  const int64_t strip_bytes = kernel::t2_strip_bytes(weights.in_size);
  const auto* strips = reinterpret_cast<const uint8_t*>(weights.strips.data());
  const int64_t work = in.count * weights.in_size * weights.out_size;
  run(work, strip_count(weights.out_size), [&](int64_t strip, int worker) {
    auto* dots = reinterpret_cast<int32_t*>(scratch_.of(worker));
    const int64_t first = strip * kStrip;
    const int64_t outputs = std::min(kStrip, weights.out_size - first);
    const float* bias = weights.bias.empty() ? nullptr : weights.bias.data() + first;
    for (int64_t row = 0; row < in.count; row += kRowBlock) {
      const int64_t rows = std::min(kRowBlock, in.count - row);
      table_.ternary_dots({strips + strip * strip_bytes, columns, in.codes + row * columns,
                           in.sums + row, rows, dots});
      table_.ternary_scale({dots, rows, outputs, in.inverse_scales + row, weights.scale, bias,
                            out + row * out_stride + first, out_stride});
    }
  });
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

void CpuBackend::float_linear(const CpuLinear& weights, const Activations& in, float* out,
                              int64_t out_stride) {
  const int64_t columns = weights.in_size;
  const int64_t work = in.count * columns * weights.out_size;
  run(work, strip_count(weights.out_size), [&](int64_t strip, int worker) {
    const int64_t end = std::min((strip + 1) * kStrip, weights.out_size);
    for (int64_t first = strip * kStrip; first < end; first += kDecodeRows) {
      const int64_t count = std::min(kDecodeRows, end - first);
      const bool direct = weights.direct != nullptr;
      const float* rows = direct ? weights.direct + first * columns
                                 : decoded_rows(weights, first, count, scratch_.of(worker));
      table_.float_dots({rows, count, direct ? columns : decoded_stride(columns), in.values,
                         in.count, in.width, columns, out + first, out_stride});
      if (weights.bias.empty()) continue;
      for (int64_t row = 0; row < in.count; ++row)
        table_.add(out + row * out_stride + first, weights.bias.data() + first, count);
    }
  });
}

}  // namespace bittern::backend
