// Construction of the CPU backend and the memory that its workers share.
#include "backend/cpu/cpu_backend.h"

#include <fmt/format.h>

#include "backend/cpu/device.h"
#include "base/cpu.h"
#include "kernel/select.h"

namespace bittern::backend {

namespace {

int64_t in_pages(int64_t floats) {
  constexpr int64_t kPageFloats = 1024;
  return (floats + kPageFloats - 1) / kPageFloats * kPageFloats;
}

}  // namespace

int64_t Scratch::bytes(int workers, int64_t floats) {
  return in_pages(floats) * workers * static_cast<int64_t>(sizeof(float));
}

void Scratch::grow(int workers, int64_t floats) {
  if (in_pages(floats) <= floats_) return;
  bytes_ = Region(bytes(workers, floats), "kernel scratch");
  floats_ = in_pages(floats);
}

float* Scratch::of(int worker) const {
  return reinterpret_cast<float*>(bytes_.data()) + worker * floats_;
}

CpuBackend::CpuBackend(ThreadPool& pool, const kernel::Table& table, const CpuOptions& options)
    : pool_(pool),
      table_(table),
      dense_(options.ternary == TernaryLayout::t2
                 ? nullptr
                 : kernel::select_dense(table, cpu::detect_features())),
      bf16_(kernel::select_bf16(table, cpu::detect_features())),
      options_(options) {
  // What low-rank additions need: they are packed while others compute (low_rank.cc).
  scratch_.grow(pool_.thread_count(), kernel::kRealScratch);
}

std::string CpuBackend::description() const {
  const int threads = pool_.thread_count();
  return fmt::format("cpu {}, {} thread{}", table_.ternary->name, threads, threads == 1 ? "" : "s");
}

std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const kernel::Table& table,
                                          const CpuOptions& options) {
  return std::make_unique<CpuBackend>(pool, table, options);
}

}  // namespace bittern::backend
