// Row operations: each row, head or block of elements is a task of its own.

#include <algorithm>
#include <bit>

#include "backend/cpu/device.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

constexpr int64_t kElementBlock = 4096;  // elements of one task in elementwise operations
// What an element of an embedding costs, in multiply-adds of a linear layer: a row that no step has
// read before also costs a page fault.
constexpr int64_t kEmbedWork = 64;

int64_t block_count(int64_t elements) { return (elements + kElementBlock - 1) / kElementBlock; }

}  // namespace

kernel::Gate gate_kind(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return kernel::Gate::silu;
    case Activation::relu:
      return kernel::Gate::relu;
    case Activation::relu2:
      return kernel::Gate::relu2;
    case Activation::gelu:
      return kernel::Gate::gelu;
    case Activation::gelu_tanh:
      return kernel::Gate::gelu_tanh;
  }
  return kernel::Gate::silu;
}

void CpuBackend::embed(const TensorView& table, std::span<const int32_t> ids, float* out) {
  const int64_t width = table.columns();
  const kernel::Decode decode = table.scale == 1.0f ? fast_decode(table_, table.codec) : nullptr;
  const int64_t row_bytes =
      decode == nullptr ? 0 : codec::get(table.codec).tensor_bytes(1, width).value_or(0);
  const auto count = static_cast<int64_t>(ids.size());
  for (const int32_t id : ids) {
    BITTERN_CHECK(id >= 0 && id < table.rows(), "{}: row {} of {}", printable(table.name), id,
                  table.rows());
  }
  run(count * width * kEmbedWork, count, [&](int64_t row, int) {
    const int64_t id = ids[static_cast<size_t>(row)];
    if (decode != nullptr) {
      decode(table.bytes.data() + id * row_bytes, width, out + row * width);
    } else {
      decode_rows(table, id, 1, out + row * width);
    }
  });
}

void CpuBackend::rms_norm(const float* in, const float* weight, float eps, int64_t count,
                          int64_t width, float* out) {
  run(count * width, count, [&](int64_t row, int) {
    table_.rms_norm(in + row * width, weight, eps, width, out + row * width);
  });
}

void CpuBackend::layer_norm(const float* in, const float* weight, const float* bias, float eps,
                            int64_t count, int64_t width, float* out) {
  run(count * width, count, [&](int64_t row, int) {
    table_.layer_norm(in + row * width, weight, bias, eps, width, out + row * width);
  });
}

void CpuBackend::rope(const RopeTable& table, std::span<const RowPlace> rows, int64_t head_count,
                      int64_t head_dim, float* x, int64_t stride) {
  const int64_t half = table.dim / 2;
  const bool interleaved = table.pairing == RopePairing::interleaved;
  const auto count = static_cast<int64_t>(rows.size());
  for (const RowPlace& row : rows) {
    BITTERN_CHECK(row.position >= 0 && row.position < table.positions, "position {} of {}",
                  row.position, table.positions);
  }
  run(count * head_count * table.dim, count, [&](int64_t row, int) {
    const int64_t angle = rows[static_cast<size_t>(row)].position * half;
    for (int64_t head = 0; head < head_count; ++head) {
      table_.rotate(interleaved, table.cosine.data() + angle, table.sine.data() + angle, half,
                    x + row * stride + head * head_dim);
    }
  });
}

void CpuBackend::gate(Activation activation, const float* gate, const float* up, int64_t elements,
                      float* out) {
  const kernel::Gate kind = gate_kind(activation);
  run(elements * kGateWork, block_count(elements), [&](int64_t block, int) {
    const int64_t first = block * kElementBlock;
    const int64_t count = std::min(kElementBlock, elements - first);
    table_.gate(kind, gate + first, up == nullptr ? nullptr : up + first, count, out + first);
  });
}

void CpuBackend::add(float* x, const float* y, int64_t elements) {
  run(elements, block_count(elements), [&](int64_t block, int) {
    const int64_t first = block * kElementBlock;
    table_.add(x + first, y + first, std::min(kElementBlock, elements - first));
  });
}

void CpuBackend::add_scaled(float* x, const float* y, float factor, int64_t elements) {
  run(elements, block_count(elements), [&](int64_t block, int) {
    const int64_t first = block * kElementBlock;
    table_.add_scaled(x + first, y + first, factor, std::min(kElementBlock, elements - first));
  });
}

void CpuBackend::scale(float* x, float factor, int64_t elements) {
  run(elements, block_count(elements), [&](int64_t block, int) {
    const int64_t first = block * kElementBlock;
    table_.scale(x + first, std::min(kElementBlock, elements - first), factor);
  });
}

void CpuBackend::softcap(float* x, float cap, int64_t elements) {
  run(elements * kGateWork, block_count(elements), [&](int64_t block, int) {
    const int64_t first = block * kElementBlock;
    table_.softcap(x + first, cap, std::min(kElementBlock, elements - first));
  });
}

void CpuBackend::hadamard(const float* in, const float* signs, int64_t block, bool inverse,
                          int64_t count, int64_t width, float* out) {
  BITTERN_CHECK(block > 0 && (block & (block - 1)) == 0 && width % block == 0, "block {} of {}",
                block, width);
  const auto turn = [&](float* row) {
    if (signs == nullptr) return;
    for (int64_t i = 0; i < width; ++i) row[i] = row[i] * signs[i];
  };
  const int64_t stages = std::bit_width(static_cast<uint64_t>(block));
  run(count * width * stages, count, [&](int64_t index, int) {
    float* row = out + index * width;
    if (out != in) std::copy_n(in + index * width, width, row);
    if (!inverse) turn(row);
    for (int64_t at = 0; at < width; at += block) table_.hadamard(row + at, block);
    if (inverse) turn(row);
  });
}

}  // namespace bittern::backend
