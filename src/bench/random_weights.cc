// One row for each format: where its scales lie, and which of its bytes must not be just anything
// (codes of ternary formats). The layouts are described in the codec's own files.
//
// The unit: a tensor is made with all scales 1 first, a sample of it decoded, and the scale that
// gives the wanted deviation computed from what came out. Scales then vary by +-1/8 from block to
// block, except in ternary formats, where one scale for the tensor is what W1.58A8 means.
#include "bench/random_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/half.h"

namespace bittern::bench {
namespace {

using codec::Id;

// 64 random bits by counter: the output function of SplitMix64 (Steele, Lea, Flood 2014). Philox
// (base/random.h) would take ten times as long for a gigabyte.
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

enum class ScaleKind : uint8_t {
  f32,
  f16,
  e8m0,  // a power of two
  e4m3,  // unsigned, an eight-bit float
  iq1_m  // four bits in the top of each of four words
};
struct ScaleField {
  int offset;
  ScaleKind kind;
  float share = 1.0f;  // of the block's scale: minimums are several steps
};

enum class CodeKind : uint8_t {
  codes2,      // four 2-bit codes 0, 1, 2
  digits5,     // five base-3 digits, ceil(256 v / 243)
  digits4,     // four, the least significant of five being 0
  digits4_low  // four, the most significant being 0
};
struct CodeField {
  int offset, count;
  CodeKind kind;
};

struct Rule {
  Id id;
  std::array<ScaleField, 4> scales;
  int scale_count;
  std::array<CodeField, 2> codes = {};
  int code_count = 0;
  bool one_scale = false;  // the same in every block
};

constexpr Rule plain(Id id, int offset) {
  return {.id = id, .scales = {{{offset, ScaleKind::f16}}}, .scale_count = 1};
}
constexpr Rule with_minimum(Id id, int offset, int minimum_offset, float share) {
  return {.id = id,
          .scales = {{{offset, ScaleKind::f16}, {minimum_offset, ScaleKind::f16, share}}},
          .scale_count = 2};
}
constexpr Rule ternary(Id id, ScaleField scale, CodeField codes) {
  return {.id = id,
          .scales = {{scale}},
          .scale_count = 1,
          .codes = {{codes}},
          .code_count = 1,
          .one_scale = true};
}
constexpr Rule digits(Id id, ScaleField scale, CodeField five, CodeField four) {
  return {.id = id,
          .scales = {{scale}},
          .scale_count = 1,
          .codes = {{five, four}},
          .code_count = 2,
          .one_scale = true};
}

// The minimum of a block with codes 0..n is n / 2 steps, so that values are centred on zero.
constexpr Rule kRules[] = {
    plain(Id::q8_0, 0),
    plain(Id::q4_0, 0),
    with_minimum(Id::q4_1, 0, 2, -7.5f),
    plain(Id::q5_0, 0),
    with_minimum(Id::q5_1, 0, 2, -15.5f),
    with_minimum(Id::q2_k, 80, 82, 1.5f),
    plain(Id::q3_k, 108),
    with_minimum(Id::q4_k, 0, 2, 7.5f),
    with_minimum(Id::q5_k, 0, 2, 15.5f),
    plain(Id::q6_k, 208),
    plain(Id::iq4_nl, 0),
    plain(Id::iq4_xs, 0),
    plain(Id::iq3_xxs, 0),
    plain(Id::iq3_s, 0),
    plain(Id::iq2_xxs, 0),
    plain(Id::iq2_xs, 0),
    plain(Id::iq2_s, 0),
    plain(Id::iq1_s, 0),
    {.id = Id::iq1_m, .scales = {{{48, ScaleKind::iq1_m}}}, .scale_count = 1},
    {.id = Id::mxfp4, .scales = {{{0, ScaleKind::e8m0}}}, .scale_count = 1},
    {.id = Id::nvfp4,
     .scales =
         {{{0, ScaleKind::e4m3}, {1, ScaleKind::e4m3}, {2, ScaleKind::e4m3}, {3, ScaleKind::e4m3}}},
     .scale_count = 4},
    plain(Id::q1_0, 0),
    ternary(Id::q2_0, {0, ScaleKind::f16}, {2, 16, CodeKind::codes2}),
    ternary(Id::pq2_0, {0, ScaleKind::f16}, {2, 32, CodeKind::codes2}),
    plain(Id::stq1_0, 40),
    digits(Id::tq1_0, {52, ScaleKind::f16}, {0, 48, CodeKind::digits5}, {48, 4, CodeKind::digits4}),
    digits(Id::ptq1_0, {26, ScaleKind::f16}, {0, 24, CodeKind::digits5},
           {24, 2, CodeKind::digits4}),
    ternary(Id::tq2_0, {64, ScaleKind::f16}, {0, 64, CodeKind::codes2}),
    // Blocks behind a scale in front of the row; offsets of codes are within a block.
    digits(Id::iq1_bn, {0, ScaleKind::f16}, {0, 12, CodeKind::digits5},
           {12, 1, CodeKind::digits4_low}),
    ternary(Id::iq2_bn, {0, ScaleKind::f32}, {0, 16, CodeKind::codes2}),
    // Codes of the whole tensor, then one scale.
    ternary(Id::i2_s, {0, ScaleKind::f32}, {0, 1, CodeKind::codes2}),
    ternary(Id::i2_s_rows4, {0, ScaleKind::f32}, {0, 1, CodeKind::codes2}),
    ternary(Id::i2_s_arm, {0, ScaleKind::f32}, {0, 1, CodeKind::codes2}),
};

const Rule* find_rule(Id id) {
  for (const Rule& rule : kRules)
    if (rule.id == id) return &rule;
  return nullptr;
}

bool is_float(Id id) { return id == Id::f32 || id == Id::f16 || id == Id::bf16; }
bool has_row_scale(Id id) { return id == Id::iq1_bn || id == Id::iq2_bn; }

// A number below `bound` from the low 16 bits.
uint32_t below(uint64_t bits, uint32_t bound) {
  return static_cast<uint32_t>(bits & 0xffff) * bound >> 16;
}

// Four 2-bit codes 0, 1, 2 for each number below 81.
constexpr std::array<uint8_t, 81> make_code_bytes() {
  std::array<uint8_t, 81> bytes{};
  for (int v = 0; v < 81; ++v)
    bytes[static_cast<size_t>(v)] =
        static_cast<uint8_t>(v % 3 | (v / 3 % 3) << 2 | (v / 9 % 3) << 4 | (v / 27) << 6);
  return bytes;
}
constexpr std::array<uint8_t, 81> kCodeBytes = make_code_bytes();

std::byte random_code(CodeKind kind, uint64_t bits) {
  const auto base3 = [](uint32_t v) { return static_cast<std::byte>((v * 256 + 242) / 243); };
  switch (kind) {
    case CodeKind::codes2:
      return static_cast<std::byte>(kCodeBytes[below(bits, 81)]);
    case CodeKind::digits5:
      return base3(below(bits, 243));
    case CodeKind::digits4:
      return base3(below(bits, 81) * 3);
    case CodeKind::digits4_low:
      return base3(below(bits, 81));
  }
  return {};
}

void fill_bytes(std::byte* out, int64_t count, uint64_t key) {
  uint64_t word = 0;
  for (int64_t i = 0; i < count; i += 8) {
    word = mix(key + static_cast<uint64_t>(i));
    std::memcpy(out + i, &word, static_cast<size_t>(std::min<int64_t>(8, count - i)));
  }
}

void fill_codes(const CodeField& field, std::byte* block, uint64_t key) {
  for (int i = 0; i < field.count; i += 4) {
    uint64_t bits = mix(key + static_cast<uint64_t>(field.offset + i));
    for (int j = i; j < std::min(i + 4, field.count); ++j, bits >>= 16)
      block[field.offset + j] = random_code(field.kind, bits);
  }
}

void write_u16(std::byte* to, uint16_t value) { std::memcpy(to, &value, sizeof value); }

void write_scale(const ScaleField& field, float scale, std::byte* block) {
  std::byte* to = block + field.offset;
  const float value = scale * field.share;
  switch (field.kind) {
    case ScaleKind::f32:
      std::memcpy(to, &value, sizeof value);
      return;
    case ScaleKind::f16:
      write_u16(to, f32_to_f16(value));
      return;
    case ScaleKind::e8m0:
      *to = static_cast<std::byte>(std::clamp<long>(std::lround(std::log2(value)) + 127, 1, 254));
      return;
    case ScaleKind::e4m3:
      codec::get(Id::f8_e4m3).encode(&value, 1, 1, to);
      return;
    case ScaleKind::iq1_m: {
      const uint16_t bits = f32_to_f16(value);
      for (int word = 0; word < 4; ++word) {
        const auto low = std::to_integer<uint32_t>(to[2 * word + 1]) & 0x0f;
        to[2 * word + 1] = static_cast<std::byte>(low | (bits >> (4 * word) & 0x0f) << 4);
      }
      return;
    }
  }
}

// The scale of one block: +-1/8 about `scale`.
float varied(float scale, uint64_t bits) {
  return scale * (1.0f + (static_cast<float>(bits & 0xffff) - 32768.0f) / (8.0f * 32768.0f));
}

void fill_blocks(const Rule& rule, int block_bytes, int64_t first, int64_t count, float scale,
                 uint64_t key, std::byte* out) {
  const bool scale_in_block = !has_row_scale(rule.id);
  for (int64_t i = 0; i < count; ++i, out += block_bytes) {
    const uint64_t block_key = mix(key + static_cast<uint64_t>(first + i));
    fill_bytes(out, block_bytes, block_key);
    for (int field = 0; field < rule.code_count; ++field)
      fill_codes(rule.codes[static_cast<size_t>(field)], out, ~block_key);
    if (!scale_in_block) continue;
    for (int field = 0; field < rule.scale_count; ++field) {
      const float own = rule.one_scale ? scale : varied(scale, block_key >> 11);
      write_scale(rule.scales[static_cast<size_t>(field)], own, out);
    }
  }
}

// A uniform distribution of this deviation, in the format.
void fill_floats(Id id, int64_t first, int64_t count, float deviation, uint64_t key,
                 std::byte* out) {
  const float reach = deviation * std::sqrt(3.0f);
  const int bytes = codec::get(id).block_bytes;
  for (int64_t i = 0; i < count; ++i, out += bytes) {
    const uint64_t bits = mix(key + static_cast<uint64_t>(first + i));
    const float value = reach * (static_cast<float>(bits >> 40) - 8388607.5f) / 8388608.0f;
    if (id == Id::f32) {
      std::memcpy(out, &value, sizeof value);
    } else {
      write_u16(out, id == Id::f16 ? f32_to_f16(value) : f32_to_bf16(value));
    }
  }
}

void fill_row(const RandomTensor& tensor, const Rule* rule, int64_t row, float scale, uint64_t key,
              std::byte* out) {
  const codec::Codec& codec = codec::get(tensor.codec);
  if (rule == nullptr) {
    fill_floats(tensor.codec, row * tensor.columns, tensor.columns, scale, key, out);
    return;
  }
  if (has_row_scale(tensor.codec)) {
    const ScaleField& field = rule->scales[0];
    write_scale(field, scale, out);
    out += field.kind == ScaleKind::f32 ? 4 : 2;
  }
  const int64_t blocks = tensor.columns / codec.block_elements;
  fill_blocks(*rule, codec.block_bytes, row * blocks, blocks, scale, key, out);
}

// I2_S: codes, then the scale in 32 bytes.
void fill_tensor(const Rule& rule, float scale, uint64_t key, ThreadPool& pool,
                 std::span<std::byte> out) {
  constexpr int64_t kTail = 32;
  constexpr int64_t kPiece = 1 << 16;
  const int64_t bytes = static_cast<int64_t>(out.size()) - kTail;
  pool.run((bytes + kPiece - 1) / kPiece, [&](int64_t piece, int) {
    const CodeField codes = {0, static_cast<int>(std::min(kPiece, bytes - piece * kPiece)),
                             rule.codes[0].kind};
    fill_codes(codes, out.data() + piece * kPiece, mix(key + static_cast<uint64_t>(piece)));
  });
  std::memset(out.data() + bytes, 0, kTail);
  write_scale(rule.scales[0], scale, out.data() + bytes);
}

// What scale 1 gives, from a sample of the codec's own decoding.
double unit_deviation(const RandomTensor& tensor, const Rule& rule) {
  constexpr int64_t kSampleRows = 4;
  const codec::Codec& codec = codec::get(tensor.codec);
  RandomTensor sample = tensor;
  sample.rows = kSampleRows;
  sample.columns = std::max<int64_t>(codec.block_elements, 256) * 16;
  std::vector<std::byte> bytes(
      static_cast<size_t>(codec.tensor_bytes(sample.rows, sample.columns).value()));
  ThreadPool alone(1);
  if (codec.block_bytes == 0) {
    fill_tensor(rule, 1.0f, tensor.seed, alone, bytes);
  } else {
    const int64_t row_bytes = static_cast<int64_t>(bytes.size()) / kSampleRows;
    for (int64_t row = 0; row < kSampleRows; ++row)
      fill_row(sample, &rule, row, 1.0f, tensor.seed, bytes.data() + row * row_bytes);
  }
  std::vector<float> values(static_cast<size_t>(sample.rows * sample.columns));
  codec.decode(bytes.data(), sample.rows, sample.columns, 0, sample.rows, values.data());
  double squares = 0.0;
  for (const float value : values) squares += double{value} * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

}  // namespace

bool can_fill_random(Id id) { return is_float(id) || find_rule(id) != nullptr; }

void fill_random(const RandomTensor& tensor, ThreadPool& pool, std::span<std::byte> out) {
  const codec::Codec& codec = codec::get(tensor.codec);
  const auto bytes = codec.tensor_bytes(tensor.rows, tensor.columns);
  BITTERN_CHECK(bytes && *bytes == static_cast<int64_t>(out.size()), "{} bytes for {} x {} of {}",
                out.size(), tensor.rows, tensor.columns, codec.name);
  BITTERN_CHECK(can_fill_random(tensor.codec), "no rule for {}", codec.name);
  if (out.empty()) return;
  const Rule* rule = find_rule(tensor.codec);
  const uint64_t key = mix(mix(tensor.seed) + tensor.stream);
  auto scale = static_cast<float>(tensor.deviation);
  if (rule != nullptr) scale = static_cast<float>(tensor.deviation / unit_deviation(tensor, *rule));
  if (codec.block_bytes == 0) {
    fill_tensor(*rule, scale, key, pool, out);
    return;
  }
  const int64_t row_bytes = *bytes / tensor.rows;
  pool.run(tensor.rows, [&](int64_t row, int) {
    fill_row(tensor, rule, row, scale, key, out.data() + row * row_bytes);
  });
}

}  // namespace bittern::bench
