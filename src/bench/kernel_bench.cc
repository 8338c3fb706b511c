#include "bench/kernel_bench.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/float_mode.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/kernel_probe.h"
#include "bench/random_weights.h"
#include "bench/step_work.h"
#include "kernel/bf16.h"
#include "kernel/select.h"

namespace bittern::bench {
namespace {

constexpr double kSliceSeconds = 2e-5;  // short calls are timed several at once
constexpr size_t kMostSlices = 100000;

// Seconds of one call: slices of several calls, for `seconds` in all.
template <typename Call>
Spread time_calls(double seconds, const Call& call) {
  call();
  const double first = monotonic_seconds();
  call();
  const double once = std::max(monotonic_seconds() - first, 1e-9);
  const auto calls = static_cast<int64_t>(std::clamp(kSliceSeconds / once, 1.0, 1e6));
  std::vector<double> slices;
  const double until = monotonic_seconds() + seconds;
  do {
    const double begin = monotonic_seconds();
    for (int64_t i = 0; i < calls; ++i) call();
    slices.push_back(std::max(monotonic_seconds() - begin, 1e-9) / static_cast<double>(calls));
  } while (monotonic_seconds() < until && slices.size() < kMostSlices);
  return spread_of(slices);
}

// The limit that binds a call, and the share of it that was reached.
void judge(const Limits& limits, bool from_memory, KernelResult& result) {
  const double memory =
      from_memory && limits.read_rate() > 0.0 ? result.bytes / limits.read_rate() : 0.0;
  const auto rate = limits.compute_rate(result.arithmetic);
  const double compute = rate && *rate > 0.0 ? result.operations / *rate : 0.0;
  const double least = std::max(memory, compute);
  if (least <= 0.0 || result.seconds.median <= 0.0) return;
  result.share = least / result.seconds.median;
  result.bound = memory > compute ? "memory" : std::string(arithmetic_name(result.arithmetic));
}

// Linear layers of one format, as many as make the working set.
struct Linears {
  std::vector<std::vector<std::byte>> buffers;
  std::vector<TensorView> views;
  std::vector<std::unique_ptr<backend::Linear>> layers;
};

bool is_ternary(codec::Id id) {
  return id == codec::Id::tq1_0 || id == codec::Id::tq2_0 || codec::is_i2_s(id) ||
         id == codec::Id::iq1_bn || id == codec::Id::iq2_bn;
}

Linears make_linears(backend::Backend& backend, codec::Id id, ThreadPool& pool,
                     const KernelBenchOptions& options) {
  const int64_t rows = options.out_size, columns = options.in_size;
  const auto bytes = codec::get(id).tensor_bytes(rows, columns);
  if (!bytes) {
    fail(ErrorKind::usage, "bench kernels: {} cannot store {} x {}", codec::get(id).name, rows,
         columns);
  }
  const int64_t count = std::max<int64_t>(1, (options.working_set_bytes + *bytes - 1) / *bytes);
  if (const int64_t available = memory::available_bytes(); 2 * count * *bytes > available) {
    fail(ErrorKind::resources, "bench kernels: {} bytes of weights, {} are available",
         2 * count * *bytes, available);
  }
  Linears result;
  result.views.resize(static_cast<size_t>(count));  // layers may keep their addresses
  for (int64_t i = 0; i < count; ++i) {
    auto& buffer = result.buffers.emplace_back(static_cast<size_t>(*bytes));
    fill_random({.codec = id, .rows = rows, .columns = columns, .stream = static_cast<uint64_t>(i)},
                pool, buffer);
    TensorView& view = result.views[static_cast<size_t>(i)];
    view.name = fmt::format("linear {}", i);
    view.codec = id;
    view.shape = {rows, columns};
    view.bytes = buffer;
    backend::LinearSource source;
    source.weight = &view;
    source.ternary = is_ternary(id);
    result.layers.push_back(backend.pack(source));
  }
  return result;
}

// Activations of `rows` rows with room for their codes.
struct Inputs {
  Inputs(int64_t rows, int64_t width)
      : values(static_cast<size_t>(rows * width)),
        codes(static_cast<size_t>(backend::code_bytes(rows, width))),
        inverse_scales(static_cast<size_t>(rows)),
        block_scales(
            static_cast<size_t>(rows * backend::code_blocks(width) * backend::kCodeBlockRuns)),
        sums(static_cast<size_t>(rows)),
        block_sums(
            static_cast<size_t>(rows * backend::code_blocks(width) * backend::kCodeBlockSums)),
        block_scaled_sums(block_sums.size()),
        block_starts(block_sums.size()) {
    random::Sequence draw(1);
    for (float& value : values) value = static_cast<float>(draw.uniform() * 2.0 - 1.0);
    activations.values = values.data();
    activations.count = rows;
    activations.width = width;
    activations.codes = codes.data();
    activations.inverse_scales = inverse_scales.data();
    activations.sums = sums.data();
    activations.block_scales = block_scales.data();
    activations.block_sums = block_sums.data();
    activations.block_scaled_sums = block_scaled_sums.data();
    activations.block_starts = block_starts.data();
  }
  std::vector<float> values;
  std::vector<int8_t> codes;
  std::vector<float> inverse_scales, block_scales;
  std::vector<int32_t> sums, block_sums;
  std::vector<float> block_scaled_sums;
  std::vector<int32_t> block_starts;
  backend::Activations activations;
};

KernelResult measure_linear(backend::Backend& backend, const Linears& linears, codec::Id id,
                            int64_t rows, const KernelBenchOptions& options) {
  const backend::Linear& first = *linears.layers.front();
  Inputs inputs(rows, options.in_size);
  std::vector<float> out(static_cast<size_t>(rows * options.out_size));
  size_t next = 0;
  KernelResult result;
  result.name = fmt::format("linear {}", codec::get(id).name);
  result.isa = first.kernel;
  result.shape = fmt::format("{}x{}x{}", rows, options.in_size, options.out_size);
  // The layers in turn: no cache sees one twice before it has seen all others.
  result.seconds = time_calls(options.seconds_per_linear, [&] {
    interrupt::check();
    inputs.activations.written();
    backend.linear(*linears.layers[next], inputs.activations, out.data(), options.out_size);
    next = (next + 1) % linears.layers.size();
  });
  const StepWork work = work_of_linear(first, static_cast<double>(rows));
  result.bytes = work.bytes;
  result.operations = work.operations();
  result.arithmetic = arithmetic_of_kernel(first.kernel);
  return result;
}

// Products of bf16 are made by float32 instructions where a table has no others.
Arithmetic arithmetic_of(const KernelProbe& probe, const kernel::Table& table, uint64_t features) {
  if (probe.arithmetic != Arithmetic::bfloat16) return probe.arithmetic;
  const kernel::Bf16Kernels& kernels = kernel::supported_bf16(*table.bf16, features);
  return arithmetic_of_kernel(fmt::format("bf16/{}", kernels.name));
}

}  // namespace

std::vector<const kernel::Table*> runnable_tables(uint64_t features) {
  std::vector<const kernel::Table*> tables;
  for (const kernel::Candidate& candidate : kernel::candidates())
    if ((candidate.features & ~features) == 0) tables.push_back(candidate.table);
  return tables;
}

std::vector<KernelResult> measure_entries(const kernel::Table& selected, uint64_t features,
                                          const Limits& one_thread,
                                          const KernelBenchOptions& options,
                                          const std::function<void()>& measured) {
  const DefaultFloatMode mode;
  std::vector<KernelResult> results;
  for (const KernelProbe& probe : kernel_probes()) {
    for (const kernel::Table* table : runnable_tables(features)) {
      interrupt::check();
      ProbeData data(probe.large);
      KernelResult result;
      result.name = probe.name();
      result.isa = table->name;
      result.shape = probe.shape_text(probe.large);
      result.seconds =
          time_calls(options.seconds_per_kernel, [&] { probe.run(*table, data, probe.large); });
      result.bytes = probe.bytes(probe.large);
      result.operations = probe.operations(probe.large);
      result.arithmetic = arithmetic_of(probe, *table, features);
      result.selected = table == &selected;
      judge(one_thread, false, result);
      results.push_back(std::move(result));
      if (measured) measured();
    }
  }
  return results;
}

std::vector<KernelResult> measure_linears(backend::Backend& backend, const kernel::Table& selected,
                                          ThreadPool& pool, const Limits& limits,
                                          const KernelBenchOptions& options,
                                          const std::function<void()>& measured) {
  std::vector<KernelResult> results;
  for (const codec::Id id : options.codecs) {
    interrupt::check();
    const Linears linears = make_linears(backend, id, pool, options);
    for (const int64_t rows : options.rows) {
      KernelResult result = measure_linear(backend, linears, id, rows, options);
      result.threads = pool.thread_count();
      result.selected = true;
      result.scalar_only = std::string_view(selected.name) != "scalar" &&
                           result.isa.find("scalar") != std::string::npos;
      judge(limits, true, result);
      results.push_back(std::move(result));
      if (measured) measured();
    }
  }
  return results;
}

}  // namespace bittern::bench
