// Random weights: of every format that weights can have, finite, of the wanted size, different in
// every row, the same whatever the threads; ternary where the format means that.
#include "bench/random_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "codec/ternary.h"

namespace bittern::bench {
namespace {

using codec::Id;

constexpr int64_t kRows = 64;
constexpr int64_t kColumns = 1024;

std::vector<std::byte> filled(const RandomTensor& tensor, int threads = 1) {
  ThreadPool pool(threads);
  std::vector<std::byte> bytes(static_cast<size_t>(
      codec::get(tensor.codec).tensor_bytes(tensor.rows, tensor.columns).value()));
  fill_random(tensor, pool, bytes);
  return bytes;
}

RandomTensor tensor_of(Id id) { return {.codec = id, .rows = kRows, .columns = kColumns}; }

TEST(RandomWeights, AreFiniteAndOfTheWantedSize) {
  for (const codec::Codec& codec : codec::table()) {
    if (!can_fill_random(codec.id)) continue;
    SCOPED_TRACE(std::string(codec.name));
    const std::vector<std::byte> bytes = filled(tensor_of(codec.id));
    std::vector<float> values(kRows * kColumns);
    codec.decode(bytes.data(), kRows, kColumns, 0, kRows, values.data());
    double sum = 0.0, squares = 0.0;
    for (const float value : values) {
      ASSERT_TRUE(std::isfinite(value));
      sum += value;
      squares += double{value} * value;
    }
    const double count = static_cast<double>(values.size());
    const double deviation = std::sqrt(squares / count);
    // Powers of two and small eight-bit floats are coarse scales.
    const bool coarse = codec.id == Id::mxfp4 || codec.id == Id::nvfp4;
    EXPECT_NEAR(deviation, 0.02, coarse ? 0.0085 : 0.0015);
    // Q4_0 and its kin have one level more below zero than above.
    EXPECT_NEAR(sum / count, 0.0, 0.004);
  }
}

TEST(RandomWeights, NoTwoRowsAreEqual) {
  for (const codec::Codec& codec : codec::table()) {
    if (!can_fill_random(codec.id) || codec.block_bytes == 0) continue;
    const std::vector<std::byte> bytes = filled(tensor_of(codec.id));
    const size_t row_bytes = bytes.size() / kRows;
    std::set<std::string> rows;
    for (size_t row = 0; row < kRows; ++row)
      rows.emplace(reinterpret_cast<const char*>(bytes.data()) + row * row_bytes, row_bytes);
    EXPECT_EQ(rows.size(), static_cast<size_t>(kRows)) << codec.name;
  }
}

TEST(RandomWeights, TernaryFormatsHoldOneScale) {
  for (const Id id : {Id::tq1_0, Id::tq2_0, Id::i2_s, Id::i2_s_rows4, Id::i2_s_arm, Id::iq1_bn,
                      Id::iq2_bn, Id::q2_0, Id::pq2_0, Id::ptq1_0}) {
    const codec::Codec& codec = codec::get(id);
    const std::vector<std::byte> bytes = filled(tensor_of(id));
    std::vector<float> values(kRows * kColumns);
    codec.decode(bytes.data(), kRows, kColumns, 0, kRows, values.data());
    EXPECT_TRUE(codec::exact_ternary_scale(values).has_value()) << codec.name;
    // All three values, about a third each.
    int64_t zeros = 0;
    for (const float value : values) zeros += value == 0.0f;
    EXPECT_NEAR(static_cast<double>(zeros) / static_cast<double>(values.size()), 1.0 / 3.0, 0.02)
        << codec.name;
  }
}

TEST(RandomWeights, AreAFunctionOfSeedAndStreamAlone) {
  for (const Id id : {Id::q4_k, Id::tq2_0, Id::i2_s, Id::bf16}) {
    RandomTensor tensor = tensor_of(id);
    const auto first = filled(tensor);
    EXPECT_EQ(first, filled(tensor, 3));
    tensor.stream = 1;
    const auto other_stream = filled(tensor);
    EXPECT_NE(first, other_stream);
    tensor.stream = 0;
    tensor.seed = 2;
    const auto other_seed = filled(tensor);
    EXPECT_NE(first, other_seed);
    EXPECT_NE(other_stream, other_seed);
  }
}

TEST(RandomWeights, IntegersAndExoticFloatsAreNoWeightsHere) {
  for (const Id id : {Id::i8, Id::i32, Id::u8, Id::boolean, Id::f64, Id::hf_ternary, Id::f8_e8m0})
    EXPECT_FALSE(can_fill_random(id)) << codec::get(id).name;
}

}  // namespace
}  // namespace bittern::bench
