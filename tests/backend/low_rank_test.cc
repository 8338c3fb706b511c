// Low-rank additions against a double-precision program; and that neither threads, instruction set,
// the other rows and calls of a step nor their format change a bit of a row.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend_support.h"

namespace bittern::test {
namespace {

struct Pair {
  std::unique_ptr<backend::LowRank> weights = {};
  std::vector<float> a = {}, b = {};  // [rank, in], [out, rank] in the order of the result
  float factor = 1.0f;
};

struct Shape {
  int64_t in, rank, out;
};

Pair make_pair(Machine& machine, const Shape& shape, codec::Id id, uint64_t seed,
               std::vector<int32_t> order = {}) {
  random::Sequence draw(seed);
  const OwnedTensor a(id, shape.rank, shape.in, random_values(draw, shape.rank * shape.in, 1.0f));
  const OwnedTensor b(id, shape.out, shape.rank, random_values(draw, shape.out * shape.rank, 1.0f));
  Pair pair{.a = a.values(), .factor = 0.37f};
  const std::vector<float> stored = b.values();
  for (int64_t row = 0; row < shape.out; ++row) {
    const auto from = stored.begin() + (order.empty() ? row : order[row]) * shape.rank;
    pair.b.insert(pair.b.end(), from, from + shape.rank);
  }
  pair.weights = machine.backend->pack_low_rank({&a.view(), &b.view(), std::move(order)});
  return pair;
}

// What `out` becomes where each of `pairs` is added to the rows.
std::vector<std::vector<float>> add(Machine& machine, const std::vector<const Pair*>& pairs,
                                    const std::vector<int32_t>& rows, int64_t count, int64_t width,
                                    const std::vector<float>& in, float base) {
  std::vector<std::vector<float>> out;
  std::vector<backend::LowRankCall> calls;
  int64_t inner_count = 0;
  for (const Pair* pair : pairs) {
    out.emplace_back(static_cast<size_t>(count * pair->weights->out_size), base);
    inner_count += std::ssize(rows) * pair->weights->rank;
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    calls.push_back({pairs[i]->weights.get(), rows, pairs[i]->factor, out[i].data(),
                     pairs[i]->weights->out_size});
  }
  std::vector<float> inner(static_cast<size_t>(inner_count));
  OwnedActivations activations(count, width, in);
  machine.backend->add_low_rank(calls, activations.in, inner.data());
  return out;
}

double truth(const Pair& pair, const float* x, int64_t out) {
  double sum = 0.0;
  for (int64_t k = 0; k < pair.weights->rank; ++k) {
    double inner = 0.0;
    for (int64_t i = 0; i < pair.weights->in_size; ++i)
      inner += double{pair.a[k * pair.weights->in_size + i]} * x[i];
    sum += pair.b[out * pair.weights->rank + k] * inner;
  }
  return pair.factor * sum;
}

TEST(LowRank, EqualsADoubleProgram) {
  random::Sequence draw(3);
  for (const codec::Id id : {codec::Id::f32, codec::Id::f16, codec::Id::bf16, codec::Id::f8_e4m3}) {
    for (const Shape shape : {Shape{1, 1, 1}, Shape{48, 3, 52}, Shape{100, 8, 513},
                              Shape{257, 17, 512}, Shape{64, 64, 1100}}) {
      Machine machine(2, best_table());
      const Pair pair = make_pair(machine, shape, id, draw.below(1000));
      const std::vector<int32_t> rows = {0, 1, 4, 5, 6, 40};
      const int64_t count = 41;
      const std::vector<float> in = random_values(draw, count * shape.in, 1.0f);
      const auto out = add(machine, {&pair}, rows, count, shape.in, in, 0.25f).front();
      double worst = 0.0;
      for (int64_t row = 0; row < count; ++row) {
        const bool added = std::ranges::find(rows, row) != rows.end();
        for (int64_t column = 0; column < shape.out; ++column) {
          const double delta = added ? truth(pair, in.data() + row * shape.in, column) : 0.0;
          const float got = out[static_cast<size_t>(row * shape.out + column)];
          EXPECT_TRUE(added || got == 0.25f) << row;
          worst = std::max(worst, std::abs(got - (0.25 + delta)));
        }
      }
      EXPECT_LE(worst, 2e-6 * static_cast<double>(shape.in + shape.rank)) << shape.in;
    }
  }
}

TEST(LowRank, FollowsTheOrderOfRows) {
  Machine machine(1, best_table());
  random::Sequence draw(4);
  const Pair pair = make_pair(machine, {20, 3, 4}, codec::Id::f32, 9, {3, 0, 2, 1});
  const std::vector<float> in = random_values(draw, 20, 1.0f);
  const auto out = add(machine, {&pair}, {0}, 1, 20, in, 0.0f).front();
  for (int64_t column = 0; column < 4; ++column)
    EXPECT_NEAR(out[static_cast<size_t>(column)], truth(pair, in.data(), column), 1e-5);
}

TEST(LowRank, NothingAroundARowChangesItsBits) {
  random::Sequence draw(5);
  const int64_t count = 70, width = 130;
  const std::vector<float> in = random_values(draw, count * width, 2.0f);
  std::vector<int32_t> all(count);
  for (int32_t row = 0; row < count; ++row) all[static_cast<size_t>(row)] = row;
  std::vector<std::vector<float>> first;
  on_every_machine([&](Machine& machine) {
    const Pair wide = make_pair(machine, {width, 9, 1030}, codec::Id::bf16, 1);
    const Pair small = make_pair(machine, {width, 20, 70}, codec::Id::f32, 2);
    const auto together = add(machine, {&wide, &small}, all, count, width, in, 0.5f);
    if (first.empty()) first = together;
    EXPECT_TRUE(same_bits(first[0], together[0]));
    EXPECT_TRUE(same_bits(first[1], together[1]));
    for (const int32_t row : {0, 33, 69}) {
      const auto alone = add(machine, {&small}, {row}, count, width, in, 0.5f).front();
      const auto at = alone.begin() + row * 70;
      const auto there = together[1].begin() + row * 70;
      EXPECT_TRUE(same_bits({at, at + 70}, {there, there + 70})) << row;
    }
  });
}

// Two adapters of one layer, each for rows of its own.
TEST(LowRank, CallsHaveRowsOfTheirOwn) {
  random::Sequence draw(8);
  const int64_t count = 80, width = 60, out_size = 530;
  const std::vector<float> in = random_values(draw, count * width, 1.0f);
  std::vector<int32_t> odd, even;
  for (int32_t row = 0; row < count; ++row) (row % 2 == 0 ? even : odd).push_back(row);
  Machine machine(3, best_table());
  const Pair first = make_pair(machine, {width, 5, out_size}, codec::Id::f16, 1);
  const Pair second = make_pair(machine, {width, 33, out_size}, codec::Id::f32, 2);
  std::vector<float> out(static_cast<size_t>(count * out_size), 0.5f), inner(40 * (5 + 33));
  const backend::LowRankCall calls[] = {
      {first.weights.get(), odd, first.factor, out.data(), out_size},
      {second.weights.get(), even, second.factor, out.data(), out_size}};
  OwnedActivations activations(count, width, in);
  machine.backend->add_low_rank(calls, activations.in, inner.data());
  std::vector<float> expected = add(machine, {&first}, odd, count, width, in, 0.5f).front();
  const std::vector<float> other = add(machine, {&second}, even, count, width, in, 0.5f).front();
  for (const int32_t row : even)
    std::copy_n(other.begin() + row * out_size, out_size, expected.begin() + row * out_size);
  EXPECT_TRUE(same_bits(out, expected));
}

// Halves and the floats they stand for.
TEST(LowRank, EqualNumbersGiveEqualBitsWhateverTheirFormat) {
  Machine machine(1, best_table());
  random::Sequence draw(6);
  const int64_t in_size = 90, rank = 6, out_size = 600;
  const OwnedTensor a(codec::Id::bf16, rank, in_size, random_values(draw, rank * in_size, 1.0f));
  const OwnedTensor b(codec::Id::bf16, out_size, rank, random_values(draw, out_size * rank, 1.0f));
  const OwnedTensor wide_a(codec::Id::f32, rank, in_size, a.values());
  const OwnedTensor wide_b(codec::Id::f32, out_size, rank, b.values());
  const Pair half{.weights = machine.backend->pack_low_rank({&a.view(), &b.view(), {}})};
  const Pair wide{.weights = machine.backend->pack_low_rank({&wide_a.view(), &wide_b.view(), {}})};
  EXPECT_EQ(2 * half.weights->resident_bytes, wide.weights->resident_bytes);
  const std::vector<float> in = random_values(draw, 3 * in_size, 1.0f);
  EXPECT_TRUE(same_bits(add(machine, {&half}, {0, 2}, 3, in_size, in, 0.1f).front(),
                        add(machine, {&wide}, {0, 2}, 3, in_size, in, 0.1f).front()));
}

}  // namespace
}  // namespace bittern::test
