// Q4_0 weights (blocks of 32 with an f16 scale) times activations of int8 with a scale for each
// 256: 512 outputs x 2560 columns. What ships does the arithmetic of kernel/block.h, which the
// first version does plainly; the others sum floats in another order and agree to rounding.
#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "base/half.h"
#include "base/random.h"
#include "codec/codec.h"
#include "kernel/block_buffers.h"
#include "kernel/block_pack.h"
#include "kernel/select.h"
#include "study.h"

namespace bittern::study {
namespace {

constexpr int64_t kOutputs = 512, kColumns = 2560, kBlocks = kColumns / kernel::kBlockColumns;
constexpr int64_t kRowBytes = kColumns / 32 * 18;

struct Problem {
  explicit Problem(int64_t row_count)
      : rows(row_count),
        bytes(kOutputs * kRowBytes),
        buffers(kBlocks, rows),
        in(buffers.rows()),
        decoded(kColumns),
        out(static_cast<size_t>(rows * kOutputs)) {
    random::Sequence draw(2);
    std::vector<float> values(static_cast<size_t>(kColumns));
    const codec::Codec& q4_0 = codec::get(codec::Id::q4_0);
    for (int64_t n = 0; n < kOutputs; ++n) {
      for (float& value : values) value = static_cast<float>(draw.uniform() * 2 - 1);
      q4_0.encode(values.data(), 1, kColumns, bytes.data() + n * kRowBytes);
    }
    for (int64_t m = 0; m < rows; ++m) {
      for (float& value : values) value = static_cast<float>(draw.uniform() * 2 - 1);
      kernel::scalar_table.block->quantise(values.data(), kColumns, kBlocks, in.from(m));
    }
    TensorView view;
    view.codec = codec::Id::q4_0;
    view.shape = {kOutputs, kColumns};
    view.bytes = bytes;
    layout = kernel::block_layout(codec::Id::q4_0);
    strip_bytes = kernel::block_strip_bytes(*layout, kColumns);
    const int64_t total = kernel::block_bytes(*layout, kOutputs, kColumns);
    packed.resize(static_cast<size_t>(total) + 64);
    for (int64_t n = 0; n < kOutputs; n += kernel::kBlockStripRows) {
      int64_t order[kernel::kBlockStripRows];
      for (int64_t i = 0; i < kernel::kBlockStripRows; ++i) order[i] = n + i;
      kernel::pack_block_strip(view, order, strip(n / kernel::kBlockStripRows));
    }
  }

  static uint8_t* aligned(std::vector<uint8_t>& buffer) {
    const auto address = reinterpret_cast<uintptr_t>(buffer.data());
    return buffer.data() + (64 - address % 64) % 64;
  }
  uint8_t* strip(int64_t index) { return aligned(packed) + index * strip_bytes; }
  const uint8_t* row_bytes(int64_t n) const {
    return reinterpret_cast<const uint8_t*>(bytes.data()) + n * kRowBytes;
  }
  // Of row m from column k on, within a block.
  const int8_t* codes_at(int64_t m, int64_t k) const {
    const int64_t block = k / kernel::kBlockColumns;
    return in.codes + (block * rows + m) * kernel::kBlockColumns + k % kernel::kBlockColumns;
  }
  float activation_scale(int64_t m, int64_t k) const {
    const int64_t block = k / kernel::kBlockColumns;
    const int64_t run = k % kernel::kBlockColumns / kernel::kBlockRun;
    return in.scales[(block * rows + m) * kernel::kBlockRuns + run];
  }

  int64_t rows;
  std::vector<std::byte> bytes;
  kernel::BlockBuffers buffers;
  kernel::BlockRows in;
  std::vector<float> decoded;
  std::vector<float> out;
  const kernel::BlockLayout* layout = nullptr;
  int64_t strip_bytes = 0;
  std::vector<uint8_t> packed;
};

float half_at(const uint8_t* bytes) {
  uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return f16_to_f32(bits);
}

// The arithmetic of kernel/block.h.
void naive(Problem& p) {
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < kOutputs; ++n) {
      float total = 0.0f;
      for (int64_t k = 0; k < kColumns; k += 32) {
        const uint8_t* block = p.row_bytes(n) + k / 32 * 18;
        const int8_t* codes = p.codes_at(m, k);
        int32_t dot = 0;
        for (int64_t j = 0; j < 16; ++j) {
          dot += ((block[2 + j] & 15) - 8) * codes[j];
          dot += ((block[2 + j] >> 4) - 8) * codes[j + 16];
        }
        total = std::fma(static_cast<float>(dot) * p.activation_scale(m, k), half_at(block), total);
      }
      p.out[static_cast<size_t>(m * kOutputs + n)] = total;
    }
  }
}

// What a program without kernels for the format does: the row as floats, then floats.
void decoded(Problem& p) {
  const codec::Codec& q4_0 = codec::get(codec::Id::q4_0);
  for (int64_t n = 0; n < kOutputs; ++n) {
    q4_0.decode(p.bytes.data(), kOutputs, kColumns, n, 1, p.decoded.data());
    for (int64_t m = 0; m < p.rows; ++m) {
      float total = 0.0f;
      for (int64_t k = 0; k < kColumns; ++k)
        total += p.decoded[static_cast<size_t>(k)] *
                 (static_cast<float>(*p.codes_at(m, k)) * p.activation_scale(m, k));
      p.out[static_cast<size_t>(m * kOutputs + n)] = total;
    }
  }
}

#if defined(__x86_64__)

// The usual AVX2 way: a block of 32 at a time from the file's own layout, the sign moved from the
// weights to the activations for vpmaddubsw, one float step for every block.
__attribute__((target("avx2,fma"))) void blocks_avx2(Problem& p) {
  const __m256i mask = _mm256_set1_epi8(15), eight = _mm256_set1_epi8(8);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < kOutputs; ++n) {
      __m256 total = _mm256_setzero_ps();
      for (int64_t k = 0; k < kColumns; k += 32) {
        const uint8_t* block = p.row_bytes(n) + k / 32 * 18;
        const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2));
        const __m256i both = _mm256_set_m128i(_mm_srli_epi16(packed, 4), packed);
        const __m256i weights = _mm256_sub_epi8(_mm256_and_si256(both, mask), eight);
        const __m256i codes =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p.codes_at(m, k)));
        const __m256i pairs =
            _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(codes, weights));
        const __m256 dots = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, ones));
        const __m256 scale = _mm256_set1_ps(half_at(block) * p.activation_scale(m, k));
        total = _mm256_fmadd_ps(dots, scale, total);
      }
      alignas(32) float lanes[8];
      _mm256_store_ps(lanes, total);
      float sum = 0.0f;
      for (const float lane : lanes) sum += lane;
      p.out[static_cast<size_t>(m * kOutputs + n)] = sum;
    }
  }
}

// Strips of 16 outputs, one at a time, a block of it unpacked to bytes and multiplied by tiles of
// 12 rows: an output a lane, no horizontal sums. Each broadcast serves one vpdpbusd, sums go to and
// fro memory, and what the zero is worth costs a multiplication for each vector of them.
__attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))) void one_strip(
    Problem& p) {
  constexpr int64_t kTile = 12;
  const __m512i mask = _mm512_set1_epi8(15), eight = _mm512_set1_epi32(-8);
  alignas(64) uint8_t unpacked[kernel::kBlockColumns * kernel::kBlockStripRows];
  const int64_t block_bytes = p.strip_bytes / kBlocks;
  const int64_t scales_at = kernel::block_offsets(*p.layout).scales;
  std::fill(p.out.begin(), p.out.end(), 0.0f);
  for (int64_t n = 0; n < kOutputs; n += kernel::kBlockStripRows) {
    for (int64_t b = 0; b < kBlocks; ++b) {
      const uint8_t* block = p.strip(n / kernel::kBlockStripRows) + b * block_bytes;
      for (int64_t line = 0; line < scales_at; line += 64) {
        const __m512i codes = _mm512_loadu_si512(block + line);
        _mm512_storeu_si512(unpacked + 2 * line, _mm512_and_si512(codes, mask));
        _mm512_storeu_si512(unpacked + 2 * line + 64,
                            _mm512_and_si512(_mm512_srli_epi16(codes, 4), mask));
      }
      for (int64_t first = 0; first < p.rows; first += kTile) {
        const int64_t count = std::min(kTile, p.rows - first);
        const int64_t at = b * p.rows + first;
        for (int64_t run = 0; run < kernel::kBlockRuns; ++run) {
          __m512i dots[kTile];
          for (int64_t r = 0; r < count; ++r) {
            const int32_t* sums = p.in.sums + (at + r) * kernel::kBlockSums + 16;
            dots[r] = _mm512_mullo_epi32(eight, _mm512_set1_epi32(sums[run]));
          }
          for (int64_t k = 0; k < kernel::kBlockRun; k += 4) {
            const int64_t column = run * kernel::kBlockRun + k;
            const __m512i weights = _mm512_load_si512(unpacked + column * 16);
            for (int64_t r = 0; r < count; ++r) {
              int32_t four;
              std::memcpy(&four, p.in.codes + (at + r) * kernel::kBlockColumns + column, 4);
              dots[r] = _mm512_dpbusd_epi32(dots[r], weights, _mm512_set1_epi32(four));
            }
          }
          const __m512 scale = _mm512_cvtph_ps(
              _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + scales_at + run * 32)));
          for (int64_t r = 0; r < count; ++r) {
            const float of_row = p.in.scales[(at + r) * kernel::kBlockRuns + run];
            float* out = p.out.data() + (first + r) * kOutputs + n;
            const __m512 product =
                _mm512_mul_ps(_mm512_cvtepi32_ps(dots[r]), _mm512_set1_ps(of_row));
            _mm512_storeu_ps(out, _mm512_fmadd_ps(product, scale, _mm512_loadu_ps(out)));
          }
        }
      }
    }
  }
}

#endif

void shipped(Problem& p, const kernel::Table& table) {
  constexpr int64_t kStep = kernel::kBlockStrips * kernel::kBlockStripRows;
  static_assert(kOutputs % kStep == 0);
  p.buffers.make_starts(*table.block, *p.layout);
  for (int64_t n = 0; n < kOutputs; n += kStep) {
    table.block->dots({.layout = p.layout,
                       .strip = p.strip(n / kernel::kBlockStripRows),
                       .strips = kernel::kBlockStrips,
                       .strip_bytes = p.strip_bytes,
                       .blocks = kBlocks,
                       .in = p.in,
                       .rows = p.rows,
                       .outputs = kStep,
                       .bias = nullptr,
                       .out = p.out.data() + n,
                       .stride = kOutputs});
  }
}

}  // namespace

Study q4_study(int64_t rows) {
  const auto problem = std::make_shared<Problem>(rows);
  const auto result = [problem] { return problem->out; };
  const auto version = [&](std::string_view name, std::string_view idea, double tolerance,
                           auto body) {
    return Version{name,   idea,      [problem, body] { body(*problem); },
                   result, tolerance, static_cast<double>(kOutputs * kRowBytes)};
  };
  Study study{rows == 1 ? "4-bit GEMV (Q4_0)" : "4-bit GEMM (Q4_0)",
              std::to_string(rows) + " x 2560 x 512",
              2.0 * static_cast<double>(rows * kOutputs * kColumns),
              {}};
  auto& list = study.versions;
  list.push_back(version("v0 naive", "integers of each block of 32, a loop", 0.0, naive));
  list.push_back(version("v1 decoded", "rows decoded to f32, float products", 1e-5, decoded));
#if defined(__x86_64__)
  if (has_avx2())
    list.push_back(
        version("v2 AVX2, by blocks", "vpmaddubsw over the file's blocks", 1e-5, blocks_avx2));
  if (has_avx512_vnni())
    list.push_back(version("v3 AVX-512, a strip", "an output a lane, 12 rows a tile, one strip",
                           0.0, one_strip));
#endif
  for (const kernel::Candidate& candidate : kernel::candidates()) {
    if ((candidate.features & ~cpu_features()) != 0) continue;
    const kernel::Table* table = candidate.table;
    list.push_back(version(table->block->name, "shipped: strips side by side share broadcasts", 0.0,
                           [table](Problem& p) { shipped(p, *table); }));
  }
  return study;
}

}  // namespace bittern::study
