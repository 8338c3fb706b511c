// Private to backend/cpu: the class behind make_cpu_backend and what its parts share.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/region.h"
#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "kernel/kernel.h"

namespace bittern::backend {

enum class Family : uint8_t { ternary, real };

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
  // Ternary: T2 strips and the scale of the tensor.
  Region strips;
  float scale = 1.0f;
  // Real: the tensor where it lies, and how a row is decoded (null: by the codec).
  TensorView weight;
  kernel::Decode decode = nullptr;
  int64_t row_bytes = 0;          // where `decode` is set
  const float* direct = nullptr;  // the rows themselves, where they are plain f32 in order
  std::vector<int32_t> row_order;

  std::vector<float> bias;  // in the order of the results; empty: none
};

// A strip of 16 outputs for rows [row, row + rows) of a region's activations.
struct StripTask {
  int64_t strip = 0;
  int64_t row = 0, rows = 0;
  float* out = nullptr;  // of row 0 and output 0 of the layer
  int64_t out_stride = 0;
  int worker = 0;
};

class CpuKvStore final : public KvStore {
 public:
  // [layer, page, kv head, kPageTokens, head_dim] of keys, the same of values; for int8 the
  // scales [layer, page, kv head, kPageTokens] of each behind them.
  Region keys, values;
  Region key_scales, value_scales;

  // The first of the kPageTokens vectors of a page and head, counted in vectors.
  int64_t first_vector(int64_t layer, int64_t page, int64_t head) const {
    return ((layer * shape.page_count + page) * shape.kv_head_count + head) * kPageTokens;
  }
};

// What one worker needs while it runs a task; regions of one backend never overlap, so every
// operation uses the same bytes.
class Scratch {
 public:
  // Cold: at least `floats` for every worker.
  void grow(int workers, int64_t floats);
  float* of(int worker) const;

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

  void pack_ternary(const LinearSource& source, CpuLinear& linear);
  void bind_real(const LinearSource& source, CpuLinear& linear);
  void quantise(Activations& in);
  void run_strip(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  void ternary_strip(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  void real_strip(const CpuLinear& weights, const Activations& in, const StripTask& task) const;
  const float* decoded_rows(const CpuLinear& weights, int64_t first, int64_t count,
                            float* buffer) const;

  // Attention of one row and key/value head; see attention.cc.
  struct AttendTask;
  const float* page_vectors(const AttendTask& task, const Region& vectors, const Region& scales,
                            int64_t first_position, int64_t count, float* buffer) const;
  void attend_heads(const AttendTask& task) const;

  ThreadPool& pool_;
  const kernel::Table& table_;
  CpuOptions options_;
  Scratch scratch_;
};

// Floats of scratch that attention over heads of this size needs.
int64_t attention_scratch(int64_t head_dim);

// The kernel that decodes a codec's rows, or null where only the codec itself can.
kernel::Decode fast_decode(const kernel::Table& table, codec::Id id);

}  // namespace bittern::backend
