// Probes of decoders and of operations on rows.
#include "bench/probe_families.h"
#include "kernel/kernel.h"

namespace bittern::bench {
namespace {

using kernel::Gate;
using kernel::Table;
using Shape = ProbeShape;

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

// The widths of BitNet 2B (2560, 6912), a head of 128, a chunk of attention of 256.
constexpr KernelProbe kProbes[] = {
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
};

}  // namespace

std::span<const KernelProbe> row_probes() { return kProbes; }

}  // namespace bittern::bench
