// Probes of attention.
#include "bench/probe_families.h"
#include "kernel/attention.h"

namespace bittern::bench {
namespace {

using kernel::Table;
using Shape = ProbeShape;

// `rows` queries, a head of `columns`, a page of `weights` positions.
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

// A head of 128, pages of 64 positions, a chunk of 256.
constexpr KernelProbe kProbes[] = {
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
     {16, 16, 64},
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

std::span<const KernelProbe> attention_probes() { return kProbes; }

}  // namespace bittern::bench
