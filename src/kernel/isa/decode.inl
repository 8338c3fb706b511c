// Decoding of the codecs that have a fast path, bit for bit what codec/ decodes: one rounding in
// the product, one in the sum. Blocks as they lie in files (little-endian, 2-byte aligned):
//
//   Q8_0  f16 d; i8 q[32]              d * q
//   Q4_0  f16 d; u8 q[16]              d * (nibble - 8)
//   Q4_1  f16 d; f16 m; u8 q[16]       d * nibble + m
//
// Byte j of a 4-bit block holds element j in its low nibble and element j + 16 in its high one.
// Uses the ISA file's load_f16, load_i8, load_nibbles and half_value.

[[gnu::always_inline]] inline uint16_t load_u16(const uint8_t* bytes) {
  uint16_t value;
  __builtin_memcpy(&value, bytes, sizeof(value));
  return value;
}

void decode_f16(const void* bytes, int64_t count, float* out) {
  const auto* in = static_cast<const uint8_t*>(bytes);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, load_f16(in + 2 * i));
  for (; i < count; ++i) out[i] = half_value(load_u16(in + 2 * i));
}

void decode_bf16(const void* bytes, int64_t count, float* out) {
  const auto* in = static_cast<const uint8_t*>(bytes);
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = static_cast<uint32_t>(load_u16(in + 2 * i)) << 16;
    __builtin_memcpy(out + i, &bits, sizeof(bits));
  }
}

void decode_q8_0(const void* bytes, int64_t count, float* out) {
  const auto* block = static_cast<const uint8_t*>(bytes);
  for (int64_t i = 0; i < count; i += 32, block += 34) {
    const Lanes d = broadcast(half_value(load_u16(block)));
    const auto* q = reinterpret_cast<const int8_t*>(block + 2);
    store(out + i, d * load_i8(q));
    store(out + i + 16, d * load_i8(q + 16));
  }
}

void decode_q4_0(const void* bytes, int64_t count, float* out) {
  const auto* block = static_cast<const uint8_t*>(bytes);
  for (int64_t i = 0; i < count; i += 32, block += 18) {
    const Lanes d = broadcast(half_value(load_u16(block)));
    const Nibbles q = load_nibbles(block + 2);
    store(out + i, d * (q.low - broadcast(8.0f)));
    store(out + i + 16, d * (q.high - broadcast(8.0f)));
  }
}

void decode_q4_1(const void* bytes, int64_t count, float* out) {
  const auto* block = static_cast<const uint8_t*>(bytes);
  for (int64_t i = 0; i < count; i += 32, block += 20) {
    const Lanes d = broadcast(half_value(load_u16(block)));
    const Lanes m = broadcast(half_value(load_u16(block + 2)));
    const Nibbles q = load_nibbles(block + 4);
    store(out + i, d * q.low + m);
    store(out + i + 16, d * q.high + m);
  }
}

void encode_f16(const float* in, int64_t count, uint16_t* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store_f16(out + i, load(in + i));
  if (i == count) return;
  uint16_t last[kLanes];
  store_f16(last, load_first(in + i, count - i));
  for (int64_t j = i; j < count; ++j) out[j] = last[j - i];
}
