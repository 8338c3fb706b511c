// Private to backend/cpu: the class behind make_cpu_backend and what its parts share.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/head.h"
#include "backend/cpu/packed.h"
#include "base/float_mode.h"
#include "base/read_ahead.h"
#include "base/region.h"
#include "base/thread_pool.h"
#include "kernel/bf16.h"
#include "kernel/block.h"
#include "kernel/kernel.h"
#include "kernel/real.h"

namespace bittern::backend {

enum class Family : uint8_t { ternary, block, bf16, real };

inline int64_t strip_count(int64_t outputs) {
  return (outputs + kernel::kStripRows - 1) / kernel::kStripRows;
}
// The tensor's row that is row `row` of the result; empty order: as stored.
inline int64_t source_row(const std::vector<int32_t>& order, int64_t row) {
  return order.empty() ? row : order[static_cast<size_t>(row)];
}

// One class for all families.
class CpuLinear final : public Linear {
 public:
  Family family = Family::real;
  // All but real: packed strips and the scale of the tensor.
  Packed strips;
  float scale = 1.0f;
  // Ternary: the kernel of T1.6 (null: the strips are T2), whether each strip ends with the scales
  // of its 16 rows, and its bytes with them.
  const kernel::DenseTernary* dense = nullptr;
  bool row_scales = false;
  int64_t strip_bytes = 0;
  // Block: how the strips lie.
  const kernel::BlockLayout* block = nullptr;
  // Of its kernels, unless products of the layout do without starts.
  std::optional<kernel::BlockStart> start;
  // Real: the tensor where it lies; the format that kernels read there, or else how a row is
  // decoded first (null: by the codec).
  TensorView weight;
  std::optional<kernel::RealFormat> format;
  kernel::Decode decode = nullptr;
  int64_t row_bytes = 0;  // where one of the two is set
  std::vector<int32_t> row_order;

  std::vector<float> bias;  // in the order of the results; empty: none

  // An output layer's coarse plane as strips of kernel/head.h, `scale` the largest norm; or null.
  std::unique_ptr<CpuLinear> coarse;
};

// What starts that are the sums themselves are made with: they are not made.
inline constexpr kernel::BlockStart kSums = {.factor = 1, .base = 0};

inline kernel::BlockRows block_rows(const Activations& in) {
  return {in.codes,
          in.block_scales,
          in.block_sums,
          in.block_scaled_sums,
          in.block_start == kSums.key() ? in.block_sums : in.block_starts,
          in.count};
}

// Strips of 16 outputs, one where weights are not packed, for rows [row, row + rows) of a region's
// activations.
struct StripTask {
  int64_t strip = 0, strips = 1;
  int64_t row = 0, rows = 0;
  float* out = nullptr;  // of row 0 and output 0 of the layer
  int64_t out_stride = 0;
  int worker = 0;
};
// Rows of a ternary task, and about how many bytes of their codes: half of a small L2 cache.
inline constexpr int64_t kTernaryRows = 128;
inline constexpr int64_t kTernaryCodeBytes = int64_t{512} << 10;

class CpuKvStore final : public KvStore {
 public:
  // [layer, page, kv head] panels of keys, the same of values (kv_layout.h).
  Region keys, values;

  void copy_page(int32_t from, int32_t to) override;
  int64_t page_bytes() const override;
  void export_page(int32_t page, std::byte* out) const override;
  void import_page(int32_t page, const std::byte* in) override;
  // Which of the panels, counted in pages of one head.
  int64_t slot(int64_t layer, int64_t page, int64_t head) const {
    return (layer * shape.page_count + page) * shape.kv_head_count + head;
  }

 private:
  // visit(part, bytes) for each piece of a page, in one order.
  template <typename Visit>
  void each_part(int32_t page, const Visit& visit) const;
};

// What one worker needs while it runs a task; regions of one backend never overlap, so every
// operation uses the same bytes.
class Scratch {
 public:
  // Cold: at least `floats` for every worker.
  void grow(int workers, int64_t floats);
  float* of(int worker) const;
  // That grow() makes.
  static int64_t bytes(int workers, int64_t floats);

 private:
  Region bytes_;
  int64_t floats_ = 0;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(ThreadPool& pool, const kernel::Table& table, const CpuOptions& options);

  std::string description() const override;
  std::unique_ptr<Linear> pack(const LinearSource& source) override;
  std::unique_ptr<KvStore> make_kv_store(const KvShape& shape) override;
  void embed(const TensorView& table, std::span<const int32_t> ids, float* out) override;
  void rms_norm(const float* in, const float* weight, float eps, int64_t count, int64_t width,
                float* out) override;
  void layer_norm(const float* in, const float* weight, const float* bias, float eps, int64_t count,
                  int64_t width, float* out) override;
  void linears(std::span<const LinearCall> calls, Activations& in) override;
  std::unique_ptr<LowRank> pack_low_rank(const LowRankSource& source) override;
  void add_low_rank(std::span<const LowRankCall> calls, const Activations& in,
                    float* inner) override;
  void head(const HeadCall& call, Activations& in) override;
  HeadCounts head_counts() const override { return head_counts_; }
  void rope(const RopeTable& table, std::span<const RowPlace> rows, int64_t head_count,
            int64_t head_dim, float* x, int64_t stride) override;
  void gate(Activation activation, const float* gate, const float* up, int64_t elements,
            float* out) override;
  void add(float* x, const float* y, int64_t elements) override;
  void add_scaled(float* x, const float* y, float factor, int64_t elements) override;
  void scale(float* x, float factor, int64_t elements) override;
  void softcap(float* x, float cap, int64_t elements) override;
  void route(const RouteShape& shape, const float* logits, int64_t count, int32_t* experts,
             float* shares) override;
  void hadamard(const float* in, const float* signs, int64_t block, bool inverse, int64_t count,
                int64_t width, float* out) override;
  void join_rows(const RowJoin& rows) override;
  void gate_rows(const RowGate& rows) override;
  void turn_heads(std::span<const RowPlace> rows, std::span<const HeadTurn> parts) override;
  void store_kv(KvStore& store, int64_t layer, std::span<const RowPlace> rows, const float* keys,
                const float* values) override;
  void attend(const KvStore& store, const AttendShape& shape, std::span<const RowPlace> rows,
              const float* queries, float* out) override;

 private:
  // Runs body(task, worker) for every task: here when `work` is small, else on the pool.
  template <typename Body>
  void run(int64_t work, int64_t task_count, const Body& body) {
    if (task_count > 1 && work >= options_.inline_work && pool_.thread_count() > 1) {
      pool_.run(task_count, body);
      return;
    }
    const DefaultFloatMode mode;
    for (int64_t task = 0; task < task_count; ++task) body(task, 0);
  }

  // The strips of `linear`, whose layout is named: from the cache, with the scale; or false.
  bool find_strips(const LinearSource& source, int64_t strip_bytes, CpuLinear& linear);
  // Made by pack(strip, worker, to) for each of them, and kept in the cache with the scale.
  using PackStrip = std::function<void(int64_t strip, int worker, uint8_t* to)>;
  void make_strips(const LinearSource& source, int64_t strip_bytes, CpuLinear& linear,
                   const PackStrip& pack);
  // The two halves of make_strips().
  PackArena::Part pack_strips(const LinearSource& source, int64_t strip_bytes,
                              const CpuLinear& linear, const PackStrip& pack);
  void keep_strips(const LinearSource& source, PackArena::Part part, CpuLinear& linear);
  void pack_ternary(const LinearSource& source, CpuLinear& linear);
  bool pack_ternary_rows(const LinearSource& source, CpuLinear& linear);
  void pack_ternary_values(const LinearSource& source, CpuLinear& linear);
  // Null where the weights are not of a block format, or stay as they lie in the file.
  const kernel::BlockLayout* block_layout_of(const LinearSource& source) const;
  void pack_block(const LinearSource& source, const kernel::BlockLayout& layout, CpuLinear& linear);
  // Whether the weights meet activations of bf16.
  bool is_bf16(const LinearSource& source) const;
  void pack_bf16(const LinearSource& source, CpuLinear& linear);
  void bind_real(const LinearSource& source, CpuLinear& linear);
  // One row of an operation that stands for several; see joined_rows.cc.
  void norm_row(const RowNorm& norm, const float* in, int64_t width, float* out) const;
  void join_row(const RowJoin& rows, int64_t row) const;
  void turn_row(const HeadTurn& part, const RowPlace& place, int64_t row) const;
  void code_row(Activations& out, Codes codes, int64_t row) const;
  void quantise(Activations& in);
  void quantise_blocks(Activations& in);
  void make_starts(const kernel::BlockStart& start, Activations& in);
  struct Together;
  void linears_together(std::span<const LinearCall> calls, const Together& together,
                        Activations& in);
  void round_to_bf16(Activations& in);
  void round_row(Activations& in, int64_t row) const;
  void run_strip(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  void ternary_strips(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  void block_strips(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  void bf16_strips(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  void real_strip(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  void decode_real(const CpuLinear& weights, int64_t row, float* out) const;
  // The outputs `ids` (at most kRealOutputs) of one row of activations, as real_strip() has them;
  // for weights that are read where they lie.
  void real_rows(const CpuLinear& weights, const float* in, std::span<const int32_t> ids,
                 float* out, int worker) const;

  // See low_rank.cc.
  struct LowRankTask;
  void project_down(const LowRankTask& task, const Activations& in, int worker) const;
  void add_up(const LowRankTask& task, int worker) const;

  // The coarse plane of an output layer, see head.cc.
  void pack_coarse(const LinearSource& source, CpuLinear& linear);
  bool code_head_rows(const CpuLinear& weights, const Activations& in);
  void run_plane(const HeadCall& call, int64_t rows);
  void plane_strip(const HeadCall& call, int64_t rows, int64_t strip);
  bool bounds_of(const HeadCall& call, int64_t row, int64_t id, float& least, float& most) const;
  float head_threshold(const HeadCall& call, int64_t row);
  bool choose_rows(const HeadCall& call, int64_t row);
  void refine_rows(const HeadCall& call, const Activations& in);

  // Makes room for attention over such a store; see attention.cc.
  void grow_attention(const KvShape& shape);
  int attend_part_count() const;

  ThreadPool& pool_;
  const kernel::Table& table_;
  const kernel::DenseTernary* dense_;  // of T1.6 strips; null: T2 is better here
  const kernel::Bf16Kernels& bf16_;
  CpuOptions options_;
  PackArena arena_;
  ReadAhead read_ahead_;
  Scratch scratch_;
  HeadWork head_work_;
  HeadCounts head_counts_;
  Scratch attend_parts_;  // what parts of attend() leave to one another
};

// The kernel that decodes a codec's rows, or null where only the codec itself can.
kernel::Decode fast_decode(const kernel::Table& table, codec::Id id);

// The kernel's name of an activation.
kernel::Gate gate_kind(Activation activation);
inline constexpr int64_t kGateWork = 8;  // an activation costs about this many multiply-adds

}  // namespace bittern::backend
