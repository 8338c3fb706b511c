// The 16-lane virtual vector that all row operations are written in. An ISA file sets
// kPartBytes to its vector width (16, 32, 64) and includes this inside its unnamed namespace;
// the same source then runs as four, two or one register, lane for lane the same IEEE operations.
// No operation here fuses, estimates or reorders, so bits do not depend on the width.

typedef float FloatPart __attribute__((vector_size(kPartBytes)));
typedef int32_t IntPart __attribute__((vector_size(kPartBytes)));
constexpr int kParts = 64 / kPartBytes;
constexpr int kPartLanes = kPartBytes / 4;
constexpr int64_t kLanes = 16;

struct Lanes {
  FloatPart part[kParts];
};

// Lanes of one part by number, for compile-time permutations.
template <int... kLane>
struct LaneList {};
template <int kCount>
struct Ascending;
template <>
struct Ascending<4> {
  using List = LaneList<0, 1, 2, 3>;
};
template <>
struct Ascending<8> {
  using List = LaneList<0, 1, 2, 3, 4, 5, 6, 7>;
};
template <>
struct Ascending<16> {
  using List = LaneList<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>;
};
using PartLanes = Ascending<kPartLanes>::List;

// Lane l of the result is lane l ^ kSpan.
template <int kSpan, int... kLane>
[[gnu::always_inline]] inline FloatPart partner(FloatPart part, LaneList<kLane...>) {
  return __builtin_shufflevector(part, part, (kLane ^ kSpan)...);
}

// The lower (kUpper 0) or upper half of the lanes, each twice.
template <int kUpper, int... kLane>
[[gnu::always_inline]] inline FloatPart twice(FloatPart part, LaneList<kLane...>) {
  return __builtin_shufflevector(part, part, (kUpper * kPartLanes / 2 + kLane / 2)...);
}

// The sign bit of every lane in which bit kSpan of its number is `set`.
template <int kSpan, int... kLane>
[[gnu::always_inline]] inline IntPart sign_where(bool set, LaneList<kLane...>) {
  return IntPart{(((kLane & kSpan) != 0) == set ? INT32_MIN : 0)...};
}

[[gnu::always_inline]] inline FloatPart turn_signs(FloatPart part, IntPart signs) {
  return reinterpret_cast<FloatPart>(reinterpret_cast<IntPart>(part) ^ signs);
}

#define BITTERN_LANE_OPERATOR(op)                                                    \
  [[gnu::always_inline]] inline Lanes operator op(const Lanes& a, const Lanes& b) {  \
    Lanes result;                                                                    \
    for (int i = 0; i < kParts; ++i) result.part[i] = a.part[i] op b.part[i];        \
    return result;                                                                   \
  }
BITTERN_LANE_OPERATOR(+)
BITTERN_LANE_OPERATOR(-)
BITTERN_LANE_OPERATOR(*)
BITTERN_LANE_OPERATOR(/)
#undef BITTERN_LANE_OPERATOR

[[gnu::always_inline]] inline Lanes broadcast(float value) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) result.part[i] = value - FloatPart{};
  return result;
}

// Part by part: a copy of the whole struct would keep it in memory.
[[gnu::always_inline]] inline Lanes load(const float* from) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) {
    FloatPart part;
    __builtin_memcpy(&part, from + i * kPartLanes, sizeof(part));
    result.part[i] = part;
  }
  return result;
}

[[gnu::always_inline]] inline void store(float* to, const Lanes& lanes) {
  for (int i = 0; i < kParts; ++i) {
    const FloatPart part = lanes.part[i];
    __builtin_memcpy(to + i * kPartLanes, &part, sizeof(part));
  }
}

// The first `count` < 16 lanes from memory, the others zero.
[[gnu::always_inline]] inline Lanes load_first(const float* from, int64_t count) {
  float padded[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) padded[i] = from[i];
  return load(padded);
}

[[gnu::always_inline]] inline void store_first(float* to, const Lanes& lanes, int64_t count) {
  float padded[kLanes];
  store(padded, lanes);
  for (int64_t i = 0; i < count; ++i) to[i] = padded[i];
}

[[gnu::always_inline]] inline Lanes magnitude(const Lanes& a) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) {
    result.part[i] =
        reinterpret_cast<FloatPart>(reinterpret_cast<IntPart>(a.part[i]) & 0x7fffffff);
  }
  return result;
}

// The one tree of every float sum: l + (l + 8), then + 4, + 2, + 1.
[[gnu::always_inline]] inline float sum(const Lanes& lanes) {
  float v[kLanes];
  store(v, lanes);
  for (int l = 0; l < 8; ++l) v[l] = v[l] + v[l + 8];
  for (int l = 0; l < 4; ++l) v[l] = v[l] + v[l + 4];
  return (v[0] + v[2]) + (v[1] + v[3]);
}

// The largest lane; the order cannot matter.
[[gnu::always_inline]] inline float largest(const Lanes& lanes) {
  float v[kLanes];
  store(v, lanes);
  float result = v[0];
  for (int l = 1; l < kLanes; ++l) result = v[l] > result ? v[l] : result;
  return result;
}

// Adding and subtracting 1.5 * 2^23 rounds to an integer, half to even, for |x| below 2^22.
constexpr float kRoundingMagic = 12582912.0f;
