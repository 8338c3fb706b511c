#include "bench/kernel_probe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/half.h"
#include "base/random.h"
#include "kernel/pack.h"

namespace bittern::bench {
namespace {

using kernel::Gate;
using kernel::Table;
using Shape = ProbeShape;

// Blocks of Q8_0, the widest of the formats with a fast decoder, take 34 bytes for 32 elements;
// f16 and bf16 two a piece.
constexpr int64_t kMostElementBytes = 2;

double no_operations(const Shape&) { return 0.0; }
// An element read and one written, both floats.
double row_bytes(const Shape& s) { return 8.0 * static_cast<double>(s.columns); }
double two_row_bytes(const Shape& s) { return 12.0 * static_cast<double>(s.columns); }
// Coded elements of `bits` and the floats they become.
template <int kBitsPer32>
double coded_bytes(const Shape& s) {
  return (kBitsPer32 / 256.0 + 4.0) * static_cast<double>(s.columns);
}
double strip_bytes(const Shape& s) {
  return static_cast<double>(kernel::t2_strip_bytes(s.columns));
}
double weight_bytes(const Shape& s) { return 4.0 * static_cast<double>(s.weights * s.columns); }
double dot_operations(const Shape& s) {
  return 2.0 * static_cast<double>(s.rows * s.columns * s.weights);
}
double value_bytes(const Shape& s) { return 4.0 * static_cast<double>(s.rows * s.columns); }
double value_operations(const Shape& s) { return 2.0 * static_cast<double>(s.rows * s.columns); }

void run_ternary_dots(const Table& t, ProbeData& d, const Shape& s) {
  t.ternary_dots({d.strip.data(), s.columns, d.codes.data(), d.sums.data(), s.rows, d.dots.data()});
}
void run_ternary_scale(const Table& t, ProbeData& d, const Shape& s) {
  t.ternary_scale(
      {d.dots.data(), s.rows, s.weights, d.x.data(), 0.37f, nullptr, d.out.data(), s.weights});
}
void run_float_dots(const Table& t, ProbeData& d, const Shape& s) {
  t.float_dots({d.z.data(), s.weights, s.columns, d.x.data(), s.rows, s.columns, s.columns,
                d.out.data(), s.weights});
}
template <kernel::Decode Table::*kDecode>
void run_decode(const Table& t, ProbeData& d, const Shape& s) {
  (t.*kDecode)(d.blocks.data(), s.columns, d.out.data());
}
template <Gate kGate>
void run_gate(const Table& t, ProbeData& d, const Shape& s) {
  t.gate(kGate, d.x.data(), d.y.data(), s.columns, d.out.data());
}
template <bool kInterleaved>
void run_rotate(const Table& t, ProbeData& d, const Shape& s) {
  t.rotate(kInterleaved, d.cosine.data(), d.sine.data(), s.columns / 2, d.out.data());
}
void run_softmax(const Table& t, ProbeData& d, const Shape& s) {
  kernel::SoftmaxChunk chunk{d.out.data(), s.columns, 0.0f, 0.0f, 1.0f};
  t.softmax_chunk(chunk);
}

// The widths of BitNet 2B (2560, 6912), a head of 128, a chunk of attention of 256.
constexpr KernelProbe kProbes[] = {
    {"ternary_dots",
     "1 row",
     {1, 2560, 16},
     {1, 256, 16},
     run_ternary_dots,
     strip_bytes,
     dot_operations,
     Arithmetic::int8},
    {"ternary_dots",
     "8 rows",
     {8, 2560, 16},
     {8, 256, 16},
     run_ternary_dots,
     strip_bytes,
     dot_operations,
     Arithmetic::int8},
    {"ternary_dots",
     "64 rows",
     {64, 2560, 16},
     {7, 256, 16},
     run_ternary_dots,
     strip_bytes,
     dot_operations,
     Arithmetic::int8},
    {"ternary_scale",
     "",
     {64, 16, 16},
     {8, 16, 16},
     run_ternary_scale,
     [](const Shape& s) { return 8.0 * static_cast<double>(s.rows * s.weights); },
     no_operations},
    {"float_dots",
     "1 row",
     {1, 2560, 8},
     {1, 256, 8},
     run_float_dots,
     weight_bytes,
     dot_operations},
    {"float_dots",
     "8 rows",
     {8, 2560, 8},
     {8, 256, 8},
     run_float_dots,
     weight_bytes,
     dot_operations},
    {"float_dots",
     "64 rows",
     {64, 2560, 8},
     {5, 147, 8},
     run_float_dots,
     weight_bytes,
     dot_operations},
    {"decode_f16",
     "",
     {1, 2560},
     {1, 512},
     run_decode<&Table::decode_f16>,
     coded_bytes<512>,
     no_operations},
    {"decode_bf16",
     "",
     {1, 2560},
     {1, 512},
     run_decode<&Table::decode_bf16>,
     coded_bytes<512>,
     no_operations},
    {"decode_q8_0",
     "",
     {1, 2560},
     {1, 512},
     run_decode<&Table::decode_q8_0>,
     coded_bytes<272>,
     no_operations},
    {"decode_q4_0",
     "",
     {1, 2560},
     {1, 512},
     run_decode<&Table::decode_q4_0>,
     coded_bytes<144>,
     no_operations},
    {"decode_q4_1",
     "",
     {1, 2560},
     {1, 512},
     run_decode<&Table::decode_q4_1>,
     coded_bytes<160>,
     no_operations},
    {"encode_f16",
     "",
     {1, 2560},
     {1, 147},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.encode_f16(d.x.data(), s.columns, d.halves.data());
     },
     coded_bytes<512>,
     no_operations},
    {"quantise",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.quantise(d.x.data(), s.columns, s.columns, d.codes.data(), d.out.data(), d.sums.data());
     },
     coded_bytes<256>,
     no_operations},
    {"encode_i8",
     "",
     {1, 128},
     {1, 128},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.encode_i8(d.x.data(), s.columns, d.codes.data(), d.out.data());
     },
     coded_bytes<256>,
     no_operations},
    {"decode_i8",
     "",
     {1, 128},
     {1, 128},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.decode_i8(d.codes.data(), s.columns, 0.01f, d.out.data());
     },
     coded_bytes<256>,
     no_operations},
    {"rms_norm",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.rms_norm(d.x.data(), d.y.data(), 1e-5f, s.columns, d.out.data());
     },
     two_row_bytes,
     no_operations},
    {"layer_norm",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.layer_norm(d.x.data(), d.y.data(), d.z.data(), 1e-5f, s.columns, d.out.data());
     },
     two_row_bytes,
     no_operations},
    {"gate", "silu", {1, 6912}, {1, 256}, run_gate<Gate::silu>, two_row_bytes, no_operations},
    {"gate", "relu", {1, 6912}, {1, 256}, run_gate<Gate::relu>, two_row_bytes, no_operations},
    {"gate", "relu2", {1, 6912}, {1, 256}, run_gate<Gate::relu2>, two_row_bytes, no_operations},
    {"gate", "gelu", {1, 6912}, {1, 256}, run_gate<Gate::gelu>, two_row_bytes, no_operations},
    {"gate",
     "gelu_tanh",
     {1, 6912},
     {1, 256},
     run_gate<Gate::gelu_tanh>,
     two_row_bytes,
     no_operations},
    {"add",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.add(d.out.data(), d.y.data(), s.columns);
     },
     two_row_bytes,
     no_operations},
    {"add_scaled",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.add_scaled(d.out.data(), d.y.data(), 0.37f, s.columns);
     },
     two_row_bytes,
     no_operations},
    {"softcap",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.softcap(d.out.data(), 30.0f, s.columns);
     },
     row_bytes,
     no_operations},
    {"hadamard",
     "",
     {1, 128},
     {1, 128},
     [](const Table& t, ProbeData& d, const Shape& s) { t.hadamard(d.out.data(), s.columns); },
     row_bytes,
     no_operations},
    {"rotate", "half", {1, 128}, {1, 128}, run_rotate<false>, row_bytes, no_operations},
    {"rotate", "interleaved", {1, 128}, {1, 128}, run_rotate<true>, row_bytes, no_operations},
    {"exponential",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.exponential(d.x.data(), s.columns, d.out.data());
     },
     row_bytes,
     no_operations},
    {"softmax_chunk", "", {1, 256}, {1, 256}, run_softmax, row_bytes, no_operations},
    {"scale",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) { t.scale(d.out.data(), s.columns, 1.0f); },
     row_bytes,
     no_operations},
    {"accumulate",
     "",
     {256, 128},
     {16, 128},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.accumulate(d.x.data(), d.z.data(), s.rows, s.columns, d.out.data());
     },
     value_bytes,
     value_operations},
};

}  // namespace

ProbeData::ProbeData(const ProbeShape& shape) {
  const int64_t elements = std::max({shape.rows * shape.columns, shape.rows * shape.weights,
                                     shape.weights * shape.columns, int64_t{64}});
  const auto count = static_cast<size_t>(elements);
  random::Sequence draw(1);
  const auto fill = [&](std::vector<float>& values) {
    values.resize(count);
    for (float& value : values) value = static_cast<float>(draw.uniform() * 2.0 - 1.0);
  };
  fill(x);
  fill(y);
  fill(z);
  fill(out);
  cosine.assign(count, 0.8f);
  sine.assign(count, 0.6f);
  codes.resize(count);
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(draw.below(255)) - 127);
  sums.assign(count, 0);
  dots.assign(static_cast<size_t>(shape.rows * kernel::kStripRows), 1000);
  halves.resize(count);
  // Any byte is a block's; the second of every two stays small, so that f16 scales are finite.
  blocks.resize(static_cast<size_t>(elements * kMostElementBytes));
  for (uint8_t& byte : blocks) byte = static_cast<uint8_t>(draw.below(256) & 0x3b);

  std::vector<int8_t> ternary(static_cast<size_t>(kernel::kStripRows * shape.columns));
  for (int8_t& code : ternary) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
  strip.resize(static_cast<size_t>(kernel::t2_strip_bytes(shape.columns)));
  kernel::t2_pack_strip(ternary.data(), kernel::kStripRows, shape.columns, strip.data());
}

std::string KernelProbe::name() const {
  return variant.empty() ? std::string(entry) : fmt::format("{} {}", entry, variant);
}

std::string KernelProbe::shape_text(const ProbeShape& shape) const {
  if (shape.weights > 0) return fmt::format("{}x{}x{}", shape.rows, shape.columns, shape.weights);
  return fmt::format("{}x{}", shape.rows, shape.columns);
}

std::span<const KernelProbe> kernel_probes() { return kProbes; }

}  // namespace bittern::bench
