// Exact sums to values, and the strips' loop around it; written over virtual lanes, so every
// instruction set rounds alike. Included in the unnamed namespace of an ISA file behind its lanes.

[[gnu::always_inline]] inline Lanes load_dots(const int32_t* from) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) {
    IntPart part;
    __builtin_memcpy(&part, from + i * kPartLanes, sizeof(part));
    result.part[i] = __builtin_convertvector(part, FloatPart);
  }
  return result;
}

// Rows of the result lie far apart: the processor foresees none of them.
constexpr int64_t kRowsAhead = 8;

void ternary_scale(const TernaryScale& job) {
  const Lanes scales = load(job.scales);
  const Lanes bias = job.bias == nullptr ? broadcast(0.0f) : load_first(job.bias, job.outputs);
  for (int64_t m = 0; m < job.rows; ++m) {
    Lanes value = load_dots(job.dots + m * kStripRows) * broadcast(job.inverse_scales[m]) * scales;
    if (job.bias != nullptr) value = value + bias;
    float* out = job.out + m * job.stride;
    __builtin_prefetch(out + kRowsAhead * job.stride, 1);
    if (job.outputs == kStripRows) {
      store(out, value);
    } else {
      store_first(out, value, job.outputs);
    }
  }
}
