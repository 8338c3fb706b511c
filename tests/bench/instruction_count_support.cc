// The child stops itself before and after each call by an instruction that is none (SIGILL); the
// parent lets it run to the first and steps it (SIGTRAP) to the second. Both stay on one
// processor: passing control back and forth is then a switch of tasks, not a wake-up elsewhere.
#include "bench/instruction_count.h"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/float_mode.h"
#include "bench/kernel_bench.h"
#include "bench/kernel_probe.h"
#include "kernel/bf16.h"
#include "kernel/select.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(undefined_behavior_sanitizer)
#define BITTERN_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BITTERN_SANITIZED 1
#endif

namespace bittern::test {

std::string counted_compiler() {
#if !defined(__OPTIMIZE__) || defined(BITTERN_SANITIZED)
  return "";
#elif defined(__clang__)
  return fmt::format("clang {}", __clang_major__);
#else
  return fmt::format("g++ {}.{}", __GNUC__, __GNUC_MINOR__);
#endif
}

std::string to_line(const CountRow& row) {
  return fmt::format("{} | {} | {} | {}", row.compiler, row.isa, row.kernel, row.instructions);
}

#if defined(__x86_64__)

namespace {

constexpr int kChildFailed = 99;

constexpr int64_t kMarkBytes = 2;  // of ud2, which the parent steps over

[[gnu::noinline]] void mark() { asm volatile("ud2" : : : "memory"); }

[[noreturn]] void run_child(const std::vector<std::function<void()>>& calls) {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(kChildFailed);
  const DefaultFloatMode mode;
  for (const auto& call : calls) {
    call();  // not counted: the first call of a function finds its address
    mark();
    call();
    mark();
  }
  ::_exit(0);
}

// The signal that stopped the child; 0 where it ended.
int next_stop(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

// Behind the mark at which the child stands.
bool step_over_mark(pid_t child) {
  struct user_regs_struct registers {};
  if (::ptrace(PTRACE_GETREGS, child, nullptr, &registers) != 0) return false;
  registers.rip += kMarkBytes;
  return ::ptrace(PTRACE_SETREGS, child, nullptr, &registers) == 0;
}

// Steps to the next mark.
std::optional<int64_t> steps_to_mark(pid_t child) {
  for (int64_t steps = 0;; ++steps) {
    if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) return std::nullopt;
    const int signal = next_stop(child);
    if (signal == SIGILL) return steps;
    if (signal != SIGTRAP) return std::nullopt;
  }
}

// Keeps this thread on the processor it is on, until the end of scope.
class OneProcessor {
 public:
  OneProcessor() {
    ::sched_getaffinity(0, sizeof former_, &former_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OneProcessor() { ::sched_setaffinity(0, sizeof former_, &former_); }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  cpu_set_t former_{};
};

}  // namespace

std::optional<std::vector<int64_t>> count_instructions(
    const std::vector<std::function<void()>>& calls) {
  const OneProcessor here;
  const pid_t child = ::fork();
  if (child < 0) return std::nullopt;
  if (child == 0) run_child(calls);
  std::vector<int64_t> counts;
  while (counts.size() < calls.size()) {
    // To the mark before the call; the first one the child reaches by itself.
    if (!counts.empty() && ::ptrace(PTRACE_CONT, child, nullptr, nullptr) != 0) break;
    if (next_stop(child) != SIGILL || !step_over_mark(child)) break;
    const auto steps = steps_to_mark(child);
    if (!steps || !step_over_mark(child)) break;
    counts.push_back(*steps);
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (counts.size() != calls.size()) return std::nullopt;
  return counts;
}

#else

std::optional<std::vector<int64_t>> count_instructions(const std::vector<std::function<void()>>&) {
  return std::nullopt;
}

#endif

std::optional<std::vector<CountRow>> count_kernels() {
  std::vector<std::unique_ptr<bench::ProbeData>> data;
  std::vector<std::function<void()>> calls;
  std::vector<CountRow> rows;
  const uint64_t features = cpu::detect_features();
  for (const kernel::Table* table : bench::runnable_tables(features)) {
    if (table == &kernel::scalar_table) continue;  // the truth; nobody waits for it
    // Counts of bf16 are of the table's own kernel, not of one of its fallbacks.
    const bool own_bf16 = &kernel::supported_bf16(*table->bf16, features) == table->bf16;
    for (const bench::KernelProbe& probe : bench::kernel_probes()) {
      if (probe.entry == "bf16_dots" && !own_bf16) continue;
      data.push_back(std::make_unique<bench::ProbeData>(probe.small));
      calls.push_back(
          [table, &probe, own = data.back().get()] { probe.run(*table, *own, probe.small); });
      rows.push_back({counted_compiler(), table->name,
                      fmt::format("{} {}", probe.name(), probe.shape_text(probe.small)), 0});
    }
  }
  const auto counts = count_instructions(calls);
  if (!counts) return std::nullopt;
  for (size_t i = 0; i < rows.size(); ++i) rows[i].instructions = (*counts)[i];
  return rows;
}

}  // namespace bittern::test
