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

void softcap(float* x, float cap, int64_t count) {
  const Lanes size = broadcast(cap);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(x + i, size * hyperbolic_tangent(load(x + i) / size));
  if (i == count) return;
  const Lanes last = size * hyperbolic_tangent(load_first(x + i, count - i) / size);
  store_first(x + i, last, count - i);
}

void hadamard(float* x, int64_t count) {
  for (int64_t span = 1; span < count; span *= 2) {
    for (int64_t block = 0; block < count; block += 2 * span) {
      for (int64_t i = block; i < block + span; ++i) {
        const float a = x[i], b = x[i + span];
        x[i] = a + b;
        x[i + span] = a - b;
      }
    }
  }
  const float factor = 1.0f / __builtin_sqrtf(static_cast<float>(count));
  for (int64_t i = 0; i < count; ++i) x[i] = x[i] * factor;
}

void scale(float* x, int64_t count, float factor) {
  for (int64_t i = 0; i < count; ++i) x[i] = x[i] * factor;
}

void rotate(bool interleaved, const float* cosine, const float* sine, int64_t half, float* x) {
  const int64_t step = interleaved ? 2 : 1;
  float* second = interleaved ? x + 1 : x + half;
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[i * step], b = second[i * step];
    x[i * step] = a * cosine[i] - b * sine[i];
    second[i * step] = b * cosine[i] + a * sine[i];
  }
}

[[gnu::always_inline]] inline float absolute_maximum(const float* in, int64_t count) {
  Lanes found = broadcast(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) found = larger(magnitude(load(in + i)), found);
  if (i < count) found = larger(magnitude(load_first(in + i, count - i)), found);
  return largest(found);
}

// code = round half even(x * factor) in [-127, 127]; NaN becomes 127.
void round_codes(const float* in, int64_t count, float factor, int8_t* codes) {
  for (int64_t i = 0; i < count; ++i) {
    float value = in[i] * factor;
    value = value < 127.0f ? value : 127.0f;
    value = value > -127.0f ? value : -127.0f;
    codes[i] = static_cast<int8_t>(static_cast<int32_t>((value + kRoundingMagic) - kRoundingMagic));
  }
}

void quantise(const float* in, int64_t width, int64_t padded, int8_t* codes, float* inverse_scale,
              int32_t* sum_of_codes) {
  const float maximum = absolute_maximum(in, width);
  const float factor = 127.0f / (maximum > 1e-5f ? maximum : 1e-5f);
  round_codes(in, width, factor, codes);
  for (int64_t i = width; i < padded; ++i) codes[i] = 0;
  int32_t total = 0;
  for (int64_t i = 0; i < width; ++i) total += codes[i];
  *sum_of_codes = total;
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

template <int kBlocks>
[[gnu::always_inline]] inline void accumulate_blocks(const float* weights, const float* values,
                                                     int64_t count, int64_t width, float* out) {
  Lanes total[kBlocks];
  for (int b = 0; b < kBlocks; ++b) total[b] = load(out + b * kLanes);
  for (int64_t t = 0; t < count; ++t) {
    const Lanes weight = broadcast(weights[t]);
    const float* row = values + t * width;
    for (int b = 0; b < kBlocks; ++b) total[b] = fma(weight, load(row + b * kLanes), total[b]);
  }
  for (int b = 0; b < kBlocks; ++b) store(out + b * kLanes, total[b]);
}

void accumulate(const float* weights, const float* values, int64_t count, int64_t width,
                float* out) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= width; i += 4 * kLanes)
    accumulate_blocks<4>(weights, values + i, count, width, out + i);
  for (; i + kLanes <= width; i += kLanes)
    accumulate_blocks<1>(weights, values + i, count, width, out + i);
  if (i == width) return;
  Lanes total = load_first(out + i, width - i);
  for (int64_t t = 0; t < count; ++t) {
    total = fma(broadcast(weights[t]), load_first(values + t * width + i, width - i), total);
  }
  store_first(out + i, total, width - i);
}
