#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/progress.h"
#include "bench/plot.h"

namespace bittern::bench {
namespace {

constexpr double kGiga = 1e9;

std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.0f} %", *share * 100.0) : "-";
}

// "82 % of memory": the limit that binds.
std::string share_text(const Shares& shares) {
  const double memory = shares.memory.value_or(0.0), compute = shares.compute.value_or(0.0);
  if (memory <= 0.0 && compute <= 0.0) return "";
  return memory >= compute ? fmt::format("{:.0f} % memory", memory * 100.0)
                           : fmt::format("{:.0f} % compute", compute * 100.0);
}

// Microseconds with three digits, or milliseconds.
std::string duration(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.0f} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.3g} us", seconds * 1e6);
  return fmt::format("{:.4g} ms", seconds * 1e3);
}

std::string case_label(const Case& what) {
  if (what.phase == Phase::prefill) return fmt::format("{} tokens at {}", what.tokens, what.depth);
  return fmt::format("batch {} at {}", what.batch, what.depth);
}

JsonBuilder spread_json(const Spread& spread) {
  return {{"median", spread.median}, {"p10", spread.p10},   {"p90", spread.p90},
          {"least", spread.least},   {"most", spread.most}, {"count", spread.count}};
}

template <typename T>
JsonBuilder or_null(const std::optional<T>& value) {
  return value ? JsonBuilder(*value) : JsonBuilder(nullptr);
}

JsonBuilder machine_json(const Report& report) {
  const Machine& machine = report.machine;
  return {{"processor", machine.processor},
          {"features", machine.features},
          {"logical_processors", machine.logical_processors},
          {"usable_cores", machine.usable_cores},
          {"cpu_quota", or_null(machine.cpu_quota)},
          {"virtual_machine", machine.virtual_machine},
          {"memory_bytes", machine.memory_bytes},
          {"available_bytes", machine.available_bytes},
          {"huge_pages", machine.huge_pages},
          {"system", machine.system},
          {"compiler", machine.compiler},
          {"stolen_share", or_null(report.stolen)}};
}

JsonBuilder limits_json(const std::optional<Limits>& limits) {
  if (!limits) return nullptr;
  JsonBuilder compute = JsonBuilder::array();
  for (const ComputeLimit& row : limits->compute) {
    compute.push_back({{"loop", row.name},
                       {"isa", row.isa},
                       {"arithmetic", arithmetic_name(row.arithmetic)},
                       {"selected", row.selected},
                       {"operations_per_second", spread_json(row.operations_per_second)}});
  }
  return {{"threads", limits->threads},
          {"read_bytes_per_second", spread_json(limits->read.bytes_per_second)},
          {"read_streams", limits->read.streams},
          {"read_prefetch_bytes", limits->read.prefetch_bytes},
          {"read_vector_bytes", limits->read.vector_bytes},
          {"read_buffer_bytes", limits->read.buffer_bytes},
          {"compute", compute}};
}

JsonBuilder result_json(const Result& result, const std::optional<Limits>& limits) {
  const Shares shares = shares_of(result, limits);
  return {{"phase", phase_name(result.what.phase)},
          {"depth", result.what.depth},
          {"batch", result.what.batch},
          {"tokens", result.what.tokens},
          {"repetitions", result.repetitions},
          {"tokens_per_second", spread_json(result.tokens_per_second)},
          {"slice_seconds", result.slice_seconds},
          {"slice_bytes", result.work.bytes},
          {"slice_operations",
           {{"int8", result.work.int8_operations},
            {"float32", result.work.float32_operations},
            {"bfloat16", result.work.bfloat16_operations}}},
          {"refined_rows", or_null(result.refined_rows)},
          {"engine_share", result.engine_share},
          {"bytes_per_second", result.bytes_per_second()},
          {"operations_per_second", result.operations_per_second()},
          {"memory_share", or_null(shares.memory)},
          {"compute_share", or_null(shares.compute)}};
}

JsonBuilder kernel_json(const KernelResult& result) {
  return {{"kernel", result.name},
          {"isa", result.isa},
          {"shape", result.shape},
          {"threads", result.threads},
          {"seconds", spread_json(result.seconds)},
          {"bytes", result.bytes},
          {"operations", result.operations},
          {"share", result.share},
          {"bound", result.bound},
          {"selected", result.selected},
          {"scalar_only", result.scalar_only}};
}

std::string limit_lines(const Limits& limits) {
  const ReadLimit& read = limits.read;
  std::string lines = fmt::format(
      "limits, {} threads: read {:.1f} GB/s ({:.1f} to {:.1f}; {} streams, prefetch {}, {} "
      "buffer)\n",
      limits.threads, read.bytes_per_second.median / kGiga, read.bytes_per_second.p10 / kGiga,
      read.bytes_per_second.p90 / kGiga, read.streams, read.prefetch_bytes,
      format_bytes(static_cast<double>(read.buffer_bytes)));
  for (const ComputeLimit& row : limits.compute) {
    lines +=
        fmt::format("  {:<9}{:>9.0f} Gop/s ({:.0f} to {:.0f}) {}{}\n",
                    arithmetic_name(row.arithmetic), row.operations_per_second.median / kGiga,
                    row.operations_per_second.p10 / kGiga, row.operations_per_second.p90 / kGiga,
                    row.name, row.selected ? "" : ", not used by these kernels");
  }
  return lines;
}

std::string machine_lines(const Report& report) {
  const Machine& machine = report.machine;
  std::string line = fmt::format("{}{}, {} of {} processors, {} of memory", machine.processor,
                                 machine.virtual_machine ? " (virtual)" : "", machine.usable_cores,
                                 machine.logical_processors,
                                 format_bytes(static_cast<double>(machine.memory_bytes)));
  if (machine.cpu_quota) line += fmt::format(", quota {:.2f} cores", *machine.cpu_quota);
  if (!machine.huge_pages.empty()) line += fmt::format(", huge pages {}", machine.huge_pages);
  line += fmt::format("\n{}; {}", machine.system, machine.compiler);
  if (report.stolen) line += fmt::format("; {:.1f} % stolen meanwhile", *report.stolen * 100.0);
  return line + "\n";
}

// Three digits or more that say something: runs differ by percents.
std::string rate_text(double rate) {
  return fmt::format("{:.{}f}", rate, rate < 100.0 ? 2 : rate < 1000.0 ? 1 : 0);
}

// As wide as a terminal of 80 columns.
std::string throughput_table(const Report& report) {
  std::string text =
      fmt::format("{:<8}{:>6}{:>6}{:>7}{:>9}  {:<15}{:>6}{:>6}{:>7}{:>8}\n", "", "depth", "batch",
                  "tokens", "tokens/s", "p10 to p90", "GB/s", "Gop/s", "memory", "compute");
  for (const Result& result : report.results) {
    const Shares shares = shares_of(result, report.limits);
    const Spread& rate = result.tokens_per_second;
    text += fmt::format("{:<8}{:>6}{:>6}{:>7}{:>9}  {:<15}{:>6.1f}{:>6.0f}{:>7}{:>8}\n",
                        phase_name(result.what.phase), result.what.depth, result.what.batch,
                        result.what.tokens, rate_text(rate.median),
                        fmt::format("{} to {}", rate_text(rate.p10), rate_text(rate.p90)),
                        result.bytes_per_second() / kGiga, result.operations_per_second() / kGiga,
                        percent(shares.memory), percent(shares.compute));
  }
  return text;
}

std::string kernel_table(const Report& report) {
  size_t name_width = 0;
  for (const KernelResult& result : report.kernel_results)
    name_width = std::max(name_width, result.name.size() + 4);
  std::string text =
      fmt::format("{:<{}}{:<36}{:<16}{:>10}  {:<20}{:>7}{:>9}  {}\n", "kernel", name_width, "isa",
                  "shape", "a call", "p10 to p90", "GB/s", "Gop/s", "share");
  for (const KernelResult& result : report.kernel_results) {
    const double seconds = result.seconds.median;
    std::string share =
        result.share > 0.0 ? fmt::format("{:.0f} % {}", result.share * 100.0, result.bound) : "";
    if (result.scalar_only) share += " SCALAR";
    text += fmt::format(
        "{:<{}}{:<36}{:<16}{:>10}  {:<20}{:>7.1f}{:>9.1f}  {}\n",
        (result.selected ? "* " : "  ") + result.name, name_width, result.isa, result.shape,
        duration(seconds),
        fmt::format("{} to {}", duration(result.seconds.p10), duration(result.seconds.p90)),
        result.bytes / seconds / kGiga, result.operations / seconds / kGiga, share);
  }
  return text +
         "* selected on this machine; entries: one thread, in cache; linear layers: all "
         "threads, from memory\n";
}

Plot throughput_plot(const Report& report) {
  Plot plot{.title = report.model, .notes = {}, .groups = {}};
  for (const Phase phase : {Phase::prefill, Phase::decode}) {
    PlotGroup group{.title = fmt::format("{}, tokens/s", phase_name(phase)), .rows = {}};
    for (const Result& result : report.results) {
      if (result.what.phase != phase) continue;
      const Shares shares = shares_of(result, report.limits);
      const Spread& rate = result.tokens_per_second;
      const bool known = shares.memory || shares.compute;
      group.rows.push_back(
          {.label = case_label(result.what),
           .value = rate.median,
           .low = rate.p10,
           .high = rate.p90,
           .value_text = fmt::format("{:.1f}", rate.median),
           .share =
               known ? std::max(shares.memory.value_or(0.0), shares.compute.value_or(0.0)) : -1.0,
           .share_text = share_text(shares)});
    }
    if (!group.rows.empty()) plot.groups.push_back(std::move(group));
  }
  return plot;
}

Plot kernel_plot(const Report& report) {
  Plot plot{.title = "Kernels selected on this machine", .notes = {}, .groups = {}};
  PlotGroup entries{.title = "Entries of the kernel table, one thread, us a call", .rows = {}};
  PlotGroup linears{.title = "Linear layers, all threads, ms a call", .rows = {}};
  for (const KernelResult& result : report.kernel_results) {
    if (!result.selected) continue;
    const bool linear = result.name.starts_with("linear");
    const Spread times = scaled(result.seconds, linear ? 1e3 : 1e6);
    (linear ? linears : entries)
        .rows.push_back(
            {.label = linear ? fmt::format("{} {}", result.name, result.shape) : result.name,
             .value = times.median,
             .low = times.p10,
             .high = times.p90,
             .value_text = fmt::format("{:.3g}", times.median),
             .share = result.share > 0.0 ? result.share : -1.0,
             .share_text = fmt::format("{:.0f} % {}", result.share * 100.0, result.bound)});
  }
  for (PlotGroup* group : {&entries, &linears})
    if (!group->rows.empty()) plot.groups.push_back(std::move(*group));
  return plot;
}

}  // namespace

Shares shares_of(const Result& result, const std::optional<Limits>& limits) {
  Shares shares;
  const double seconds = spread_of(result.slice_seconds).median;
  if (!limits || seconds <= 0.0) return shares;
  const LeastTime least = least_time(result.work, *limits);
  if (least.memory_seconds > 0.0) shares.memory = least.memory_seconds / seconds;
  if (least.compute_seconds > 0.0) shares.compute = least.compute_seconds / seconds;
  return shares;
}

JsonBuilder to_json(const Report& report) {
  JsonBuilder json = {{"model", report.model},
                      {"weights", report.weights},
                      {"backend", report.backend},
                      {"kernels", report.kernels},
                      {"threads", report.threads},
                      {"kv_type", report.kv_type},
                      {"context", report.context},
                      {"load_seconds", report.load_seconds},
                      {"peak_memory_bytes", report.peak_memory_bytes},
                      {"machine", machine_json(report)},
                      {"limits", limits_json(report.limits)}};
  JsonBuilder rows = JsonBuilder::array();
  for (const Result& result : report.results) rows.push_back(result_json(result, report.limits));
  for (const KernelResult& result : report.kernel_results) rows.push_back(kernel_json(result));
  json["results"] = std::move(rows);
  return json;
}

std::string to_csv(const Report& report) {
  if (!report.kernel_results.empty()) {
    std::string text =
        "kernel,isa,shape,threads,seconds_median,seconds_p10,seconds_p90,bytes,operations,share,"
        "bound,selected,scalar_only\n";
    for (const KernelResult& r : report.kernel_results) {
      text += fmt::format("{},\"{}\",{},{},{},{},{},{},{},{},{},{},{}\n", r.name, r.isa, r.shape,
                          r.threads, r.seconds.median, r.seconds.p10, r.seconds.p90, r.bytes,
                          r.operations, r.share, r.bound, r.selected, r.scalar_only);
    }
    return text;
  }
  std::string text =
      "phase,depth,batch,tokens,repetitions,tokens_per_second_median,tokens_per_second_p10,"
      "tokens_per_second_p90,slices,bytes_per_second,operations_per_second,memory_share,"
      "compute_share\n";
  const auto share = [](const std::optional<double>& value) {
    return value ? fmt::format("{}", *value) : std::string();
  };
  for (const Result& r : report.results) {
    const Shares shares = shares_of(r, report.limits);
    const Spread& rate = r.tokens_per_second;
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", phase_name(r.what.phase),
                        r.what.depth, r.what.batch, r.what.tokens, r.repetitions, rate.median,
                        rate.p10, rate.p90, rate.count, r.bytes_per_second(),
                        r.operations_per_second(), share(shares.memory), share(shares.compute));
  }
  return text;
}

std::string to_table(const Report& report) {
  std::string text;
  if (!report.model.empty()) {
    text += fmt::format("{}{}{}; KV {}\n{}; {}\n", report.model, report.weights.empty() ? "" : ": ",
                        report.weights, report.kv_type, report.backend,
                        fmt::join(report.kernels, ", "));
  }
  text += machine_lines(report);
  if (report.limits) text += limit_lines(*report.limits);
  text += report.kernel_results.empty() ? throughput_table(report) : kernel_table(report);
  if (report.peak_memory_bytes > 0) {
    text += fmt::format("loaded in {:.2f} s; {} of memory at the peak\n", report.load_seconds,
                        format_bytes(static_cast<double>(report.peak_memory_bytes)));
  }
  return text;
}

std::string to_svg(const Report& report) {
  Plot plot = report.kernel_results.empty() ? throughput_plot(report) : kernel_plot(report);
  if (!report.weights.empty()) plot.notes.push_back(report.weights);
  std::string line = report.backend;
  if (!report.kv_type.empty()) line += fmt::format("; KV {}", report.kv_type);
  plot.notes.push_back(line);
  const std::string machine = machine_lines(report);
  plot.notes.push_back(machine.substr(0, machine.find('\n')));
  if (report.limits) {
    std::string limit = fmt::format("limits: read {:.1f} GB/s",
                                    report.limits->read.bytes_per_second.median / kGiga);
    for (const Arithmetic arithmetic :
         {Arithmetic::int8, Arithmetic::float32, Arithmetic::bfloat16}) {
      if (const auto rate = report.limits->compute_rate(arithmetic))
        limit += fmt::format(", {} {:.0f} Gop/s", arithmetic_name(arithmetic), *rate / kGiga);
    }
    plot.notes.push_back(limit + "; bar: median, whisker: p10 to p90");
  }
  return to_svg(plot);
}

}  // namespace bittern::bench
