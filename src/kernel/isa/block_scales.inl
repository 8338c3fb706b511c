// Scales of a block as the kernels take them: one vector of 16 numbers for each sub-block.

// One block of a strip made ready.
struct Ready {
  alignas(64) float scales[16][kBlockStripRows];
  alignas(64) float minima[16][kBlockStripRows];
  // Zero points: what is added to the stored bytes of each sub-block.
  alignas(64) int32_t offsets[16][kBlockStripRows];
  alignas(64) float supers[2][kBlockStripRows];  // that of the minima negated
  alignas(64) uint8_t codes[kBlockColumns * kBlockStripRows];
};

// What of a layout the loops need.
struct Shape {
  BlockScales scales;
  BlockOffsets at;
  int64_t subs;    // of a block
  bool narrow;     // sub-blocks of 16: two in a run; else whole runs
  int run_shift;   // sub-block of run i: i >> this, where they are not narrow
  int32_t offset;  // weight = stored byte + this (less the zero point, if there are such)
  float unit;      // what super-scales are multiplied by: a power of two
};

[[gnu::always_inline]] inline Shape shape_of(const BlockLayout& layout, int bias) {
  const int zero = layout.codebook == BlockCodebook::none ? layout.zero : 0;
  int shift = 0;
  while (kBlockRun << shift < layout.sub) ++shift;
  return {layout.scales,
          block_offsets(layout),
          kBlockColumns / layout.sub,
          layout.sub == 16,
          shift,
          bias - zero,
          1.0f / static_cast<float>(1 << layout.fraction_bits)};
}

// How scales and offsets enter.
enum class Drain { floats, floats_minima, floats_zeros, integers, integers_minima };

constexpr bool has_integers(Drain drain) {
  return drain == Drain::integers || drain == Drain::integers_minima;
}
constexpr bool has_minima(Drain drain) {
  return drain == Drain::floats_minima || drain == Drain::integers_minima;
}

// Activations of a block from a group's first row on; sums from those of the format's pieces on.
[[gnu::always_inline]] inline BlockRows inputs_at(const BlockDots& job, const Shape& shape,
                                                  int64_t block, int64_t row) {
  BlockRows in = job.in.from(block * job.in.pitch + row);
  const int64_t first = shape.narrow ? 0 : 16;
  in.scaled_sums += first;
  in.starts += first;
  return in;
}

template <typename Store>
[[gnu::always_inline]] inline void for_parts(int64_t subs, const Store& store) {
  for (int64_t j = 0; j < subs; ++j) {
    for (int part = 0; part < kParts; ++part)
      store(j, part * kPartLanes, j * kBlockStripRows + part * kPartLanes);
  }
}

[[gnu::always_inline]] inline void load_zeros(const Shape& shape, const uint8_t* zeros,
                                              Ready& ready) {
  const Ints offset = broadcast_int(shape.offset);
  for_parts(
      shape.subs, [&](int64_t j, int lane, int64_t index) __attribute__((always_inline)) {
        store_ints(&ready.offsets[j][lane], subtract(offset, load_bytes(zeros + index)));
      });
}

[[gnu::always_inline]] inline void load_f16_rows(int64_t subs, const uint8_t* from,
                                                 float (*to)[kBlockStripRows]) {
  for_parts(
      subs, [&](int64_t j, int lane, int64_t index) __attribute__((always_inline)) {
        store_floats(&to[j][lane], load_f16(from + 2 * index));
      });
}

[[gnu::always_inline]] inline void load_supers(const uint8_t* from, float unit, float* to) {
  for (int part = 0; part < kParts; ++part)
    store_floats(to + part * kPartLanes,
                 multiply(load_f16(from + 2 * part * kPartLanes), broadcast_float(unit)));
}

[[gnu::always_inline]] inline void load_integer_supers(const Shape& shape, const uint8_t* block,
                                                       bool minima, Ready& ready) {
  load_supers(block + shape.at.supers, shape.unit, ready.supers[0]);
  if (minima) load_supers(block + shape.at.supers + 32, -1.0f, ready.supers[1]);
}

[[gnu::always_inline]] inline void load_integer_scales(const Shape& shape, const uint8_t* block,
                                                       Ready& ready) {
  const uint8_t* scales = block + shape.at.scales;
  for_parts(
      shape.subs, [&](int64_t j, int lane, int64_t index) __attribute__((always_inline)) {
        store_floats(&ready.scales[j][lane], to_floats(load_signed_bytes(scales + index)));
      });
  const bool has_minima = shape.scales == BlockScales::integer_minima;
  load_integer_supers(shape, block, has_minima, ready);
  if (!has_minima) return;
  const uint8_t* minima = block + shape.at.minima;
  for_parts(
      shape.subs, [&](int64_t j, int lane, int64_t index) __attribute__((always_inline)) {
        store_floats(&ready.minima[j][lane], to_floats(load_bytes(minima + index)));
      });
}

// Asks for what stands behind the codes of the block `ahead` of one.
[[gnu::always_inline]] inline void expect_scales(const Shape& shape, const uint8_t* block,
                                                 int64_t ahead) {
  for (int64_t at = shape.at.scales; at < shape.at.bytes; at += 64)
    prefetch_lines<64>(block + ahead + at);
}

[[gnu::noinline]] void load_scales(const Shape& shape, const uint8_t* block, int64_t ahead,
                                   Ready& ready) {
  const uint8_t* scales = block + shape.at.scales;
  const uint8_t* minima = block + shape.at.minima;
  expect_scales(shape, block, ahead);
  switch (shape.scales) {
    case BlockScales::f16:
      return load_f16_rows(shape.subs, scales, ready.scales);
    case BlockScales::f16_minima:
      load_f16_rows(shape.subs, scales, ready.scales);
      return load_f16_rows(shape.subs, minima, ready.minima);
    case BlockScales::f16_zeros:
      load_f16_rows(shape.subs, scales, ready.scales);
      return load_zeros(shape, minima, ready);
    case BlockScales::bf16_zeros:
      for_parts(
          shape.subs, [&](int64_t j, int lane, int64_t index) __attribute__((always_inline)) {
            store_floats(&ready.scales[j][lane], load_bf16(scales + 2 * index));
          });
      return load_zeros(shape, minima, ready);
    case BlockScales::e8m0:
      for_parts(
          shape.subs, [&](int64_t j, int lane, int64_t index) __attribute__((always_inline)) {
            store_floats(&ready.scales[j][lane], load_e8m0(scales + index));
          });
      return;
    case BlockScales::integer:
    case BlockScales::integer_minima:
      return load_integer_scales(shape, block, ready);
  }
}
