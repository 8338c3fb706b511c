// What the kernel tests share: the tables as test parameters, buffers that end at a guard page,
// and random inputs from a printed seed.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernel/amx_emulator_support.h"
#include "kernel/block.h"
#include "kernel/kernel.h"
#include "same_bits.h"

namespace bittern::kernel {

// `count` values whose last byte is followed by a page that faults on any touch.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t bytes);
  ~GuardedBytes();
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  void* data() const { return data_; }

 private:
  void* mapped_ = nullptr;
  size_t mapped_bytes_ = 0;
  void* data_ = nullptr;
};

template <typename T>
class Guarded {
 public:
  explicit Guarded(int64_t count) : count_(count), bytes_(static_cast<size_t>(count) * sizeof(T)) {}
  explicit Guarded(const std::vector<T>& values) : Guarded(static_cast<int64_t>(values.size())) {
    if (!values.empty()) std::memcpy(data(), values.data(), values.size() * sizeof(T));
  }
  T* data() const { return static_cast<T*>(bytes_.data()); }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) const { return data()[i]; }
  std::vector<T> values() const { return std::vector<T>(data(), data() + count_); }

 private:
  int64_t count_;
  GuardedBytes bytes_;
};

// A test per table of this build; those whose instructions the machine lacks are skipped, but for
// tiles, which are executed in software then.
class EachTable : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;
  const Table& table() const { return *table_; }

 private:
  std::unique_ptr<AmxEmulator> emulator_;
  const Table* table_ = nullptr;
};
std::vector<const char*> table_names();
std::string table_name(const testing::TestParamInfo<const char*>& info);

#define BITTERN_EACH_TABLE(suite) \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(table_names()), table_name)

// Uniform in [-range, range).
std::vector<float> random_floats(random::Sequence& draw, int64_t count, float range);

using test::same_bits;

// Gives a block of a strip the codes of the layout's least or greatest weight, and scales and
// minima at that end.
void make_extreme(const BlockLayout& layout, bool greatest, uint8_t* block);

// Distance in units in the last place of the float nearest to `truth`.
double ulps(float value, double truth);

}  // namespace bittern::kernel
