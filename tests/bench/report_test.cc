// Limits, kernels one by one, and the forms of a report.
#include "bench/report.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "backend/cpu/cpu_backend.h"
#include "base/cpu.h"
#include "bench/kernel_probe.h"
#include "bench/plot.h"
#include "bench/read_streams.h"
#include "bench/step_work.h"
#include "kernel/select.h"

namespace bittern::bench {
namespace {

Limits quick_limits(std::string_view isa) {
  ThreadPool pool(2);
  return measure_limits(pool, isa, cpu::detect_features(),
                        {.buffer_bytes = 16 << 20, .probe_seconds = 0.002, .final_seconds = 0.005});
}

TEST(Limits, MeasuresEveryLoopThatTheMachineHas) {
  const uint64_t features = cpu::detect_features();
  const Limits limits = quick_limits("avx2");
  EXPECT_EQ(limits.threads, 2);
  EXPECT_GT(limits.read_rate(), 0.0);
  EXPECT_GT(limits.read.streams, 0);
  std::set<std::string_view> expected, got;
  for (const PeakLoop& loop : peak_loops())
    if ((loop.features & ~features) == 0) expected.insert(loop.name);
  for (const ComputeLimit& row : limits.compute) {
    got.insert(row.name);
    EXPECT_GT(row.operations_per_second.median, 0.0) << row.name;
    EXPECT_EQ(row.selected, row.isa == "scalar" || row.isa == "avx2") << row.name;
  }
  EXPECT_EQ(got, expected);
}

// Two tables of the same instructions have the same limits.
TEST(Limits, BothTablesOfAvx512MayUseTheSameLoops) {
  const Limits one = quick_limits("avx512"), other = quick_limits("avx512dual");
  ASSERT_EQ(one.compute.size(), other.compute.size());
  for (size_t i = 0; i < one.compute.size(); ++i)
    EXPECT_EQ(one.compute[i].selected, other.compute[i].selected) << one.compute[i].name;
}

TEST(StepWork, ArithmeticIsThatOfTheKernelsInstructions) {
  EXPECT_EQ(arithmetic_of_kernel("bf16/avx512-bf16"), Arithmetic::bfloat16);
  EXPECT_EQ(arithmetic_of_kernel("bf16/amx-bf16"), Arithmetic::bfloat16);
  EXPECT_EQ(arithmetic_of_kernel("bf16/avx512"), Arithmetic::float32);
  EXPECT_EQ(arithmetic_of_kernel("float/avx512"), Arithmetic::float32);
  EXPECT_EQ(arithmetic_of_kernel("block/avx512-vnni-dual"), Arithmetic::int8);
}

TEST(Limits, ABestRateIsOneThatTheKernelsMayUse) {
  Limits limits;
  limits.compute = {{"a", "scalar", Arithmetic::int8, {.median = 1.0}, true},
                    {"b", "avx2", Arithmetic::int8, {.median = 4.0}, true},
                    {"c", "amx", Arithmetic::int8, {.median = 9.0}, false}};
  EXPECT_EQ(limits.compute_rate(Arithmetic::int8), 4.0);
  EXPECT_EQ(limits.compute_rate(Arithmetic::bfloat16), std::nullopt);
}

TEST(Limits, LeastTimeIsTheSumOfItsArithmetics) {
  Limits limits;
  limits.read.bytes_per_second.median = 10.0;
  limits.compute = {{"a", "avx2", Arithmetic::int8, {.median = 4.0}, true},
                    {"b", "avx2", Arithmetic::float32, {.median = 2.0}, true}};
  const LeastTime time =
      least_time({.bytes = 50.0, .int8_operations = 8.0, .float32_operations = 6.0}, limits);
  EXPECT_DOUBLE_EQ(time.memory_seconds, 5.0);
  EXPECT_DOUBLE_EQ(time.compute_seconds, 5.0);
}

TEST(PeakLoops, LastAsLongAsTheyAreAsked) {
  for (const PeakLoop& loop : peak_loops()) {
    if ((loop.features & ~cpu::detect_features()) != 0) continue;
    loop.run(1);
    loop.run(100);
    EXPECT_GT(loop.operations_per_round, 0) << loop.name;
  }
}

TEST(ReadStreams, ReadsAnyNumberOfStreams) {
  const std::vector<std::byte> buffer(1 << 16);
  for (const int streams : {1, 2, 4, 8, 16}) {
    for (const int64_t distance : {int64_t{0}, int64_t{512}})
      read_streams({buffer.data(), static_cast<int64_t>(buffer.size()) / streams, 1024, distance},
                   streams, 16);
  }
}

// The function pointers of a struct in a header of src/kernel.
std::set<std::string> entries_of(const std::string& header, const std::string& name) {
  std::ifstream file(BITTERN_SOURCE "/src/kernel/" + header);
  std::stringstream text;
  text << file.rdbuf();
  std::string table = text.str();
  const size_t begin = table.find("struct " + name + " {");
  if (begin == std::string::npos) {
    ADD_FAILURE() << header << " has no struct " << name;
    return {};
  }
  table = table.substr(begin, table.find("\n};", begin) - begin);
  table = std::regex_replace(table, std::regex("//[^\n]*"), "");
  std::set<std::string> members;
  const std::regex pointer(R"(\(\*(\w+)\)\()");
  for (std::sregex_iterator it(table.begin(), table.end(), pointer), end; it != end; ++it)
    members.insert((*it)[1]);
  const std::regex decoders(R"(Decode ([^;]*);)");
  for (std::sregex_iterator it(table.begin(), table.end(), decoders), end; it != end; ++it) {
    const std::string names = (*it)[1];
    const std::regex word(R"(\w+)");
    for (std::sregex_iterator each(names.begin(), names.end(), word); each != end; ++each)
      members.insert((*each)[0]);
  }
  return members;
}

// A member of kernel::Table, or of a family's table, without a probe would be a kernel that nobody
// measures. Probes of a family carry its name: "attention_softmax".
TEST(KernelProbes, CoverTheTables) {
  std::set<std::string> members = entries_of("kernel.h", "Table"), probed;
  for (const std::string& entry : entries_of("ternary.h", "TernaryKernels"))
    members.insert("ternary_" + entry);
  for (const std::string& entry : entries_of("real.h", "RealKernels"))
    members.insert("real_" + entry);
  for (const std::string& entry : entries_of("bf16.h", "Bf16Kernels"))
    members.insert("bf16_" + entry);
  for (const std::string& entry : entries_of("attention.h", "AttentionKernels"))
    members.insert("attention_" + entry);
  for (const std::string& entry : entries_of("block.h", "BlockKernels"))
    members.insert("block_" + entry);
  for (const KernelProbe& probe : kernel_probes()) probed.insert(std::string(probe.entry));
  EXPECT_EQ(probed, members);
}

TEST(KernelBench, TimesEntriesAndLinears) {
  const uint64_t features = cpu::detect_features();
  const kernel::Table& table = kernel::select(Log(Log::Level::quiet));
  KernelBenchOptions options{.seconds_per_kernel = 0.0,
                             .seconds_per_linear = 0.0,
                             .codecs = {codec::Id::tq2_0, codec::Id::q6_k},
                             .rows = {1, 3},
                             .out_size = 64,
                             .in_size = 512,
                             .working_set_bytes = 1 << 16};
  const auto entries = measure_entries(table, features, quick_limits(table.name), options, nullptr);
  EXPECT_EQ(entries.size(), kernel_probes().size() * runnable_tables(features).size());
  ThreadPool pool(2);
  const auto backend = backend::make_cpu_backend(pool, table);
  const auto linears =
      measure_linears(*backend, table, pool, quick_limits(table.name), options, nullptr);
  ASSERT_EQ(linears.size(), 4u);
  EXPECT_EQ(linears[0].shape, "1x512x64");
  EXPECT_EQ(linears[3].name, "linear Q6_K");
  for (const KernelResult& row : linears) {
    EXPECT_GT(row.seconds.median, 0.0);
    EXPECT_GT(row.share, 0.0);
    EXPECT_TRUE(row.selected);
  }
  EXPECT_EQ(linears[1].operations, 2.0 * 3 * 512 * 64);
}

Report example_report() {
  Report report;
  report.model = "a <model> & more";
  report.machine = describe_machine();
  report.threads = 2;
  report.results.push_back({.what = {.phase = Phase::decode, .depth = 5, .tokens = 2, .batch = 3},
                            .tokens_per_second = spread_of(std::vector<double>{30.0, 10.0}),
                            .repetitions = 1,
                            .slice_seconds = {0.1, 0.3},
                            .work = {.bytes = 100.0, .int8_operations = 40.0}});
  Limits limits;
  limits.read.bytes_per_second.median = 1000.0;
  limits.compute = {{"a", "avx2", Arithmetic::int8, {.median = 800.0}, true}};
  report.limits = limits;
  return report;
}

TEST(Report, SharesAreLeastTimeOverMedianTime) {
  const Report report = example_report();
  const Shares shares = shares_of(report.results[0], report.limits);
  EXPECT_DOUBLE_EQ(shares.memory.value(), 0.1 / 0.2);
  EXPECT_DOUBLE_EQ(shares.compute.value(), 0.05 / 0.2);
  EXPECT_EQ(shares_of(report.results[0], std::nullopt).memory, std::nullopt);
}

TEST(Report, CsvRowsHaveTheHeadersColumns) {
  std::istringstream lines(to_csv(example_report()));
  std::string header, row;
  ASSERT_TRUE(std::getline(lines, header) && std::getline(lines, row));
  EXPECT_EQ(std::count(header.begin(), header.end(), ','), std::count(row.begin(), row.end(), ','));
  EXPECT_TRUE(row.starts_with("decode,5,3,2,1,20,12,28,2,500,200,0.5,0.25")) << row;
}

TEST(Report, SvgIsEscapedAndHasEveryRow) {
  const std::string svg = to_svg(example_report());
  EXPECT_TRUE(svg.starts_with("<svg ")) << svg.substr(0, 40);
  EXPECT_NE(svg.find("a &lt;model&gt; &amp; more"), std::string::npos);
  EXPECT_NE(svg.find("batch 3 at 5"), std::string::npos);
  EXPECT_NE(svg.find("50 % memory"), std::string::npos);
}

TEST(Machine, KnowsItself) {
  const Machine machine = describe_machine();
  EXPECT_FALSE(machine.processor.empty());
  EXPECT_GE(machine.logical_processors, machine.usable_cores);
  EXPECT_GT(machine.memory_bytes, machine.available_bytes / 2);
  EXPECT_EQ(stolen_share({10.0, 100.0}, {15.0, 200.0}), 0.05);
  EXPECT_EQ(stolen_share({10.0, 100.0}, {10.0, 100.0}), std::nullopt);
}

}  // namespace
}  // namespace bittern::bench
