// Attention in portable C++: the truth that the other tables are held to.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/attention.h"
#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_scalar.inl"
#include "kernel/isa/math.inl"

constexpr int kProductQueries = 2;
constexpr int product_vectors(int) { return 1; }

#include "kernel/isa/attention.inl"

void key_dots(const KeyDots& job) {
  for (int64_t m = 0; m < job.queries; ++m) {
    const int8_t* codes = job.codes + m * job.code_stride;
    int32_t total[kPanelColumns];
    for (int32_t& of_key : total) of_key = -128 * job.sums[m];
    for (int64_t r = 0; r < job.rows; ++r) {
      const uint8_t* row = job.keys + r * kPanelColumns * kKeyCodeRow;
      for (int64_t n = 0; n < kPanelColumns; ++n) {
        for (int64_t i = 0; i < kKeyCodeRow; ++i)
          total[n] += row[n * kKeyCodeRow + i] * codes[r * kKeyCodeRow + i];
      }
    }
    for (int64_t n = 0; n < kPanelColumns; ++n)
      job.out[m * job.out_stride + n] = static_cast<float>(total[n]) * job.scales[n];
  }
}

void value_dots(const ValueDots& job) {
  for (int64_t m = 0; m < job.queries; ++m) {
    int32_t total[kPanelColumns] = {};
    for (int64_t piece = 0; piece < job.piece_count; ++piece) {
      const PanelPiece& rows = job.pieces[piece];
      const int16_t* codes = job.codes + m * kAttendChunk + rows.first * kValueCodeRow;
      const auto* values = static_cast<const int8_t*>(rows.rows);
      for (int64_t r = 0; r < rows.count; ++r) {
        for (int64_t c = 0; c < job.columns; ++c) {
          for (int64_t i = 0; i < kValueCodeRow; ++i) {
            total[c] +=
                values[(r * job.columns + c) * kValueCodeRow + i] * codes[r * kValueCodeRow + i];
          }
        }
      }
    }
    for (int64_t c = 0; c < job.columns; ++c)
      job.out[m * job.out_stride + c] = static_cast<float>(total[c]) * job.factors[m];
  }
}

}  // namespace

constinit const AttentionKernels scalar_attention = BITTERN_ATTENTION_TABLE("scalar");

}  // namespace bittern::kernel
