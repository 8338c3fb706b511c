// Low-rank additions to linear layers: out += factor * B (A x) for some of a step's rows.
//
// A [rank, in] is read as a linear layer of real numbers (kernel/real.h). B is turned round when it
// is packed, to [rank, out]: with so few columns a dot product would be mostly the sum over lanes,
// while whole rows are added to what the base layer left, the ranks ascending. Both are the same
// bits for any rows beside a row, any thread count and any instruction set. Halves stay halves in
// memory: an adapter's bytes are read for every token.

#include <algorithm>
#include <array>
#include <cstring>

#include "backend/cpu/device.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

constexpr int64_t kInners = kernel::kRealOutputs;  // rows of A in a task
constexpr int64_t kFewInners = 8;                  // where there are too few tasks for the threads
constexpr int64_t kOutputs = 512;                  // outputs of a task
constexpr int64_t kPanel = 16;  // rows of B for them, which stay in the first level of cache
constexpr int64_t kRows = 64;   // rows of activations in a task: their outputs stay in the second
static_assert(kPanel * kOutputs <= kernel::kRealScratch);

int64_t parts(int64_t count, int64_t step) { return (count + step - 1) / step; }

class CpuLowRank final : public LowRank {
 public:
  kernel::RealFormat format = kernel::RealFormat::f32;  // f32, f16 or bf16
  kernel::Decode decode = nullptr;                      // of the format; null: f32
  int64_t element_bytes = sizeof(float);
  std::vector<std::byte> a, b;  // [rank, in], [rank, out]
};

// [rows, columns] in the order of the result, turned round where `turned`; elements of `size`
// bytes.
std::vector<std::byte> copied(const std::byte* from, int64_t rows, int64_t columns, int64_t size,
                              const std::vector<int32_t>& order, bool turned) {
  std::vector<std::byte> to(static_cast<size_t>(rows * columns * size));
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* source = from + source_row(order, row) * columns * size;
    if (!turned) {
      std::memcpy(to.data() + row * columns * size, source, static_cast<size_t>(columns * size));
      continue;
    }
    for (int64_t column = 0; column < columns; ++column) {
      std::memcpy(to.data() + (column * rows + row) * size, source + column * size,
                  static_cast<size_t>(size));
    }
  }
  return to;
}

// Numbers of the format that both matrices are kept in.
std::vector<std::byte> matrix(const TensorView& view, bool as_stored, int64_t size,
                              const std::vector<int32_t>& order, bool turned) {
  const int64_t rows = order.empty() ? view.rows() : std::ssize(order);
  if (as_stored) return copied(view.bytes.data(), rows, view.columns(), size, order, turned);
  std::vector<float> values(static_cast<size_t>(view.elements()));
  decode_rows(view, 0, view.rows(), values.data());
  return copied(std::as_bytes(std::span(values)).data(), rows, view.columns(), size, order, turned);
}

}  // namespace

// A part of one call.
struct CpuBackend::LowRankTask {
  const CpuLowRank* weights = nullptr;
  const LowRankCall* call = nullptr;
  std::span<const int32_t> rows;
  float* inner = nullptr;        // [rows, rank]
  int64_t first = 0, count = 0;  // of A's rows, or of the outputs
};

std::unique_ptr<LowRank> CpuBackend::pack_low_rank(const LowRankSource& source) {
  const TensorView &a = *source.a, &b = *source.b;
  BITTERN_CHECK(a.rows() == b.columns() && a.rows() <= kLowRankMax, "{}: {} rows, {}: {} columns",
                printable(a.name), a.rows(), printable(b.name), b.columns());
  for (const int32_t row : source.row_order)
    BITTERN_CHECK(row >= 0 && row < b.rows(), "{}: row {} of {}", printable(b.name), row, b.rows());
  auto weights = std::make_unique<CpuLowRank>();
  weights->in_size = a.columns();
  weights->rank = a.rows();
  weights->out_size = source.row_order.empty() ? b.rows() : std::ssize(source.row_order);
  const bool halves = a.codec == b.codec && a.scale == 1.0f && b.scale == 1.0f &&
                      (a.codec == codec::Id::f16 || a.codec == codec::Id::bf16);
  if (halves) {
    const bool is_f16 = a.codec == codec::Id::f16;
    weights->format = is_f16 ? kernel::RealFormat::f16 : kernel::RealFormat::bf16;
    weights->decode = is_f16 ? table_.decode_f16 : table_.decode_bf16;
    weights->element_bytes = 2;
  }
  weights->a = matrix(a, halves, weights->element_bytes, {}, false);
  weights->b = matrix(b, halves, weights->element_bytes, source.row_order, true);
  weights->resident_bytes = std::ssize(weights->a) + std::ssize(weights->b);
  return weights;
}

// inner = factor * A x for some rows of A, each run of neighbouring rows of activations in one
// call.
void CpuBackend::project_down(const LowRankTask& task, const Activations& in, int worker) const {
  const CpuLowRank& weights = *task.weights;
  std::array<const uint8_t*, kInners> rows = {};
  for (int64_t i = 0; i < task.count; ++i) {
    const int64_t offset = (task.first + i) * weights.in_size * weights.element_bytes;
    rows[static_cast<size_t>(i)] = reinterpret_cast<const uint8_t*>(weights.a.data() + offset);
  }
  for (size_t begin = 0, end = 0; begin < task.rows.size(); begin = end) {
    end = begin + 1;
    while (end < task.rows.size() && task.rows[end] == task.rows[end - 1] + 1) ++end;
    float* inner = task.inner + static_cast<int64_t>(begin) * weights.rank + task.first;
    table_.real->dots({.format = weights.format,
                       .weights = rows.data(),
                       .outputs = task.count,
                       .columns = weights.in_size,
                       .scale = 1.0f,
                       .in = in.values + task.rows[begin] * in.width,
                       .rows = static_cast<int64_t>(end - begin),
                       .in_stride = in.width,
                       .bias = nullptr,
                       .out = inner,
                       .stride = weights.rank,
                       .scratch = scratch_.of(worker)});
    for (size_t row = begin; row < end; ++row, inner += weights.rank)
      for (int64_t i = 0; i < task.count; ++i) inner[i] *= task.call->factor;
  }
}

// out += inner[k] * (row k of B), k ascending, for at most kOutputs outputs.
void CpuBackend::add_up(const LowRankTask& task, int worker) const {
  const CpuLowRank& weights = *task.weights;
  for (int64_t k = 0; k < weights.rank; k += kPanel) {
    const int64_t ranks = std::min(kPanel, weights.rank - k);
    const std::byte* stored =
        weights.b.data() + (k * weights.out_size + task.first) * weights.element_bytes;
    const auto* panel = reinterpret_cast<const float*>(stored);
    int64_t stride = weights.out_size;
    if (weights.decode != nullptr) {
      float* decoded = scratch_.of(worker);
      for (int64_t i = 0; i < ranks; ++i) {
        weights.decode(stored + i * weights.out_size * weights.element_bytes, task.count,
                       decoded + i * kOutputs);
      }
      panel = decoded;
      stride = kOutputs;
    }
    for (size_t i = 0; i < task.rows.size(); ++i) {
      table_.add_rows(task.call->out + task.rows[i] * task.call->out_stride + task.first, panel,
                      stride, task.inner + static_cast<int64_t>(i) * weights.rank + k, ranks,
                      task.count);
    }
  }
}

void CpuBackend::add_low_rank(std::span<const LowRankCall> calls, const Activations& in,
                              float* inner) {
  // Every (call, part of its outputs, part of its rows), by index, of products [width, depth].
  using Size = int64_t LowRank::*;
  const auto run_parts = [&](Size width, Size depth, int64_t step, auto&& body) {
    const auto tasks_of = [&](const LowRankCall& call) {
      return parts(call.weights->*width, step) * parts(std::ssize(call.rows), kRows);
    };
    int64_t tasks = 0, work = 0;
    for (const LowRankCall& call : calls) {
      tasks += tasks_of(call);
      work += std::ssize(call.rows) * call.weights->*width * call.weights->*depth;
    }
    run(work, tasks, [&](int64_t task, int worker) {
      float* own = inner;
      for (const LowRankCall& call : calls) {
        const auto& weights = static_cast<const CpuLowRank&>(*call.weights);
        if (task < tasks_of(call)) {
          const int64_t row_parts = parts(std::ssize(call.rows), kRows);
          const int64_t row = task % row_parts * kRows;
          const int64_t most = std::min(kRows, std::ssize(call.rows) - row);
          const int64_t first = task / row_parts * step;
          body({.weights = &weights,
                .call = &call,
                .rows = call.rows.subspan(static_cast<size_t>(row), static_cast<size_t>(most)),
                .inner = own + row * weights.rank,
                .first = first,
                .count = std::min(step, weights.*width - first)},
               worker);
          return;
        }
        task -= tasks_of(call);
        own += std::ssize(call.rows) * weights.rank;
      }
    });
  };
  int64_t row_parts = 0;
  for (const LowRankCall& call : calls) row_parts += parts(std::ssize(call.rows), kRows);
  const int64_t inners = row_parts < pool_.thread_count() ? kFewInners : kInners;
  run_parts(&LowRank::rank, &LowRank::in_size, inners,
            [&](const LowRankTask& task, int worker) { project_down(task, in, worker); });
  run_parts(&LowRank::out_size, &LowRank::rank, kOutputs,
            [&](const LowRankTask& task, int worker) { add_up(task, worker); });
}

}  // namespace bittern::backend
