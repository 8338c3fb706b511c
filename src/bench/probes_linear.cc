// Probes of products of matrices, and of what codes their rows of activations.
#include "bench/probe_families.h"
#include "kernel/bf16_pack.h"
#include "kernel/block_pack.h"
#include "kernel/pack.h"
#include "kernel/real.h"
#include "kernel/select.h"

namespace bittern::bench {
namespace {

using kernel::Table;
using Shape = ProbeShape;

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
double strip_bytes(const Shape& s) {
  return static_cast<double>(kernel::t2_bytes(s.weights, s.columns));
}

int64_t block_sums(const Shape& s) { return kernel::block_count(s.columns) * kernel::kBlockSums; }

// Strips of any bytes: every code is legal, and ProbeData keeps f16 scales finite.
template <codec::Id kCodec>
void run_block_dots(const Table& t, ProbeData& d, const Shape& s) {
  const auto start = reinterpret_cast<uintptr_t>(d.blocks.data());
  t.block->dots(
      {.layout = kernel::block_layout(kCodec),
       .strip = d.blocks.data() + (64 - start % 64) % 64,
       .strips = s.weights / kernel::kBlockStripRows,
       .strip_bytes = kernel::block_strip_bytes(*kernel::block_layout(kCodec), s.columns),
       .blocks = kernel::block_count(s.columns),
       .in = {d.codes.data(), d.y.data(), d.sums.data(), d.y.data(), d.sums.data(), s.rows},
       .rows = s.rows,
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

// The width of BitNet 2B.
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
       t.block->quantise(d.x.data(), s.columns, kernel::block_count(s.columns),
                         {d.codes.data(), d.out.data(), d.sums.data(), d.y.data(), nullptr, 1});
     },
     coded_bytes<256>,
     no_operations},
    {"block_starts",
     "",
     {8, 2560},
     {1, 256},
     [](const Table& t, ProbeData& d, const Shape& s) {
       t.block->starts(d.sums.data(), s.rows * block_sums(s),
                       kernel::BlockStart{-8, kernel::kFloatBase}, d.dots.data());
     },
     [](const Shape& s) { return 8.0 * static_cast<double>(s.rows * block_sums(s)); },
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
};

}  // namespace

std::span<const KernelProbe> linear_probes() { return kProbes; }

}  // namespace bittern::bench
