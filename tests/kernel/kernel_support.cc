#include "kernel/kernel_support.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "base/cpu.h"
#include "kernel/block_strip.h"
#include "kernel/select.h"

namespace bittern::kernel {

GuardedBytes::GuardedBytes(size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t body = (bytes + page - 1) / page * page;
  mapped_bytes_ = body + page;
  mapped_ =
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped_ == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<char*>(mapped_);
  mprotect(begin + body, page, PROT_NONE);
  data_ = begin + (body - bytes);
}

GuardedBytes::~GuardedBytes() { munmap(mapped_, mapped_bytes_); }

void EachTable::SetUp() {
  const uint64_t features = cpu::detect_features();
  for (const Candidate& candidate : candidates()) {
    if (std::string(candidate.table->name) != GetParam()) continue;
    const uint64_t missing = candidate.features & ~features;
    emulator_ = AmxEmulator::for_missing(missing);
    if (missing != 0 && !emulator_) GTEST_SKIP() << GetParam() << " not on this machine";
    table_ = candidate.table;
  }
}

std::vector<const char*> table_names() {
  std::vector<const char*> names;
  for (const Candidate& candidate : candidates()) names.push_back(candidate.table->name);
  return names;
}

std::string table_name(const testing::TestParamInfo<const char*>& info) { return info.param; }

std::vector<float> random_floats(random::Sequence& draw, int64_t count, float range) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(draw.uniform() * 2 - 1) * range;
  return values;
}

double ulps(float value, double truth) {
  const auto nearest = static_cast<float>(truth);
  if (std::isinf(nearest)) return value == nearest ? 0.0 : std::numeric_limits<double>::infinity();
  const float above = std::nextafter(std::fabs(nearest), std::numeric_limits<float>::infinity());
  const double unit = static_cast<double>(above) - static_cast<double>(std::fabs(nearest));
  return std::fabs(static_cast<double>(value) - truth) / unit;
}

void make_extreme(const BlockLayout& layout, bool greatest, uint8_t* block) {
  int code = 0;
  for (int other = 1; other < 1 << layout.code_bits; ++other) {
    const int so_far = block_weight(layout, code, 0), weight = block_weight(layout, other, 0);
    if (greatest ? weight > so_far : weight < so_far) code = other;
  }
  BlockRow rows[kBlockStripRows];
  load_block(layout, block, rows);
  for (BlockRow& row : rows) {
    std::memset(row.codes, code, sizeof(row.codes));
    for (uint16_t& scale : row.scales) {
      if (layout.scales == BlockScales::integer) scale = greatest ? 0x7f : 0x80;
      if (layout.scales == BlockScales::integer_minima) scale = 63;
      if (layout.scales == BlockScales::e8m0) scale = greatest ? 200 : 0;
    }
    for (uint16_t& minimum : row.minima) {
      if (layout.scales != BlockScales::f16_minima) minimum = greatest ? 0 : 255;
    }
  }
  store_block(layout, rows, block);
}

}  // namespace bittern::kernel
