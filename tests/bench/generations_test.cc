// The guarantees by whole generations, for every format a model can have: the compact version of
// what tests/oracles/test_exactness.py does at length.
#include "bench/generations.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bittern::test {
namespace {

using backend::KvType;

constexpr KvType kKvTypes[] = {KvType::f16, KvType::int8, KvType::f32};
constexpr int64_t kChunks[] = {512, 1, 100, 33, 256, 7, 64, 257};

void expect_same(const std::vector<Trace>& got, const std::vector<Trace>& alone,
                 const std::string& way) {
  ASSERT_EQ(got.size(), alone.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].tokens, alone[i].tokens) << "request " << i << " by " << way;
    ASSERT_EQ(got[i].logits, alone[i].logits) << "request " << i << " by " << way;
  }
}

// The short ones.
std::vector<Request> few_requests(const BoundModel& bound, int64_t count) {
  const auto all = requests(count + 2, bound.model().config.vocab_size);
  return {all.begin() + 2, all.end()};
}

class Generations : public testing::TestWithParam<size_t> {
 protected:
  static ModelFormat format() { return model_formats()[GetParam()]; }
  // Which of a list's values this format meets: all of them are met by some format.
  template <typename List>
  static auto turn(const List& list, size_t by = 0) {
    return list[(GetParam() + by) % std::size(list)];
  }
};

// Eight requests, each alone on one thread; then side by side on several, by the best table and by
// another.
TEST_P(Generations, CompanyThreadsChunksAndTablesChangeNothing) {
  const std::vector<const kernel::Table*> tables = processor_tables(format());
  const Way way = {.batch = 8, .chunk = turn(kChunks), .kv = turn(kKvTypes)};
  BoundModel one(format(), {tables.front(), 1}, ModelSize::small);
  const auto asked = few_requests(one, 8);
  const auto alone = generate(one, asked, {.kv = way.kv});
  const int threads = 2 + static_cast<int>(GetParam() % 3);
  for (const kernel::Table* table : {tables.front(), turn(tables, 1)}) {
    BoundModel several(format(), {table, threads}, ModelSize::small);
    expect_same(generate(several, asked, way), alone, table->name);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Generations, testing::Range(size_t{0}, model_formats().size()),
                         [](const auto& test) {
                           std::string name = model_formats()[test.param].name;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

// One format of each arithmetic: 33 requests, one of them 256 tokens long, one with a prompt longer
// than any chunk.
TEST(LongGenerations, CompanyThreadsAndChunksChangeNothing) {
  size_t turn = 0;
  for (const ModelFormat& format : model_formats()) {
    const bool chosen = format.name == "tq2_0 w1.58a8" || format.name == "q4_k" ||
                        format.name == "nvfp4" || format.name == "bf16";
    if (!chosen) continue;
    SCOPED_TRACE(format.name);
    const kernel::Table* table = processor_tables(format).front();
    const Way way = {.batch = 33, .chunk = kChunks[turn % 8], .kv = kKvTypes[turn % 3]};
    BoundModel one(format, {table, 1}, ModelSize::large);
    BoundModel several(format, {table, 2 + static_cast<int>(turn % 3)}, ModelSize::large);
    ++turn;
    const auto asked = requests(33, one.model().config.vocab_size);
    expect_same(generate(several, asked, way), generate(one, asked, {.kv = way.kv}), "all at once");
  }
}

// Ternary models, by every table and in batches of every size.
TEST(TernaryGenerations, AnyTableAndAnyBatchGiveTheSameText) {
  const ModelFormat ternary{"tq2_0 w1.58a8", "tq2_0", true, false};
  std::vector<Trace> alone;
  for (const kernel::Table* table : processor_tables(ternary)) {
    BoundModel bound(ternary, {table, 1}, ModelSize::small);
    const auto asked = few_requests(bound, 33);
    const auto traces = generate(bound, asked, {.batch = alone.empty() ? 1 : 9, .chunk = 17});
    if (alone.empty()) alone = traces;
    expect_same(traces, alone, table->name);
  }
  BoundModel bound(ternary, {processor_tables(ternary).front(), 1}, ModelSize::small);
  for (int64_t batch = 2; batch <= 33; ++batch)
    expect_same(generate(bound, few_requests(bound, 33), {.batch = batch, .chunk = batch}), alone,
                "batches of " + std::to_string(batch));
}

}  // namespace
}  // namespace bittern::test
