// T1.6 strips for AVX-512 with VBMI: what both files of it share (ternary_dense_avx512vbmi.cc,
// ternary_dense_avx512gfni.cc). The file defines before it
//
//   plane_codes(line, p)    the codes of plane p of a line of T2, two bits a byte
//   top_codes(bytes)        the two highest bits of each byte, likewise
//   kPrefetchBytes          how far ahead a strip that is read alone is asked for
//   kStripsOfOneRow, kStripsOfTwoRows   how many strips one or two rows read side by side
//   kDecodesAhead           whether a pass decodes a line before the products of the one before it
//
// A 64-byte line holds 16 rows x 20 columns, five codes a byte (pack.h, ternary_t16.inl); decoding
// one takes two tables of pair bytes and one of fifth codes, looked up by the low six bits of each
// byte:
//
//   k = bytes >= 192;   A = vpermb(pairs), where k vpermb(escaped pairs);
//   B = the two highest bits, where k vpermb(fifth)
//
// A is a line of T2. Up to four rows it is masked without shifts, as T2 is, B being the fifth codes
// times 64. From five rows on that would take more accumulators than there are, so the planes are
// brought down to bits 0 and 1, and two strips share the broadcasts of activations.

constexpr int64_t kPairAhead = 3072;  // in each strip of a pair; 1 and 6 KiB are slower
constexpr int kMostRows = 8;          // of a pass over a pair

struct Tables {
  Vector pairs, escaped_pairs, fifth;
};

[[gnu::always_inline]] inline Tables load_tables() {
  return {_mm512_loadu_si512(kDenseTables.pairs), _mm512_loadu_si512(kDenseTables.escaped_pairs),
          _mm512_loadu_si512(kDenseTables.fifth)};
}

struct Decoded {
  Vector pairs;  // a line of T2
  Vector fifth;  // codes; times 64 where `kHigh`
};

template <bool kHigh>
[[gnu::always_inline]] inline Decoded decode(const uint8_t* line, const Tables& tables) {
  const Vector first_escape = _mm512_set1_epi8(static_cast<char>(kFirstEscape));
  const Vector bytes = _mm512_loadu_si512(line);
  const __mmask64 escaped = _mm512_cmpge_epu8_mask(bytes, first_escape);
  const Vector pairs = _mm512_permutexvar_epi8(bytes, tables.pairs);
  const Vector plain = kHigh ? _mm512_and_si512(bytes, first_escape) : top_codes(bytes);
  const Vector fifth = kHigh ? tables.fifth : _mm512_srli_epi16(tables.fifth, 6);
  return {_mm512_mask_permutexvar_epi8(pairs, escaped, bytes, tables.escaped_pairs),
          _mm512_mask_permutexvar_epi8(plain, escaped, bytes, fifth)};
}

template <int kRows>
[[gnu::always_inline]] inline void add_pairs(Vector (*total)[5], Vector line, const int8_t* codes,
                                             int64_t row_columns) {
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p) {
    const Vector weights = mask_plane(line, p);
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) dot(total[j][p], weights, codes + j * row_columns + 4 * p);
  }
}

// One pass over kStrips strips side by side. Five accumulators a row: that of the fifth codes has
// the weight of plane 3.
template <int kRows, int kStrips>
void strips_times_few(const TernaryDots& job, int64_t strip) {
  constexpr int64_t kAhead = kPrefetchBytes / kStrips;
  const Tables tables = load_tables();
  const int64_t strip_bytes = job.strip_bytes, to_next = (kStrips - 1) * strip_bytes;
  const uint8_t* line = job.strips + strip * strip_bytes;
  // What is asked for goes on in the strips that follow where these end.
  const uint8_t* end = line + strip_bytes;
  const uint8_t* ahead = line + kAhead + (kAhead >= strip_bytes ? to_next : 0);
  Vector total[kStrips][kRows][5];
#pragma GCC unroll 4
  for (int s = 0; s < kStrips; ++s) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 8
      for (int p = 0; p < 5; ++p) total[s][j][p] = zero();
    }
  }
  int64_t k = 0;
  for (; k + kDenseColumns <= job.columns; k += kDenseColumns) {
    const int8_t* codes = job.codes + k;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i, line += 64, ahead += 64) {
      if (kStrips > 1 && ahead == end) ahead += to_next;
#pragma GCC unroll 4
      for (int s = 0; s < kStrips; ++s) {
        prefetch(ahead + s * strip_bytes);
        const Decoded weights = decode<true>(line + s * strip_bytes, tables);
        add_pairs<kRows>(total[s], weights.pairs, codes + 16 * i, job.columns);
#pragma GCC unroll 8
        for (int j = 0; j < kRows; ++j)
          dot(total[s][j][4], weights.fifth, codes + j * job.columns + 64 + 4 * i);
      }
    }
  }
  for (; k < job.columns; k += 16, line += 64) {
#pragma GCC unroll 4
    for (int s = 0; s < kStrips; ++s) {
      const Vector pairs = _mm512_loadu_si512(line + s * strip_bytes);
      add_pairs<kRows>(total[s], pairs, job.codes + k, job.columns);
    }
  }
#pragma GCC unroll 4
  for (int s = 0; s < kStrips; ++s) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) {
      const Vector* planes = total[s][j];
      const Vector dots = sum(sum_of_planes(planes), _mm512_srai_epi32(planes[4], 6));
      store_dwords(job.out + ((strip + s) * kRows + j) * kStripRows, sum(dots, set(-job.sums[j])));
    }
  }
}

template <int kRows, int kStrips = 1>
void few_rows(const TernaryDots& job) {
  int64_t strip = 0;
  for (; strip + kStrips <= job.strip_count; strip += kStrips)
    strips_times_few<kRows, kStrips>(job, strip);
  if constexpr (kStrips > 1) {
    for (; strip < job.strip_count; ++strip) strips_times_few<kRows, 1>(job, strip);
  }
}

// Four columns: a dword of codes of each row times the weights of each strip.
template <int kStrips, int kRows>
[[gnu::always_inline]] inline void add_columns(Vector (&total)[kStrips][kRows],
                                               const Vector (&weights)[kStrips],
                                               const int8_t* codes, int64_t row_columns) {
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
    const Vector activations = broadcast_codes(codes + j * row_columns);
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) dot(total[s][j], weights[s], activations);
  }
}

// Lines of T2, one of each strip. The highest plane first: of the orders tried the most even over 5
// to 8 rows (gcc 12, Zen 5).
template <int kStrips, int kRows>
[[gnu::always_inline]] inline void add_lines(Vector (&total)[kStrips][kRows],
                                             const Vector (&lines)[kStrips], const int8_t* codes,
                                             int64_t row_columns) {
#pragma GCC unroll 4
  for (int p = 3; p >= 0; --p) {
    Vector weights[kStrips];
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) weights[s] = plane_codes(lines[s], p);
    add_columns(total, weights, codes + 4 * p, row_columns);
  }
}

// A decoded line of each strip.
template <int kStrips>
struct Lines {
  Vector pairs[kStrips], fifth[kStrips];

  [[gnu::always_inline]] inline void decode_from(const uint8_t* line, int64_t strip_bytes,
                                                 const Tables& tables) {
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) {
      const Decoded weights = decode<false>(line + s * strip_bytes, tables);
      pairs[s] = weights.pairs;
      fifth[s] = weights.fifth;
    }
  }
  // Keeps the compiler from decoding after what is added to `total` from here on.
  [[gnu::always_inline]] inline void before(Vector& total) {
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s)
      asm volatile("" : "+v"(pairs[s]), "+v"(fifth[s]), "+v"(total));
  }
};

// kStrips strips times rows [row, row + kRows), or fewer: `rows` of them.
template <int kStrips, int kRows = kMostRows>
[[gnu::noinline]] void strips_times_rows(const TernaryDots& job, int64_t strip, int64_t row,
                                         int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return strips_times_rows<kStrips, kRows - 1>(job, strip, row, rows);
  }
  const Tables tables = load_tables();
  const uint8_t* line = job.strips + strip * job.strip_bytes;
  const int8_t* codes = job.codes + row * job.columns;
  Vector total[kStrips][kRows];
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) total[s][j] = set(-job.sums[row + j]);
  }
  // What is asked for goes on in the next pair where a strip ends.
  const int64_t to_next = (kStrips - 1) * job.strip_bytes;
  const uint8_t* end = line + job.strip_bytes;
  const uint8_t* ahead = line + kPairAhead + (kPairAhead >= job.strip_bytes ? to_next : 0);
  const int64_t blocks = job.columns / kDenseColumns;
  const uint8_t* last = line + blocks * kDenseBytes - 64;
  Lines<kStrips> now, next;
  if (kDecodesAhead && blocks > 0) next.decode_from(line, job.strip_bytes, tables);
  int64_t k = 0;
  for (; k + kDenseColumns <= job.columns; k += kDenseColumns) {
#pragma GCC unroll 1
    for (int64_t i = 0; i < 4; ++i, line += 64, ahead += 64) {
      if (ahead == end) ahead += to_next;
#pragma GCC unroll 2
      for (int s = 0; s < kStrips; ++s) prefetch(ahead + s * job.strip_bytes);
      if constexpr (kDecodesAhead) {
        now = next;
        next.decode_from(line == last ? line : line + 64, job.strip_bytes, tables);
        next.before(total[0][0]);
      } else {
        now.decode_from(line, job.strip_bytes, tables);
      }
      add_lines(total, now.pairs, codes + k + 16 * i, job.columns);
      add_columns(total, now.fifth, codes + k + 64 + 4 * i, job.columns);
    }
  }
  for (; k < job.columns; k += 16, line += 64) {
    Vector lines[kStrips];
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) lines[s] = _mm512_loadu_si512(line + s * job.strip_bytes);
    add_lines(total, lines, codes + k, job.columns);
  }
#pragma GCC unroll 2
  for (int s = 0; s < kStrips; ++s) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j)
      store_dwords(job.out + ((strip + s) * job.rows + row + j) * kStripRows, total[s][j]);
  }
}

// All rows of a job, more than four, times kStrips strips: the file's own.
template <int kStrips>
void strips_times_all(const TernaryDots& job, int64_t strip);

void many_rows(const TernaryDots& job) {
  int64_t strip = 0;
  for (; strip + 2 <= job.strip_count; strip += 2) strips_times_all<2>(job, strip);
  if (strip < job.strip_count) strips_times_all<1>(job, strip);
}

void dense_dots(const TernaryDots& job) {
  switch (job.rows) {
    case 0:
      return;
    case 1:
      return few_rows<1, kStripsOfOneRow>(job);
    case 2:
      return few_rows<2, kStripsOfTwoRows>(job);
    case 3:
      return few_rows<3>(job);
    case 4:
      return few_rows<4>(job);
    default:
      return many_rows(job);
  }
}
