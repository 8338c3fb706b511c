// Several row operations in one region, a row at a time: what one leaves is still in cache when
// the next reads it, and one row alone, as in decoding, costs no region at all. A row goes through
// the kernels of the plain operations in their order, so its bits are theirs.

#include <algorithm>

#include "backend/cpu/device.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

// What an element of a row costs, in multiply-adds of a linear layer, from the sum to the codes.
constexpr int64_t kJoinWork = 8;

}  // namespace

void CpuBackend::norm_row(const RowNorm& norm, const float* in, int64_t width, float* out) const {
  switch (norm.kind) {
    case RowNorm::Kind::none:
      if (out != in) std::copy_n(in, width, out);
      return;
    case RowNorm::Kind::rms:
      return table_.rms_norm(in, norm.weight, norm.eps, width, out);
    case RowNorm::Kind::layer:
      return table_.layer_norm(in, norm.weight, norm.bias, norm.eps, width, out);
  }
}

void CpuBackend::code_row(Activations& out, Codes codes, int64_t row) const {
  const float* values = out.values + row * out.width;
  switch (codes) {
    case Codes::none:
      return;
    case Codes::row: {
      const int64_t padded = padded_width(out.width);
      return table_.quantise(values, out.width, padded, out.codes + row * padded,
                             out.inverse_scales + row, out.sums + row);
    }
    case Codes::bf16:
      return round_row(out, row);
    case Codes::block:
      return table_.block->quantise(values, out.width, code_blocks(out.width),
                                    block_rows(out).from(row));
  }
}

void CpuBackend::join_row(const RowJoin& rows, int64_t row) const {
  const int64_t width = rows.width;
  float* x = rows.x + row * width;
  if (rows.branch != nullptr) {
    float* y = rows.branch + row * width;
    norm_row(rows.branch_norm, y, width, y);
    if (rows.branch_scale == 1.0f) {
      table_.add(x, y, width);
    } else {
      table_.add_scaled(x, y, rows.branch_scale, width);
    }
    norm_row(rows.sum_norm, x, width, x);
  }
  if (rows.out == nullptr) return;
  norm_row(rows.norm, x, width, rows.out->values + row * width);
  code_row(*rows.out, rows.codes, row);
}

void CpuBackend::join_rows(const RowJoin& rows) {
  if (rows.out != nullptr) rows.out->start(rows.count, rows.width);
  run(rows.count * rows.width * kJoinWork, rows.count,
      [&](int64_t row, int) { join_row(rows, row); });
  if (rows.out != nullptr) rows.out->coded(rows.codes);
}

void CpuBackend::gate_rows(const RowGate& rows) {
  const int64_t width = rows.width;
  const kernel::Gate kind = gate_kind(rows.activation);
  Activations& out = *rows.out;
  out.start(rows.count, width);
  // Too few rows for the threads: the elements are shared out first.
  const bool by_element = rows.count < pool_.thread_count();
  if (by_element) gate(rows.activation, rows.gate, rows.up, rows.count * width, out.values);
  run(rows.count * width * (kJoinWork + kGateWork), rows.count, [&](int64_t row, int) {
    const int64_t first = row * width;
    float* values = out.values + first;
    if (!by_element) {
      const float* up = rows.up == nullptr ? nullptr : rows.up + first;
      table_.gate(kind, rows.gate + first, up, width, values);
    }
    norm_row(rows.norm, values, width, values);
    code_row(out, rows.codes, row);
  });
  out.coded(rows.codes);
}

void CpuBackend::turn_row(const HeadTurn& part, const RowPlace& place, int64_t row) const {
  const int64_t row_width = part.head_count * part.head_dim;
  float* x = part.x + row * row_width;
  if (part.norm.kind != RowNorm::Kind::none) {
    RowNorm norm = part.norm;
    for (int64_t at = 0; at < row_width; at += part.norm_width) {
      norm_row(norm, x + at, part.norm_width, x + at);
      if (!part.own_weights) continue;
      norm.weight += part.norm_width;
      if (norm.bias != nullptr) norm.bias += part.norm_width;
    }
  }
  if (part.rope == nullptr) return;
  const RopeTable& table = *part.rope;
  const int64_t half = table.dim / 2;
  const int64_t angle = place.position * half;
  for (int64_t head = 0; head < part.head_count; ++head) {
    table_.rotate(table.pairing == RopePairing::interleaved, table.cosine.data() + angle,
                  table.sine.data() + angle, half, x + head * part.head_dim);
  }
}

void CpuBackend::turn_heads(std::span<const RowPlace> rows, std::span<const HeadTurn> parts) {
  int64_t work = 0;
  for (const HeadTurn& part : parts) {
    work += part.head_count * part.head_dim * kJoinWork;
    if (part.rope == nullptr) continue;
    for (const RowPlace& row : rows) {
      BITTERN_CHECK(row.position >= 0 && row.position < part.rope->positions, "position {} of {}",
                    row.position, part.rope->positions);
    }
  }
  const auto count = static_cast<int64_t>(rows.size());
  run(count * work, count, [&](int64_t row, int) {
    for (const HeadTurn& part : parts) turn_row(part, rows[static_cast<size_t>(row)], row);
  });
}

}  // namespace bittern::backend
