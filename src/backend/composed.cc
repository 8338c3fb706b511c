// The operations of Backend that stand for several others, one after the other: what a device does
// that has no faster way, and the truth that its faster way is held to.
#include <algorithm>

#include "backend/backend.h"

namespace bittern::backend {

void Backend::normalise(const RowNorm& norm, const float* in, int64_t count, int64_t width,
                        float* out) {
  switch (norm.kind) {
    case RowNorm::Kind::none:
      if (out != in) std::copy_n(in, count * width, out);
      return;
    case RowNorm::Kind::rms:
      return rms_norm(in, norm.weight, norm.eps, count, width, out);
    case RowNorm::Kind::layer:
      return layer_norm(in, norm.weight, norm.bias, norm.eps, count, width, out);
  }
}

void Backend::head(const HeadCall& call, Activations& in) {
  linear(*call.weights, in, call.out, call.out_stride);
  const int64_t outputs = call.weights->out_size;
  const bool dense = call.out_stride == outputs;  // all rows are one run of elements
  const int64_t runs = dense ? 1 : in.count, elements = dense ? in.count * outputs : outputs;
  for (int64_t run = 0; run < runs; ++run) {
    float* logits = call.out + run * call.out_stride;
    if (call.scale != 1.0f) scale(logits, call.scale, elements);
    if (call.softcap > 0.0f) softcap(logits, call.softcap, elements);
  }
}

void Backend::join_rows(const RowJoin& rows) {
  const int64_t count = rows.count, width = rows.width;
  if (rows.branch != nullptr) {
    normalise(rows.branch_norm, rows.branch, count, width, rows.branch);
    if (rows.branch_scale == 1.0f) {
      add(rows.x, rows.branch, count * width);
    } else {
      add_scaled(rows.x, rows.branch, rows.branch_scale, count * width);
    }
    normalise(rows.sum_norm, rows.x, count, width, rows.x);
  }
  if (rows.out == nullptr) return;
  rows.out->start(count, width);
  normalise(rows.norm, rows.x, count, width, rows.out->values);
}

void Backend::gate_rows(const RowGate& rows) {
  rows.out->start(rows.count, rows.width);
  float* out = rows.out->values;
  gate(rows.activation, rows.gate, rows.up, rows.count * rows.width, out);
  normalise(rows.norm, out, rows.count, rows.width, out);
}

void Backend::turn_heads(std::span<const RowPlace> rows, std::span<const HeadTurn> parts) {
  const auto count = static_cast<int64_t>(rows.size());
  for (const HeadTurn& part : parts) {
    const int64_t row_width = part.head_count * part.head_dim;
    const int64_t norms = row_width / std::max<int64_t>(1, part.norm_width);
    if (part.norm.kind != RowNorm::Kind::none && part.own_weights) {
      for (int64_t i = 0; i < count * norms; ++i) {
        RowNorm own = part.norm;
        own.weight += i % norms * part.norm_width;
        if (own.bias != nullptr) own.bias += i % norms * part.norm_width;
        float* x = part.x + i * part.norm_width;
        normalise(own, x, 1, part.norm_width, x);
      }
    } else if (part.norm.kind != RowNorm::Kind::none) {
      normalise(part.norm, part.x, count * norms, part.norm_width, part.x);
    }
    if (part.rope != nullptr)
      rope(*part.rope, rows, part.head_count, part.head_dim, part.x, row_width);
  }
}

}  // namespace bittern::backend
