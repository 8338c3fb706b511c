// One call of every kernel: its inputs, what it reads and writes, and the shapes it is timed and
// counted on. Size: mostly one table, a row for each kernel and case.
#include "bench/kernel_probe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/cpu.h"
#include "base/half.h"
#include "base/random.h"
#include "kernel/attention.h"
#include "kernel/bf16_pack.h"
#include "kernel/block_pack.h"
#include "kernel/pack.h"
#include "kernel/real.h"
#include "kernel/select.h"

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
  return static_cast<double>(kernel::t2_bytes(s.weights, s.columns));
}
template <int64_t kBytes>
double weight_bytes(const Shape& s) {
  return static_cast<double>(kBytes * s.weights * s.columns);
}
double dot_operations(const Shape& s) {
  return 2.0 * static_cast<double>(s.rows * s.columns * s.weights);
}

void run_ternary_dots(const Table& t, ProbeData& d, const Shape& s) {
  t.ternary->dots({.strips = d.strips.data(),
                   .strip_count = s.weights / kernel::kStripRows,
                   .strip_bytes = kernel::t2_strip_bytes(s.columns),
                   .columns = s.columns,
                   .codes = d.codes.data(),
                   .sums = d.sums.data(),
                   .rows = s.rows,
                   .out = d.dots.data()});
}
void run_ternary_scale(const Table& t, ProbeData& d, const Shape& s) {
  t.ternary->scale(
      {d.dots.data(), s.rows, s.weights, d.x.data(), d.y.data(), nullptr, d.out.data(), s.weights});
}
// Strips of any bytes: every code is legal, and ProbeData keeps f16 scales finite.
template <codec::Id kCodec>
void run_block_dots(const Table& t, ProbeData& d, const Shape& s) {
  const auto start = reinterpret_cast<uintptr_t>(d.blocks.data());
  t.block->dots({.layout = kernel::block_layout(kCodec),
                 .strip = d.blocks.data() + (64 - start % 64) % 64,
                 .strips = s.weights / kernel::kBlockStripRows,
                 .strip_bytes = kernel::block_strip_bytes(*kernel::block_layout(kCodec), s.columns),
                 .blocks = kernel::block_count(s.columns),
                 .codes = d.codes.data(),
                 .scales = d.y.data(),
                 .sums = d.sums.data(),
                 .rows = s.rows,
                 .pitch = s.rows,
                 .outputs = s.weights,
                 .bias = nullptr,
                 .out = d.out.data(),
                 .stride = s.weights});
}
template <codec::Id kCodec>
double block_strip_bytes(const Shape& s) {
  return static_cast<double>(
      kernel::block_bytes(*kernel::block_layout(kCodec), s.weights, s.columns));
}
template <kernel::RealFormat kFormat, int64_t kBytes>
void run_real_dots(const Table& t, ProbeData& d, const Shape& s) {
  const auto* weights = kFormat == kernel::RealFormat::f32
                            ? reinterpret_cast<const uint8_t*>(d.z.data())
                            : d.blocks.data();
  const uint8_t* rows[kernel::kRealOutputs];
  for (int64_t n = 0; n < s.weights; ++n) rows[n] = weights + n * s.columns * kBytes;
  t.real->dots({.format = kFormat,
                .weights = rows,
                .outputs = s.weights,
                .columns = s.columns,
                .scale = 1.0f,
                .in = d.x.data(),
                .rows = s.rows,
                .in_stride = s.columns,
                .bias = nullptr,
                .out = d.out.data(),
                .stride = s.weights,
                .scratch = d.scratch.data()});
}

// Strips of any bytes whose exponents are not the greatest; the kernel is the machine's.
void run_bf16_dots(const Table& t, ProbeData& d, const Shape& s) {
  const auto start = reinterpret_cast<uintptr_t>(d.blocks.data());
  const auto scratch = reinterpret_cast<uintptr_t>(d.scratch.data());
  const kernel::Bf16Kernels& kernels = kernel::supported_bf16(*t.bf16, d.features);
  kernels.dots({.strips = d.blocks.data() + (64 - start % 64) % 64,
                .strip_count = s.weights / kernel::kBf16Outputs,
                .columns = s.columns,
                .codes = d.halves.data(),
                .pitch = s.rows,
                .rows = s.rows,
                .outputs = s.weights,
                .bias = nullptr,
                .out = d.out.data(),
                .stride = s.weights,
                .scratch = d.scratch.data() + (64 - scratch % 64) % 64 / sizeof(float)});
}
double bf16_strip_bytes(const Shape& s) {
  return static_cast<double>(kernel::bf16_bytes(s.weights, s.columns));
}
template <kernel::Decode Table::*kDecode>
void run_decode(const Table& t, ProbeData& d, const Shape& s) {
  (t.*kDecode)(d.blocks.data(), s.columns, d.out.data());
}
template <Gate kGate>
void run_gate(const Table& t, ProbeData& d, const Shape& s) {
  t.gate(kGate, d.x.data(), d.y.data(), s.columns, d.out.data());
}
void run_add_rows(const Table& t, ProbeData& d, const Shape& s) {
  t.add_rows(d.out.data(), d.y.data(), s.columns / 4, d.x.data(), 4, s.columns / 4);
}
template <bool kInterleaved>
void run_rotate(const Table& t, ProbeData& d, const Shape& s) {
  t.rotate(kInterleaved, d.cosine.data(), d.sine.data(), s.columns / 2, d.out.data());
}
void run_softmax(const Table& t, ProbeData& d, const Shape& s) {
  kernel::SoftmaxChunk chunk{d.out.data(), s.columns, 0.0f, 0.0f, 1.0f};
  t.softmax_chunk(chunk);
}

// Attention: `rows` queries, a head of `columns`, a page of `weights` positions.
template <auto kProducts>
void run_products(const Table& t, ProbeData& d, const Shape& s) {
  const bool halves = kProducts == &kernel::AttentionKernels::products_f16;
  const void* panel = halves ? static_cast<const void*>(d.blocks.data()) : d.z.data();
  const kernel::PanelPiece piece = {panel, 0, s.columns, panel};
  (t.attention->*kProducts)({.in = d.x.data(),
                             .in_stride = s.columns,
                             .queries = s.rows,
                             .pieces = &piece,
                             .piece_count = 1,
                             .columns = s.weights,
                             .accumulate = false,
                             .out = d.out.data(),
                             .out_stride = s.weights});
}
void run_key_dots(const Table& t, ProbeData& d, const Shape& s) {
  t.attention->key_dots({.codes = d.codes.data(),
                         .code_stride = s.columns,
                         .sums = d.sums.data(),
                         .queries = s.rows,
                         .keys = d.blocks.data(),
                         .rows = s.columns / kernel::kKeyCodeRow,
                         .next = d.blocks.data(),
                         .scales = d.x.data(),
                         .out = d.out.data(),
                         .out_stride = s.weights});
}
// A panel of values: `weights` positions of `columns` elements.
void run_value_dots(const Table& t, ProbeData& d, const Shape& s) {
  const kernel::PanelPiece piece = {d.codes.data(), 0, s.weights / kernel::kValueCodeRow,
                                    d.codes.data()};
  t.attention->value_dots({.codes = reinterpret_cast<const int16_t*>(d.halves.data()),
                           .factors = d.x.data(),
                           .queries = s.rows,
                           .pieces = &piece,
                           .piece_count = 1,
                           .columns = s.columns,
                           .out = d.out.data(),
                           .out_stride = s.columns});
}
void run_attention_softmax(const Table& t, ProbeData& d, const Shape& s) {
  kernel::ChunkSoftmax job = {d.out.data(), 0, s.columns, 1.0f, 0.0f, 0.0f, 0.0f};
  t.attention->softmax(job);
}
void run_value_codes(const Table& t, ProbeData& d, const Shape& s) {
  const float* scales[kernel::kChunkPanels];
  for (int64_t page = 0; page < kernel::kChunkPanels; ++page)
    scales[page] = d.cosine.data() + page * kernel::kPanelColumns;
  kernel::ValueCodes job = {
      d.sine.data(), scales, 0, s.columns, reinterpret_cast<int16_t*>(d.halves.data()), 0.0f};
  t.attention->value_codes(job);
}
// The chunk's maximum lies far below, so that a million joins add nothing.
void run_join(const Table& t, ProbeData& d, const Shape& s) {
  kernel::AttendState state = {d.out.data(), 0.0f, 1.0f};
  t.attention->join(state, {d.x.data(), -40.0f, 1.0f}, s.columns);
}

// The widths of BitNet 2B (2560, 6912), a head of 128, a chunk of attention of 256.
constexpr KernelProbe kProbes[] = {
    {"ternary_dots",
     "1 row",
     {1, 2560, 64},
     {1, 256, 64},
     run_ternary_dots,
     strip_bytes,
     dot_operations,
     Arithmetic::int8},
    {"ternary_dots",
     "8 rows",
     {8, 2560, 64},
     {8, 256, 64},
     run_ternary_dots,
     strip_bytes,
     dot_operations,
     Arithmetic::int8},
    {"ternary_dots",
     "64 rows",
     {64, 2560, 64},
     {7, 256, 64},
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
    {"block_dots",
     "q4_0 1 row",
     {1, 2560, 64},
     {1, 256, 48},
     run_block_dots<codec::Id::q4_0>,
     block_strip_bytes<codec::Id::q4_0>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q4_0 8 rows",
     {8, 2560, 64},
     {8, 256, 48},
     run_block_dots<codec::Id::q4_0>,
     block_strip_bytes<codec::Id::q4_0>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q4_0 64 rows",
     {64, 2560, 64},
     {52, 256, 16},
     run_block_dots<codec::Id::q4_0>,
     block_strip_bytes<codec::Id::q4_0>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q4_k 1 row",
     {1, 2560, 64},
     {1, 256, 48},
     run_block_dots<codec::Id::q4_k>,
     block_strip_bytes<codec::Id::q4_k>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q4_k 8 rows",
     {8, 2560, 64},
     {8, 256, 48},
     run_block_dots<codec::Id::q4_k>,
     block_strip_bytes<codec::Id::q4_k>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q4_k 64 rows",
     {64, 2560, 64},
     {13, 256, 48},
     run_block_dots<codec::Id::q4_k>,
     block_strip_bytes<codec::Id::q4_k>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q6_k 1 row",
     {1, 2560, 64},
     {1, 256, 48},
     run_block_dots<codec::Id::q6_k>,
     block_strip_bytes<codec::Id::q6_k>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q6_k 8 rows",
     {8, 2560, 64},
     {8, 256, 48},
     run_block_dots<codec::Id::q6_k>,
     block_strip_bytes<codec::Id::q6_k>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q6_k 64 rows",
     {64, 2560, 64},
     {52, 256, 16},
     run_block_dots<codec::Id::q6_k>,
     block_strip_bytes<codec::Id::q6_k>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "iq2_xxs 1 row",
     {1, 2560, 64},
     {1, 256, 48},
     run_block_dots<codec::Id::iq2_xxs>,
     block_strip_bytes<codec::Id::iq2_xxs>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "iq2_xxs 8 rows",
     {8, 2560, 64},
     {8, 256, 48},
     run_block_dots<codec::Id::iq2_xxs>,
     block_strip_bytes<codec::Id::iq2_xxs>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "iq2_xxs 64 rows",
     {64, 2560, 64},
     {52, 256, 16},
     run_block_dots<codec::Id::iq2_xxs>,
     block_strip_bytes<codec::Id::iq2_xxs>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q8_0 1 row",
     {1, 2560, 64},
     {1, 256, 48},
     run_block_dots<codec::Id::q8_0>,
     block_strip_bytes<codec::Id::q8_0>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q8_0 8 rows",
     {8, 2560, 64},
     {8, 256, 48},
     run_block_dots<codec::Id::q8_0>,
     block_strip_bytes<codec::Id::q8_0>,
     dot_operations,
     Arithmetic::int8},
    {"block_dots",
     "q8_0 64 rows",
     {64, 2560, 64},
     {13, 256, 48},
     run_block_dots<codec::Id::q8_0>,
     block_strip_bytes<codec::Id::q8_0>,
     dot_operations,
     Arithmetic::int8},
    {"block_quantise",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.block->quantise(d.x.data(), s.columns, kernel::block_count(s.columns), 1, d.codes.data(),
                         d.out.data(), d.sums.data());
     },
     coded_bytes<256>,
     no_operations},
    {"bf16_encode",
     "",
     {1, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       kernel::supported_bf16(*t.bf16, d.features)
           .encode(d.x.data(), s.columns, 1, d.halves.data());
     },
     [](const Shape& s) { return 6.0 * static_cast<double>(s.columns); },
     no_operations},
    {"bf16_dots",
     "1 row",
     {1, 2560, 64},
     {1, 512, 64},
     run_bf16_dots,
     bf16_strip_bytes,
     dot_operations,
     Arithmetic::bfloat16},
    {"bf16_dots",
     "8 rows",
     {8, 2560, 64},
     {8, 512, 32},
     run_bf16_dots,
     bf16_strip_bytes,
     dot_operations,
     Arithmetic::bfloat16},
    {"bf16_dots",
     "64 rows",
     {64, 2560, 64},
     {25, 512, 32},
     run_bf16_dots,
     bf16_strip_bytes,
     dot_operations,
     Arithmetic::bfloat16},
    {"real_dots",
     "f32 1 row",
     {1, 2560, 16},
     {1, 256, 16},
     run_real_dots<kernel::RealFormat::f32, 4>,
     weight_bytes<4>,
     dot_operations},
    {"real_dots",
     "f32 64 rows",
     {64, 2560, 16},
     {7, 300, 16},
     run_real_dots<kernel::RealFormat::f32, 4>,
     weight_bytes<4>,
     dot_operations},
    {"real_dots",
     "f16 1 row",
     {1, 2560, 16},
     {1, 256, 16},
     run_real_dots<kernel::RealFormat::f16, 2>,
     weight_bytes<2>,
     dot_operations},
    {"real_dots",
     "f16 64 rows",
     {64, 2560, 16},
     {7, 300, 16},
     run_real_dots<kernel::RealFormat::f16, 2>,
     weight_bytes<2>,
     dot_operations},
    {"real_dots",
     "bf16 1 row",
     {1, 2560, 16},
     {1, 256, 16},
     run_real_dots<kernel::RealFormat::bf16, 2>,
     weight_bytes<2>,
     dot_operations},
    {"real_dots",
     "bf16 4 rows",
     {4, 2560, 16},
     {4, 256, 16},
     run_real_dots<kernel::RealFormat::bf16, 2>,
     weight_bytes<2>,
     dot_operations},
    {"real_dots",
     "bf16 8 rows",
     {8, 2560, 16},
     {8, 256, 16},
     run_real_dots<kernel::RealFormat::bf16, 2>,
     weight_bytes<2>,
     dot_operations},
    {"real_dots",
     "bf16 64 rows",
     {64, 2560, 16},
     {7, 300, 16},
     run_real_dots<kernel::RealFormat::bf16, 2>,
     weight_bytes<2>,
     dot_operations},
    {"real_dots",
     "f8_e4m3 1 row",
     {1, 2560, 16},
     {1, 256, 16},
     run_real_dots<kernel::RealFormat::f8_e4m3, 1>,
     weight_bytes<1>,
     dot_operations},
    {"real_dots",
     "f8_e5m2 1 row",
     {1, 2560, 16},
     {1, 256, 16},
     run_real_dots<kernel::RealFormat::f8_e5m2, 1>,
     weight_bytes<1>,
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
    {"add_rows", "4 rows", {1, 2560}, {1, 256}, run_add_rows, row_bytes, no_operations},
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
    {"attention_products_f32",
     "4 queries",
     {4, 128, 64},
     {4, 16, 64},
     run_products<&kernel::AttentionKernels::products_f32>,
     weight_bytes<4>,
     dot_operations},
    {"attention_products_f16",
     "4 queries",
     {4, 128, 64},
     {4, 16, 64},
     run_products<&kernel::AttentionKernels::products_f16>,
     weight_bytes<2>,
     dot_operations},
    {"attention_products_f16",
     "48 queries",
     {48, 128, 64},
     {8, 16, 64},
     run_products<&kernel::AttentionKernels::products_f16>,
     weight_bytes<2>,
     dot_operations},
    {"attention_key_dots",
     "4 queries",
     {4, 128, 64},
     {4, 64, 64},
     run_key_dots,
     weight_bytes<1>,
     dot_operations,
     Arithmetic::int8},
    {"attention_key_dots",
     "48 queries",
     {48, 128, 64},
     {8, 64, 64},
     run_key_dots,
     weight_bytes<1>,
     dot_operations,
     Arithmetic::int8},
    {"attention_value_dots",
     "4 queries",
     {4, 64, 256},
     {4, 64, 64},
     run_value_dots,
     weight_bytes<1>,
     dot_operations,
     Arithmetic::int8},
    {"attention_value_dots",
     "48 queries",
     {48, 64, 256},
     {8, 64, 64},
     run_value_dots,
     weight_bytes<1>,
     dot_operations,
     Arithmetic::int8},
    {"attention_softmax", "", {1, 256}, {1, 256}, run_attention_softmax, row_bytes, no_operations},
    {"attention_value_codes", "", {1, 256}, {1, 256}, run_value_codes, row_bytes, no_operations},
    {"attention_join", "", {1, 128}, {1, 128}, run_join, row_bytes, no_operations},
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
  dots.assign(static_cast<size_t>(shape.rows * std::max(shape.weights, kernel::kStripRows)), 1000);
  halves.resize(count);
  features = cpu::detect_features();
  scratch.resize(std::max<size_t>(kernel::kRealScratch, kernel::kBf16Scratch + 16));
  // Any byte is a block's; the second of every two stays small, so that f16 scales are finite.
  blocks.resize(static_cast<size_t>(elements * kMostElementBytes + 64));
  for (uint8_t& byte : blocks) byte = static_cast<uint8_t>(draw.below(256) & 0x3b);

  strips.resize(static_cast<size_t>(kernel::t2_bytes(shape.weights, shape.columns)));
  std::vector<int8_t> ternary(static_cast<size_t>(kernel::kStripRows * shape.columns));
  const int64_t strip_size = kernel::t2_strip_bytes(shape.columns);
  for (size_t at = 0; at < strips.size(); at += static_cast<size_t>(strip_size)) {
    for (int8_t& code : ternary) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
    kernel::t2_pack_strip(ternary.data(), kernel::kStripRows, shape.columns, &strips[at]);
  }
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
