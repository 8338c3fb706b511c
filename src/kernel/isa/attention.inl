// What every table of attention shares: products of floats, softmax, codes of weights and the
// join of chunks, over the 16-lane vector. See kernel/attention.h for panels and arithmetic.
//
// An ISA file includes its lanes_*.inl and math.inl first and says how large a tile of a product
// its registers hold: kProductQueries, and for each count of queries product_vectors(). A tile
// never touches the arithmetic: an output is one chain of fused multiply-adds over the rows.

typedef uint32_t UintPart __attribute__((vector_size(kPartBytes)));
typedef int16_t ShortPart __attribute__((vector_size(kPartBytes / 2)));

// 2^x for x at most a little above 0; zero below -126. A NaN stays.
//
// x = n + r, n an integer, |r| <= 1/2 (exact); 2^r = 1 + r Q(r), Q of degree 5 interpolated at
// Chebyshev nodes: 9.2e-9 relative before rounding. n is added to the exponent's bits, which it
// reaches through the low bits of x + 1.5 * 2^23.
[[gnu::always_inline]] inline Lanes power(const Lanes& x) {
  const Lanes magic = broadcast(kRoundingMagic);
  const Lanes shifted = x + magic;
  const Lanes r = x - (shifted - magic);
  Lanes q = broadcast(0.0001545316336f);
  q = fma(q, r, broadcast(0.001339086331f));
  q = fma(q, r, broadcast(0.009618083015f));
  q = fma(q, r, broadcast(0.05550356954f));
  q = fma(q, r, broadcast(0.2402265072f));
  q = fma(q, r, broadcast(0.6931471825f));
  q = fma(q, r, broadcast(1.0f));
  const Lanes least = larger(broadcast(0.0f), x);  // 0, or NaN
  Lanes result;
  for (int i = 0; i < kParts; ++i) {
    const UintPart bits =
        reinterpret_cast<UintPart>(q.part[i]) + (reinterpret_cast<UintPart>(shifted.part[i]) << 23);
    const FloatPart scaled = reinterpret_cast<FloatPart>(bits);
    result.part[i] = x.part[i] >= -126.0f ? scaled : least.part[i];
  }
  return result;
}

void softmax(ChunkSoftmax& job) {
  float* const scores = job.scores;
  const int64_t first = job.begin / kLanes * kLanes;
  const int64_t last = (job.end + kLanes - 1) / kLanes * kLanes;
  float factor = job.factor;
  if (job.softcap > 0.0f) {
    const Lanes cap = broadcast(job.softcap), scale = broadcast(factor);
    for (int64_t i = first; i < last; i += kLanes) {
      const Lanes capped = cap * hyperbolic_tangent((load(scores + i) * scale) / cap);
      store(scores + i, capped * broadcast(1.44269504f));
    }
    factor = 1.0f;
  }
  for (int64_t i = first; i < job.begin; ++i) scores[i] = -__builtin_inff();
  for (int64_t i = job.end; i < last; ++i) scores[i] = -__builtin_inff();

  Lanes found = broadcast(-__builtin_inff());
  for (int64_t i = first; i < last; i += kLanes) found = larger(load(scores + i), found);
  job.maximum = largest(found) * factor;
  const Lanes scale = broadcast(factor), maximum = broadcast(job.maximum);
  Lanes total = broadcast(0.0f);
  for (int64_t i = first; i < last; i += kLanes) {
    const Lanes weight = power(load(scores + i) * scale - maximum);
    total = total + weight;
    store(scores + i, weight);
  }
  job.sum = sum(total);
}

[[gnu::always_inline]] inline Lanes scaled_weights(const ValueCodes& job, int64_t i) {
  return load(job.weights + i) * load(job.scales[i / kPanelColumns] + i % kPanelColumns);
}

void value_codes(ValueCodes& job) {
  const int64_t first = job.begin / kLanes * kLanes;
  const int64_t last = (job.end + kLanes - 1) / kLanes * kLanes;
  Lanes found = broadcast(0.0f);
  for (int64_t i = first; i < last; i += kLanes) found = larger(scaled_weights(job, i), found);
  const float top = largest(found);
  const bool some = top >= 1e-30f;  // below, 32767 / top would overflow
  const Lanes factor = broadcast(some ? 32767.0f / top : 0.0f);
  job.factor = some ? top / 32767.0f : 0.0f;
  for (int64_t i = first; i < last; i += kLanes) {
    const Lanes codes = smaller(scaled_weights(job, i) * factor, broadcast(32767.0f));
    for (int p = 0; p < kParts; ++p) {
      const IntPart bits = reinterpret_cast<IntPart>(codes.part[p] + kRoundingMagic) & 0x7fff;
      const ShortPart narrow = __builtin_convertvector(bits, ShortPart);
      __builtin_memcpy(job.codes + i + p * kPartLanes, &narrow, sizeof(narrow));
    }
  }
  // Nobody has said what the scales of unseen positions are.
  for (int64_t i = first; i < job.begin; ++i) job.codes[i] = 0;
  for (int64_t i = job.end; i < last; ++i) job.codes[i] = 0;
}

void join(AttendState& total, const AttendState& chunk, int64_t width) {
  const float maximum = chunk.maximum > total.maximum ? chunk.maximum : total.maximum;
  float powers[kLanes] = {total.maximum - maximum, chunk.maximum - maximum};
  store(powers, power(load(powers)));
  const Lanes before = broadcast(powers[0]), now = broadcast(powers[1]);
  float sums[kLanes];
  store(sums, fma(broadcast(chunk.sum), now, broadcast(total.sum) * before));
  total.maximum = maximum;
  total.sum = sums[0];
  for (int64_t i = 0; i < width; i += kLanes)
    store(total.values + i, fma(load(chunk.values + i), now, load(total.values + i) * before));
}

struct F32Element {
  static constexpr int64_t kBytes = 4;
  [[gnu::always_inline]] static Lanes at(const uint8_t* row) {
    return load(reinterpret_cast<const float*>(row));
  }
};
struct F16Element {
  static constexpr int64_t kBytes = 2;
  [[gnu::always_inline]] static Lanes at(const uint8_t* row) { return load_f16(row); }
};

// Memory is fetched this far ahead of where a panel of floats, or of codes, is read.
constexpr int64_t kFloatAheadBytes = 8192;
constexpr int64_t kCodeAheadBytes = 4096;

template <int64_t kBytes>
[[gnu::always_inline]] inline void fetch(const uint8_t* from) {
  for (int64_t i = 0; i < kBytes; i += 64) __builtin_prefetch(from + i);
}

// Rows of a panel, of which a tile reads the kBytes at `first` and so on.
struct PanelRows {
  const uint8_t* first;
  int64_t count, stride;
  const void* next;  // what is read after them
  bool leads;        // nobody has read them before, so they have to be fetched
};

// use(row, index) for each of them, in two legs: while the first is read, what lies ahead in the
// panel is fetched, while the second is, the beginning of what comes next.
template <int64_t kBytes, int64_t kAheadBytes, typename Use>
[[gnu::always_inline]] inline void each_row(const PanelRows& rows, const Use& use) {
  const int64_t ahead_rows = kAheadBytes / rows.stride;
  const uint8_t* row = rows.first;
  int64_t r = 0;
  for (int leg = 0; leg < 2; ++leg) {
    const int64_t in_panel = rows.count > ahead_rows ? rows.count - ahead_rows : 0;
    const int64_t end = leg == 0 ? in_panel : rows.count;
    const uint8_t* ahead = !rows.leads ? row
                           : leg == 0  ? row + kAheadBytes
                                       : static_cast<const uint8_t*>(rows.next);
    for (; r < end; ++r, row += rows.stride, ahead += rows.stride) {
      fetch<kBytes>(ahead);
      use(row, r);
    }
  }
}

// use(row, r) for each row of kKeys keys from `key` on.
template <int kKeys, typename Use>
[[gnu::always_inline]] inline void each_key_row(const KeyDots& job, int64_t query, int64_t key,
                                                const Use& use) {
  each_row<kKeys * kKeyCodeRow, kCodeAheadBytes>(
      {.first = job.keys + key * kKeyCodeRow,
       .count = job.rows,
       .stride = kKeyRowBytes,
       .next = static_cast<const uint8_t*>(job.next) + key * kKeyCodeRow,
       .leads = query == 0},
      use);
}

// use(row, codes) for each row of 16 * kVectors values from 16 * `vector` on, and the codes of
// their weights from `query` on.
template <int kVectors, typename Use>
[[gnu::always_inline]] inline void each_value_row(const ValueDots& job, int64_t query,
                                                  int64_t vector, const Use& use) {
  constexpr int64_t kVectorBytes = kLanes * kValueCodeRow;
  for (int64_t piece = 0; piece < job.piece_count; ++piece) {
    const PanelPiece& rows = job.pieces[piece];
    const int16_t* codes = job.codes + query * kAttendChunk + rows.first * kValueCodeRow;
    each_row<kVectors * kVectorBytes, kCodeAheadBytes>(
        {.first = static_cast<const uint8_t*>(rows.rows) + vector * kVectorBytes,
         .count = rows.count,
         .stride = job.columns * kValueCodeRow,
         .next = rows.next,
         .leads = query == 0},
        [&](const uint8_t* row, int64_t r)
            __attribute__((always_inline)) { use(row, codes + r * kValueCodeRow); });
  }
}

// Queries from `query` on, 16 columns from 16 * `vector` on.
template <typename Element>
struct ProductTile {
  template <int kQueries, int kVectors>
  [[gnu::always_inline]] static inline void multiply(const PanelProduct& job, int64_t query,
                                                     int64_t vector) {
    constexpr int64_t kVectorBytes = kLanes * Element::kBytes;
    float* const out = job.out + query * job.out_stride + vector * kLanes;
    Lanes total[kQueries][kVectors];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        total[q][v] =
            job.accumulate ? load(out + q * job.out_stride + v * kLanes) : broadcast(0.0f);
    }
    for (int64_t piece = 0; piece < job.piece_count; ++piece) {
      const PanelPiece& rows = job.pieces[piece];
      const float* in = job.in + query * job.in_stride + rows.first;
      const auto use = [&](const uint8_t* row, int64_t r) __attribute__((always_inline)) {
        Lanes values[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) values[v] = Element::at(row + v * kVectorBytes);
#pragma GCC unroll 8
        for (int q = 0; q < kQueries; ++q) {
          const Lanes x = broadcast(in[r + q * job.in_stride]);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) total[q][v] = fma(x, values[v], total[q][v]);
        }
      };
      each_row<kVectors * kVectorBytes, kFloatAheadBytes>(
          {.first = static_cast<const uint8_t*>(rows.rows) + vector * kVectorBytes,
           .count = rows.count,
           .stride = job.columns * Element::kBytes,
           .next = rows.next,
           .leads = query == 0},
          use);
    }
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) store(out + q * job.out_stride + v * kLanes, total[q][v]);
    }
  }
};

// All columns in tiles of product_vectors(), what is left one vector at a time.
template <typename Tile>
struct ColumnRun {
  static constexpr int kMost = kProductQueries;

  template <int kQueries, typename Job>
  static void run(const Job& job, int64_t query) {
    constexpr int kVectors = product_vectors(kQueries);
    const int64_t vectors = job.columns / kLanes;
    int64_t vector = 0;
    for (; vector + kVectors <= vectors; vector += kVectors)
      Tile::template multiply<kQueries, kVectors>(job, query, vector);
    if constexpr (kVectors > 1) {
      for (; vector < vectors; ++vector) Tile::template multiply<kQueries, 1>(job, query, vector);
    }
  }
};

template <typename Run, int kCount, typename Job>
[[gnu::always_inline]] inline void run_of(const Job& job, int64_t query) {
  if constexpr (kCount <= Run::kMost) Run::template run<kCount>(job, query);
}

// Run::run<count>(job, query) for runs of at most Run::kMost queries (itself at most 6); what is
// left for the last two runs is shared evenly.
template <typename Run, typename Job>
[[gnu::always_inline]] inline void each_run(const Job& job) {
  for (int64_t query = 0; query < job.queries;) {
    const int64_t left = job.queries - query;
    int64_t take = left < Run::kMost ? left : Run::kMost;
    if (left > Run::kMost && left < 2 * Run::kMost) take = (left + 1) / 2;
    switch (take) {
      case 1:
        run_of<Run, 1>(job, query);
        break;
      case 2:
        run_of<Run, 2>(job, query);
        break;
      case 3:
        run_of<Run, 3>(job, query);
        break;
      case 4:
        run_of<Run, 4>(job, query);
        break;
      case 5:
        run_of<Run, 5>(job, query);
        break;
      default:
        run_of<Run, 6>(job, query);
        break;
    }
    query += take;
  }
}

void products_f32(const PanelProduct& job) { each_run<ColumnRun<ProductTile<F32Element>>>(job); }

// Rows of halves that are decoded at a time: 32 KiB of floats, which stay in L1.
constexpr int64_t kDecodedRows = 128;

// Of many queries each run would decode the panel anew, which costs a quarter of the time where
// conversions take slots of the multipliers. So it is decoded once, for all of them.
[[gnu::noinline]] void decoded_products(const PanelProduct& job) {
  alignas(64) float panel[kDecodedRows * kPanelColumns];
  PanelPiece decoded = {.rows = panel, .first = 0, .count = 0, .next = panel};
  PanelProduct product = job;
  product.pieces = &decoded;
  product.piece_count = 1;
  const auto multiply = [&] {
    products_f32(product);
    product.accumulate = true;
    decoded.count = 0;
  };
  for (int64_t piece = 0; piece < job.piece_count; ++piece) {
    const PanelPiece& rows = job.pieces[piece];
    const int64_t stride = job.columns * F16Element::kBytes;
    for (int64_t done = 0; done < rows.count;) {
      if (decoded.count == kDecodedRows || rows.first + done != decoded.first + decoded.count) {
        if (decoded.count > 0) multiply();
        decoded.first = rows.first + done;
      }
      const int64_t left = rows.count - done, room = kDecodedRows - decoded.count;
      const int64_t count = left < room ? left : room;
      const uint8_t* from = static_cast<const uint8_t*>(rows.rows) + done * stride;
      float* to = panel + decoded.count * job.columns;
      each_row<kPanelColumns * F16Element::kBytes, kFloatAheadBytes>(
          {.first = from,
           .count = count,
           .stride = stride,
           .next = count < left ? from + count * stride : rows.next,
           .leads = true},
          [&](const uint8_t* row, int64_t r) __attribute__((always_inline)) {
            for (int64_t i = 0; i < job.columns; i += kLanes)
              store(to + r * job.columns + i, F16Element::at(row + i * F16Element::kBytes));
          });
      decoded.count += count;
      done += count;
    }
  }
  if (decoded.count > 0 || !product.accumulate) multiply();
}

void products_f16(const PanelProduct& job) {
  if (job.queries > 2 * kProductQueries) return decoded_products(job);
  each_run<ColumnRun<ProductTile<F16Element>>>(job);
}

[[gnu::always_inline]] inline int32_t load_i32(const void* from) {
  int32_t value;
  __builtin_memcpy(&value, from, sizeof(value));
  return value;
}

// The table, from what an ISA file and this one define.
#define BITTERN_ATTENTION_TABLE(table_name)                                         \
  {                                                                                 \
    .name = table_name, .products_f32 = products_f32, .products_f16 = products_f16, \
    .key_dots = key_dots, .value_dots = value_dots, .softmax = softmax,             \
    .value_codes = value_codes, .join = join                                        \
  }
