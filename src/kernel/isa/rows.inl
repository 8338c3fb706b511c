// Row operations: normalisation, gates, rotation, quantisation, and the pieces of attention.
// Reductions go through Lanes and its one tree; everything else is element by element, where a
// compiler may vectorise as it likes without changing a bit.

void exponential_row(const float* in, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, exponential(load(in + i)));
  if (i < count) store_first(out + i, exponential(load_first(in + i, count - i)), count - i);
}

void rms_norm(const float* in, const float* weight, float eps, int64_t width, float* out) {
  Lanes squares = broadcast(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Lanes x = load(in + i);
    squares = squares + x * x;
  }
  if (i < width) {
    const Lanes x = load_first(in + i, width - i);
    squares = squares + x * x;
  }
  const float mean = sum(squares) / static_cast<float>(width);
  const float factor = 1.0f / __builtin_sqrtf(mean + eps);
  for (int64_t j = 0; j < width; ++j) out[j] = (in[j] * factor) * weight[j];
}

void layer_norm(const float* in, const float* weight, const float* bias, float eps, int64_t width,
                float* out) {
  const auto count = static_cast<float>(width);
  const int64_t whole = width / kLanes * kLanes;
  Lanes total = broadcast(0.0f);
  for (int64_t i = 0; i < whole; i += kLanes) total = total + load(in + i);
  if (whole < width) total = total + load_first(in + whole, width - whole);
  const float mean = sum(total) / count;
  // Of the tail only the lanes that hold an element are centred: the others stay 0.
  float tail[kLanes] = {};
  for (int64_t i = whole; i < width; ++i) tail[i - whole] = in[i] - mean;
  Lanes squares = broadcast(0.0f);
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Lanes centred = load(in + i) - broadcast(mean);
    squares = squares + centred * centred;
  }
  if (whole < width) squares = squares + load(tail) * load(tail);
  const float factor = 1.0f / __builtin_sqrtf(sum(squares) / count + eps);
  for (int64_t j = 0; j < width; ++j) out[j] = (in[j] - mean) * factor;
  if (weight != nullptr) {
    for (int64_t j = 0; j < width; ++j) out[j] = out[j] * weight[j];
  }
  if (bias != nullptr) {
    for (int64_t j = 0; j < width; ++j) out[j] = out[j] + bias[j];
  }
}

template <bool kHasUp>
[[gnu::always_inline]] inline void gate_rows(Gate kind, const float* in, const float* up,
                                             int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Lanes value = activate(kind, load(in + i));
    if constexpr (kHasUp) value = value * load(up + i);
    store(out + i, value);
  }
  if (i < count) {
    Lanes value = activate(kind, load_first(in + i, count - i));
    if constexpr (kHasUp) value = value * load_first(up + i, count - i);
    store_first(out + i, value, count - i);
  }
}

void gate(Gate kind, const float* in, const float* up, int64_t count, float* out) {
  if (up != nullptr) {
    gate_rows<true>(kind, in, up, count, out);
  } else {
    gate_rows<false>(kind, in, up, count, out);
  }
}

void add(float* x, const float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = x[i] + y[i];
}

void add_scaled(float* x, const float* y, float factor, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = x[i] + factor * y[i];
}

// kVectors of x stay in registers while all rows pass.
template <int kVectors>
[[gnu::always_inline]] inline void add_rows_to(float* x, const float* rows, int64_t stride,
                                               const float* factors, int64_t row_count) {
  Lanes sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = load(x + v * kLanes);
  for (int64_t row = 0; row < row_count; ++row) {
    const Lanes factor = broadcast(factors[row]);
    for (int v = 0; v < kVectors; ++v)
      sums[v] = fma(factor, load(rows + row * stride + v * kLanes), sums[v]);
  }
  for (int v = 0; v < kVectors; ++v) store(x + v * kLanes, sums[v]);
}

void add_rows(float* x, const float* rows, int64_t stride, const float* factors, int64_t row_count,
              int64_t count) {
  constexpr int kVectors = 4;
  int64_t i = 0;
  for (; i + kVectors * kLanes <= count; i += kVectors * kLanes)
    add_rows_to<kVectors>(x + i, rows + i, stride, factors, row_count);
  for (; i + kLanes <= count; i += kLanes)
    add_rows_to<1>(x + i, rows + i, stride, factors, row_count);
  if (i == count) return;
  Lanes sum = load_first(x + i, count - i);
  for (int64_t row = 0; row < row_count; ++row) {
    const Lanes last = load_first(rows + row * stride + i, count - i);
    sum = fma(broadcast(factors[row]), last, sum);
  }
  store_first(x + i, sum, count - i);
}

void softcap(float* x, float cap, int64_t count) {
  const Lanes size = broadcast(cap);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(x + i, size * hyperbolic_tangent(load(x + i) / size));
  if (i == count) return;
  const Lanes last = size * hyperbolic_tangent(load_first(x + i, count - i) / size);
  store_first(x + i, last, count - i);
}

// Butterflies of one span inside a virtual vector: the lower of a pair becomes a + b, the upper
// a - b, which is what its partner plus itself with the sign turned gives.
template <int kSpan>
[[gnu::always_inline]] inline void butterfly(Lanes& x) {
  if constexpr (kSpan < kPartLanes) {
    const IntPart signs = sign_where<kSpan>(true, PartLanes{});
    for (int i = 0; i < kParts; ++i)
      x.part[i] = partner<kSpan>(x.part[i], PartLanes{}) + turn_signs(x.part[i], signs);
  } else {
    constexpr int kStep = kSpan / kPartLanes;
    for (int i = 0; i < kParts; ++i) {
      if ((i & kStep) != 0) continue;
      const FloatPart a = x.part[i], b = x.part[i + kStep];
      x.part[i] = a + b;
      x.part[i + kStep] = a - b;
    }
  }
}

[[gnu::always_inline]] inline void butterfly(Lanes& a, Lanes& b) {
  const Lanes first = a;
  a = first + b;
  b = first - b;
}

// All spans below 16 * kVectors of as many elements, in registers; then times `factor`.
template <int kVectors>
[[gnu::always_inline]] inline void hadamard_block(float* x, const Lanes& factor) {
  Lanes v[kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) {
    v[i] = load(x + i * kLanes);
    butterfly<1>(v[i]);
    butterfly<2>(v[i]);
    butterfly<4>(v[i]);
    butterfly<8>(v[i]);
  }
#pragma GCC unroll 4
  for (int i = 0; i + 1 < kVectors; i += 2) butterfly(v[i], v[i + 1]);
  if constexpr (kVectors == 4) {
    butterfly(v[0], v[2]);
    butterfly(v[1], v[3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) store(x + i * kLanes, v[i] * factor);
}

// Of fewer elements than a vector has lanes.
void hadamard_few(float* x, int64_t count, float factor) {
  for (int64_t span = 1; span < count; span *= 2) {
    for (int64_t i = 0; i < count; ++i) {
      if ((i & span) != 0) continue;
      const float a = x[i], b = x[i + span];
      x[i] = a + b;
      x[i + span] = a - b;
    }
  }
  for (int64_t i = 0; i < count; ++i) x[i] = x[i] * factor;
}

void hadamard(float* x, int64_t count) {
  constexpr int64_t kBlock = 4 * kLanes;
  const float factor = 1.0f / __builtin_sqrtf(static_cast<float>(count));
  if (count < kLanes) return hadamard_few(x, count, factor);
  if (count == kLanes) return hadamard_block<1>(x, broadcast(factor));
  if (count == 2 * kLanes) return hadamard_block<2>(x, broadcast(factor));
  // The factor belongs to the last stage; elsewhere it is 1 and changes nothing.
  const Lanes one = broadcast(1.0f);
  for (int64_t i = 0; i < count; i += kBlock)
    hadamard_block<4>(x + i, count == kBlock ? broadcast(factor) : one);
  for (int64_t span = kBlock; span < count; span *= 2) {
    const Lanes last = 2 * span == count ? broadcast(factor) : one;
    for (int64_t block = 0; block < count; block += 2 * span) {
      for (int64_t i = block; i < block + span; i += kLanes) {
        Lanes a = load(x + i), b = load(x + i + span);
        butterfly(a, b);
        store(x + i, a * last);
        store(x + i + span, b * last);
      }
    }
  }
}

void scale(float* x, int64_t count, float factor) {
  for (int64_t i = 0; i < count; ++i) x[i] = x[i] * factor;
}

[[gnu::always_inline]] inline void rotate_pair(float cosine, float sine, float& first,
                                               float& second) {
  const float a = first, b = second;
  first = a * cosine - b * sine;
  second = b * cosine + a * sine;
}

// A part of the elements of interleaved pairs: times their angle's cosine, plus the partner times
// the sine, whose sign is turned for the first of each pair.
[[gnu::always_inline]] inline void rotate_part(FloatPart cosine, FloatPart sine, float* x) {
  FloatPart part;
  __builtin_memcpy(&part, x, sizeof(part));
  const FloatPart turned = turn_signs(sine, sign_where<1>(false, PartLanes{}));
  part = part * cosine + partner<1>(part, PartLanes{}) * turned;
  __builtin_memcpy(x, &part, sizeof(part));
}

void rotate_interleaved(const float* cosine, const float* sine, int64_t half, float* x) {
  int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Lanes c = load(cosine + i), s = load(sine + i);
    for (int p = 0; p < kParts; ++p) {
      float* at = x + 2 * i + 2 * p * kPartLanes;
      rotate_part(twice<0>(c.part[p], PartLanes{}), twice<0>(s.part[p], PartLanes{}), at);
      rotate_part(twice<1>(c.part[p], PartLanes{}), twice<1>(s.part[p], PartLanes{}),
                  at + kPartLanes);
    }
  }
  for (; i < half; ++i) rotate_pair(cosine[i], sine[i], x[2 * i], x[2 * i + 1]);
}

void rotate(bool interleaved, const float* cosine, const float* sine, int64_t half, float* x) {
  if (interleaved) return rotate_interleaved(cosine, sine, half, x);
  for (int64_t i = 0; i < half; ++i) rotate_pair(cosine[i], sine[i], x[i], x[half + i]);
}

[[gnu::always_inline]] inline float absolute_maximum(const float* in, int64_t count) {
  Lanes found = broadcast(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) found = larger(magnitude(load(in + i)), found);
  if (i < count) found = larger(magnitude(load_first(in + i, count - i)), found);
  return largest(found);
}

// x * factor in [-127, 127], rounded half to even; NaN becomes 127.
[[gnu::always_inline]] inline Lanes rounded_codes(const Lanes& x, const Lanes& factor) {
  const Lanes most = broadcast(127.0f), least = broadcast(-127.0f);
  const Lanes magic = broadcast(kRoundingMagic);
  return (larger(smaller(x * factor, most), least) + magic) - magic;
}

// The codes of `count` values, and their sum: lanes add integers below 2^24, exactly, for up to
// two million values.
int32_t round_codes(const float* in, int64_t count, float factor, int8_t* codes) {
  const Lanes multiplier = broadcast(factor);
  Lanes total = broadcast(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Lanes rounded = rounded_codes(load(in + i), multiplier);
    store_i8(codes + i, rounded);
    total = total + rounded;
  }
  if (i < count) {
    const Lanes rounded = rounded_codes(load_first(in + i, count - i), multiplier);
    int8_t last[kLanes];
    store_i8(last, rounded);
    for (int64_t j = i; j < count; ++j) codes[j] = last[j - i];
    total = total + rounded;  // beyond the end 0 * factor, which is 0
  }
  float lanes[kLanes];
  store(lanes, total);
  int32_t sum_of_codes = 0;
  for (int64_t l = 0; l < kLanes; ++l) sum_of_codes += static_cast<int32_t>(lanes[l]);
  return sum_of_codes;
}

void quantise(const float* in, int64_t width, int64_t padded, int8_t* codes, float* inverse_scale,
              int32_t* sum_of_codes) {
  const float maximum = absolute_maximum(in, width);
  const float factor = 127.0f / (maximum > 1e-5f ? maximum : 1e-5f);
  *sum_of_codes = round_codes(in, width, factor, codes);
  for (int64_t i = width; i < padded; ++i) codes[i] = 0;
  *inverse_scale = 1.0f / factor;
}

void encode_i8(const float* in, int64_t count, int8_t* codes, float* scale_out) {
  const float maximum = absolute_maximum(in, count);
  if (!(maximum >= 1e-30f)) {  // 127 / maximum would overflow
    for (int64_t i = 0; i < count; ++i) codes[i] = 0;
    *scale_out = 0.0f;
    return;
  }
  round_codes(in, count, 127.0f / maximum, codes);
  *scale_out = maximum / 127.0f;
}

void softmax_chunk(SoftmaxChunk& chunk) {
  Lanes found = broadcast(chunk.maximum);
  for (int64_t i = 0; i < chunk.count; i += kLanes) found = larger(load(chunk.scores + i), found);
  const float maximum = largest(found);
  Lanes total = broadcast(0.0f);
  const Lanes offset = broadcast(maximum);
  for (int64_t i = 0; i < chunk.count; i += kLanes) {
    const Lanes weight = exponential(load(chunk.scores + i) - offset);
    total = total + weight;
    store(chunk.scores + i, weight);
  }
  float before[kLanes] = {};
  before[0] = chunk.maximum - maximum;
  float correction[kLanes];
  store(correction, exponential(load(before)));
  chunk.correction = correction[0];
  chunk.maximum = maximum;
  chunk.sum = chunk.sum * correction[0] + sum(total);
}
