// Ternary weights times int8 activations, 512 outputs x 2560 columns, from a byte a weight to the
// packed strips that ship. All sums are exact, so all versions agree bit for bit.
#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstring>
#include <memory>

#include "base/random.h"
#include "kernel/pack.h"
#include "kernel/select.h"
#include "study.h"

namespace bittern::study {
namespace {

constexpr int64_t kOutputs = 512, kColumns = 2560;

struct Problem {
  explicit Problem(int64_t row_count)
      : rows(row_count),
        weights(kOutputs * kColumns),
        planes(kOutputs * kColumns / 4),
        strips(static_cast<size_t>(kernel::t2_bytes(kOutputs, kColumns)) + 64 * 256),
        codes(static_cast<size_t>(rows * kColumns)),
        sums(static_cast<size_t>(rows)),
        out(static_cast<size_t>(rows * kOutputs)) {
    random::Sequence draw(1);
    for (int8_t& weight : weights)
      weight = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
    for (int64_t i = 0; i < rows * kColumns; ++i) {
      const auto code = static_cast<int8_t>(static_cast<int>(draw.below(255)) - 127);
      codes[static_cast<size_t>(i)] = code;
      sums[static_cast<size_t>(i / kColumns)] += code;
    }
    // Row-major planes: weight 64 p + j of a run of 256 in bits 2p of byte j.
    for (int64_t i = 0; i < kOutputs * kColumns; ++i) {
      const int64_t run = i / 256, plane = i % 256 / 64, byte = i % 64;
      planes[static_cast<size_t>(run * 64 + byte)] |=
          static_cast<uint8_t>((weights[static_cast<size_t>(i)] + 1) << 2 * plane);
    }
    for (int64_t n = 0; n < kOutputs; n += kernel::kStripRows) {
      kernel::t2_pack_strip(
          weights.data() + n * kColumns, kernel::kStripRows, kColumns,
          strips.data() + n / kernel::kStripRows * kernel::t2_strip_bytes(kColumns));
    }
  }

  int64_t rows;
  std::vector<int8_t> weights;
  std::vector<uint8_t> planes, strips;
  std::vector<int8_t> codes;
  std::vector<int32_t> sums;
  std::vector<int32_t> out;  // [rows, outputs], of strips [strip, rows, 16]
  bool in_strips = false;

  std::vector<float> result() const {
    std::vector<float> values(out.size());
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t n = 0; n < kOutputs; ++n) {
        const int64_t strip = n / kernel::kStripRows, lane = n % kernel::kStripRows;
        const int64_t at =
            in_strips ? (strip * rows + m) * kernel::kStripRows + lane : m * kOutputs + n;
        values[static_cast<size_t>(m * kOutputs + n)] =
            static_cast<float>(out[static_cast<size_t>(at)]);
      }
    }
    return values;
  }
};

void naive(Problem& p) {
  p.in_strips = false;
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < kOutputs; ++n) {
      int32_t sum = 0;
      for (int64_t k = 0; k < kColumns; ++k)
        sum += p.weights[static_cast<size_t>(n * kColumns + k)] *
               p.codes[static_cast<size_t>(m * kColumns + k)];
      p.out[static_cast<size_t>(m * kOutputs + n)] = sum;
    }
  }
}

void packed_scalar(Problem& p) {
  p.in_strips = false;
  for (int64_t m = 0; m < p.rows; ++m) {
    const int8_t* codes = p.codes.data() + m * kColumns;
    for (int64_t n = 0; n < kOutputs; ++n) {
      const uint8_t* runs = p.planes.data() + n * kColumns / 4;
      int32_t sum = -p.sums[static_cast<size_t>(m)];
      for (int64_t k = 0; k < kColumns; k += 256, runs += 64) {
        for (int64_t j = 0; j < 64; ++j) {
          for (int64_t plane = 0; plane < 4; ++plane)
            sum += (runs[j] >> 2 * plane & 3) * codes[k + 64 * plane + j];
        }
      }
      p.out[static_cast<size_t>(m * kOutputs + n)] = sum;
    }
  }
}

#if defined(__x86_64__)

// The usual AVX2 way: shift every plane down, vpmaddubsw, widen, and sum the lanes of each output.
__attribute__((target("avx2"))) void shifted_avx2(Problem& p) {
  p.in_strips = false;
  const __m256i mask = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
  for (int64_t m = 0; m < p.rows; ++m) {
    const int8_t* codes = p.codes.data() + m * kColumns;
    for (int64_t n = 0; n < kOutputs; ++n) {
      const uint8_t* runs = p.planes.data() + n * kColumns / 4;
      __m256i total = _mm256_setzero_si256();
      for (int64_t k = 0; k < kColumns; k += 256, runs += 64) {
        for (int64_t half = 0; half < 64; half += 32) {
          const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(runs + half));
          __m256i narrow = _mm256_setzero_si256();
          const __m256i plane[4] = {packed, _mm256_srli_epi16(packed, 2),
                                    _mm256_srli_epi16(packed, 4), _mm256_srli_epi16(packed, 6)};
          for (int64_t i = 0; i < 4; ++i) {
            const __m256i four =
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + k + 64 * i + half));
            narrow = _mm256_add_epi16(narrow,
                                      _mm256_maddubs_epi16(_mm256_and_si256(plane[i], mask), four));
          }
          total = _mm256_add_epi32(total, _mm256_madd_epi16(narrow, ones));
        }
      }
      alignas(32) int32_t lanes[8];
      _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), total);
      int32_t sum = -p.sums[static_cast<size_t>(m)];
      for (const int32_t lane : lanes) sum += lane;
      p.out[static_cast<size_t>(m * kOutputs + n)] = sum;
    }
  }
}

// Row-major with vpdpbusd: planes masked, never shifted, each into an accumulator of its own; one
// sum over lanes for each output.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) void masked_avx512(Problem& p) {
  p.in_strips = false;
  const __m512i mask = _mm512_set1_epi8(3);
  const __m512i masks[4] = {mask, _mm512_slli_epi16(mask, 2), _mm512_slli_epi16(mask, 4),
                            _mm512_slli_epi16(mask, 6)};
  for (int64_t m = 0; m < p.rows; ++m) {
    const int8_t* codes = p.codes.data() + m * kColumns;
    for (int64_t n = 0; n < kOutputs; ++n) {
      const uint8_t* runs = p.planes.data() + n * kColumns / 4;
      __m512i total[4];
      for (__m512i& plane : total) plane = _mm512_setzero_si512();
      for (int64_t k = 0; k < kColumns; k += 256, runs += 64) {
        const __m512i packed = _mm512_loadu_si512(runs);
        for (int64_t i = 0; i < 4; ++i) {
          total[i] = _mm512_dpbusd_epi32(total[i], _mm512_and_si512(packed, masks[i]),
                                         _mm512_loadu_si512(codes + k + 64 * i));
        }
      }
      const __m512i low = _mm512_add_epi32(total[0], _mm512_srai_epi32(total[1], 2));
      const __m512i high =
          _mm512_add_epi32(_mm512_srai_epi32(total[2], 4), _mm512_srai_epi32(total[3], 6));
      p.out[static_cast<size_t>(m * kOutputs + n)] =
          _mm512_reduce_add_epi32(_mm512_add_epi32(low, high)) - p.sums[static_cast<size_t>(m)];
    }
  }
}

#endif

void shipped(Problem& p, const kernel::Table& table) {
  p.in_strips = true;
  const int64_t bytes = kernel::t2_strip_bytes(kColumns);
  constexpr int64_t kStrips = kOutputs / kernel::kStripRows;
  for (int64_t strip = 0; strip < kStrips; strip += kernel::kTernaryStrips) {
    table.ternary->dots({.strips = p.strips.data() + strip * bytes,
                         .strip_count = kernel::kTernaryStrips,
                         .strip_bytes = bytes,
                         .columns = kColumns,
                         .codes = p.codes.data(),
                         .sums = p.sums.data(),
                         .rows = p.rows,
                         .out = p.out.data() + strip * p.rows * kernel::kStripRows});
  }
}

}  // namespace

Study ternary_study(int64_t rows) {
  const auto problem = std::make_shared<Problem>(rows);
  const auto result = [problem] { return problem->result(); };
  const auto version = [&](std::string_view name, std::string_view idea, double bytes, auto body) {
    return Version{name, idea, [problem, body] { body(*problem); }, result, 0.0, bytes};
  };
  constexpr double kBytes = double{kOutputs} * kColumns;
  Study study{rows == 1 ? "ternary GEMV" : "ternary GEMM",
              std::to_string(rows) + " x 2560 x 512",
              2.0 * static_cast<double>(rows) * kBytes,
              {}};
  auto& list = study.versions;
  list.push_back(version("v0 naive", "a byte for each weight", kBytes, naive));
  list.push_back(version("v1 packed", "2 bits a weight, a loop", kBytes / 4, packed_scalar));
#if defined(__x86_64__)
  if (has_avx2())
    list.push_back(
        version("v2 AVX2, shifted", "planes shifted down, vpmaddubsw", kBytes / 4, shifted_avx2));
  if (has_avx512_vnni())
    list.push_back(version("v3 AVX-512 VNNI, masked", "planes masked in place, an accumulator each",
                           kBytes / 4, masked_avx512));
#endif
  for (const kernel::Candidate& candidate : kernel::candidates()) {
    if ((candidate.features & ~cpu_features()) != 0) continue;
    const kernel::Table* table = candidate.table;
    list.push_back(version(table->ternary->name,
                           "shipped: strips of 16 outputs, no sums over lanes", kBytes / 4,
                           [table](Problem& p) { shipped(p, *table); }));
  }
  return study;
}

}  // namespace bittern::study
