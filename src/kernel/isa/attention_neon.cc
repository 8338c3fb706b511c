// Attention with NEON and SDOT. A virtual vector is four q registers; tiles keep at most 20 of the
// 32 registers for accumulators (24 made gcc 12 spill).
//
// int8: keys are stored plus 128, which an exclusive or takes away, so that SDOT has signed bytes
// on both sides and nothing is left to correct. Values are parted into those of even and of odd
// positions, widened to int16 and multiplied by SMLAL: 256 * 128 * 32767 fits an int32.
// The speed of this is unverified: it has run under an emulator only.

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/attention.h"
#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_neon.inl"
#include "kernel/isa/math.inl"

constexpr int kProductQueries = 5;
constexpr int product_vectors(int queries) { return queries == 1 ? 4 : queries == 2 ? 2 : 1; }

#include "kernel/isa/attention.inl"

// Sixteen keys (columns) are four q registers.
constexpr int kQuarters = 4;

// 16 * kVectors keys from `key` on.
template <int kQueries, int kVectors>
[[gnu::always_inline]] inline void key_tile(const KeyDots& job, int64_t query, int64_t key) {
  constexpr int kRegisters = kQuarters * kVectors;
  int32x4_t total[kQueries][kRegisters];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 16
    for (int v = 0; v < kRegisters; ++v) total[q][v] = vdupq_n_s32(0);
  }
  const int8_t* codes = job.codes + query * job.code_stride;
  const auto use = [&](const uint8_t* row, int64_t r) __attribute__((always_inline)) {
    int8x16_t x[kQueries];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const int32_t four = load_i32(codes + q * job.code_stride + r * kKeyCodeRow);
      x[q] = vreinterpretq_s8_s32(vdupq_n_s32(four));
    }
#pragma GCC unroll 16
    for (int v = 0; v < kRegisters; ++v) {
      const uint8x16_t raised = vld1q_u8(row + 16 * v);
      const int8x16_t keys = vreinterpretq_s8_u8(veorq_u8(raised, vdupq_n_u8(128)));
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) total[q][v] = vdotq_s32(total[q][v], keys, x[q]);
    }
  };
  each_key_row<kLanes * kVectors>(job, query, key, use);
#pragma GCC unroll 16
  for (int v = 0; v < kRegisters; ++v) {
    const float32x4_t scales = vld1q_f32(job.scales + key + 4 * v);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      vst1q_f32(job.out + (query + q) * job.out_stride + key + 4 * v,
                vmulq_f32(vcvtq_f32_s32(total[q][v]), scales));
    }
  }
}

struct KeyRun {
  static constexpr int kMost = kProductQueries;

  template <int kQueries>
  static void run(const KeyDots& job, int64_t query) {
    constexpr int kVectors = product_vectors(kQueries);
    for (int64_t key = 0; key < kPanelColumns; key += kLanes * kVectors)
      key_tile<kQueries, kVectors>(job, query, key);
  }
};

void key_dots(const KeyDots& job) { each_run<KeyRun>(job); }

// Sixteen columns of two positions.
struct Values {
  int16x8_t even[2], odd[2];
};

[[gnu::always_inline]] inline Values load_values(const uint8_t* row) {
  const int8x16_t low = vreinterpretq_s8_u8(vld1q_u8(row));
  const int8x16_t high = vreinterpretq_s8_u8(vld1q_u8(row + 16));
  const int8x16_t even = vuzp1q_s8(low, high), odd = vuzp2q_s8(low, high);
  return {{vmovl_s8(vget_low_s8(even)), vmovl_high_s8(even)},
          {vmovl_s8(vget_low_s8(odd)), vmovl_high_s8(odd)}};
}

struct ValueTile {
  template <int kQueries, int kVectors>
  [[gnu::always_inline]] static inline void multiply(const ValueDots& job, int64_t query,
                                                     int64_t vector) {
    constexpr int kRegisters = kQuarters * kVectors;
    int32x4_t total[kQueries][kRegisters];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 16
      for (int v = 0; v < kRegisters; ++v) total[q][v] = vdupq_n_s32(0);
    }
    const auto use = [&](const uint8_t* row, const int16_t* codes) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const Values values = load_values(row + 32 * v);
#pragma GCC unroll 8
        for (int q = 0; q < kQueries; ++q) {
          const int16x4_t x = vreinterpret_s16_s32(vdup_n_s32(load_i32(codes + q * kAttendChunk)));
#pragma GCC unroll 2
          for (int half = 0; half < 2; ++half) {
            int32x4_t& low = total[q][kQuarters * v + 2 * half];
            int32x4_t& high = total[q][kQuarters * v + 2 * half + 1];
            low = vmlal_lane_s16(low, vget_low_s16(values.even[half]), x, 0);
            low = vmlal_lane_s16(low, vget_low_s16(values.odd[half]), x, 1);
            high = vmlal_high_lane_s16(high, values.even[half], x, 0);
            high = vmlal_high_lane_s16(high, values.odd[half], x, 1);
          }
        }
      }
    };
    each_value_row<kVectors>(job, query, vector, use);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 16
      for (int v = 0; v < kRegisters; ++v) {
        vst1q_f32(job.out + (query + q) * job.out_stride + 16 * vector + 4 * v,
                  vmulq_n_f32(vcvtq_f32_s32(total[q][v]), job.factors[query + q]));
      }
    }
  }
};

void value_dots(const ValueDots& job) { each_run<ColumnRun<ValueTile>>(job); }

}  // namespace

constinit const AttentionKernels neon_attention = BITTERN_ATTENTION_TABLE("neon");

}  // namespace bittern::kernel
