// The output layer with its coarse plane against the whole one: whatever a cut asks for has the
// bits of the full product, and nothing that it asks for is missing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "backend/backend_support.h"
#include "base/cpu.h"
#include "kernel/select.h"

namespace bittern::test {
namespace {

using backend::HeadCall;
using backend::HeadCut;

constexpr uint64_t kSeed = 20261121;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Setting {
  codec::Id format = codec::Id::f16;
  int64_t outputs = 0, columns = 0;
  bool bias = false;
  float scale = 1.0f, softcap = 0.0f;
};

// A backend whose output layers have coarse planes however small they are, and one without.
struct Pair {
  explicit Pair(const kernel::Table& table, int threads)
      : pool(threads),
        coarse(backend::make_cpu_backend(pool, table,
                                         {.inline_work = 0, .head = backend::HeadPlane::always})),
        full(backend::make_cpu_backend(pool, table,
                                       {.inline_work = 0, .head = backend::HeadPlane::never})) {}
  ThreadPool pool;
  std::unique_ptr<backend::Backend> coarse, full;
};

class Head {
 public:
  Head(Pair& pair, const Setting& setting, const std::vector<float>& weights,
       const std::vector<float>& bias = {}, std::vector<int32_t> order = {})
      : pair_(pair),
        setting_(setting),
        weights_(setting.format, setting.outputs, setting.columns, weights),
        bias_(codec::Id::f32, 1, setting.outputs,
              bias.empty() ? std::vector<float>(static_cast<size_t>(setting.outputs)) : bias) {
    backend::LinearSource source;
    source.weight = &weights_.view();
    if (!bias.empty()) source.bias = &bias_.view();
    source.row_order = std::move(order);
    source.head = true;
    coarse_ = pair.coarse->pack(source);
    full_ = pair.full->pack(source);
  }

  const backend::Linear& coarse() const { return *coarse_; }
  int64_t outputs() const { return full_->out_size; }

  // Of the whole head.
  std::vector<float> logits(const std::vector<float>& x, int64_t rows) {
    return run(*pair_.full, *full_, x, rows, {});
  }
  std::vector<float> cut_logits(const std::vector<float>& x, std::span<const HeadCut> cuts) {
    return run(*pair_.coarse, *coarse_, x, static_cast<int64_t>(cuts.size()), cuts);
  }
  // How many rows of weights that read in full, beside the plane; -1: it read all.
  int64_t rows_read(const std::vector<float>& x, const HeadCut& cut) {
    const backend::HeadCounts before = pair_.coarse->head_counts();
    cut_logits(x, {&cut, 1});
    const backend::HeadCounts after = pair_.coarse->head_counts();
    return after.coarse_rows == before.coarse_rows ? -1 : after.weight_rows - before.weight_rows;
  }

 private:
  std::vector<float> run(backend::Backend& on, const backend::Linear& linear,
                         const std::vector<float>& x, int64_t rows,
                         std::span<const HeadCut> cuts) const {
    OwnedActivations activations(rows, setting_.columns, x);
    std::vector<float> out(static_cast<size_t>(rows * linear.out_size), 12345.0f);
    on.head({.weights = &linear,
             .cuts = cuts,
             .scale = setting_.scale,
             .softcap = setting_.softcap,
             .out = out.data(),
             .out_stride = linear.out_size},
            activations.in);
    return out;
  }

  Pair& pair_;
  Setting setting_;
  OwnedTensor weights_, bias_;
  std::unique_ptr<backend::Linear> coarse_, full_;
};

bool same(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

// What the cut needs of `full` is in `cut_row`, and all that is there is right.
void expect_cut(std::span<const float> full, std::span<const float> cut_row, const HeadCut& cut) {
  std::vector<bool> always(full.size());
  for (const int32_t id : cut.always) always[static_cast<size_t>(id)] = true;
  std::vector<float> others;
  for (int64_t id = 0; id < cut.outputs; ++id)
    if (!always[static_cast<size_t>(id)]) others.push_back(full[static_cast<size_t>(id)]);
  std::sort(others.begin(), others.end(), std::greater<>());
  const float last = static_cast<int64_t>(others.size()) > cut.top
                         ? others[static_cast<size_t>(cut.top - 1)]
                         : -kInfinity;
  for (size_t id = 0; id < full.size(); ++id) {
    const bool inside = static_cast<int64_t>(id) < cut.outputs;
    if (inside && (always[id] || full[id] >= last)) {
      ASSERT_TRUE(same(cut_row[id], full[id])) << id << ": " << cut_row[id] << ", not " << full[id];
    } else {
      ASSERT_TRUE(same(cut_row[id], full[id]) || cut_row[id] == -kInfinity)
          << id << ": " << cut_row[id] << ", not " << full[id];
    }
  }
}

std::vector<float> normal_values(random::Sequence& draw, int64_t count, double deviation) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - draw.uniform()));
    value =
        static_cast<float>(deviation * radius * std::cos(2.0 * std::numbers::pi * draw.uniform()));
  }
  return values;
}

std::vector<int32_t> random_ids(random::Sequence& draw, int64_t count, int64_t outputs) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>(draw.below(static_cast<uint64_t>(outputs)));
  return ids;
}

void expect_cuts_of(Head& head, random::Sequence& draw, const std::vector<float>& x, int64_t rows,
                    int64_t columns) {
  const std::vector<float> full = head.logits(x, rows);
  const int64_t outputs = head.outputs();
  for (const int64_t top : {1, 2, 7, 40}) {
    for (const int64_t changed : {0, 5}) {
      SCOPED_TRACE(testing::Message() << "top " << top << ", changed " << changed);
      std::vector<std::vector<int32_t>> ids;
      std::vector<HeadCut> cuts;
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t valid = outputs - static_cast<int64_t>(draw.below(3));
        ids.push_back(random_ids(draw, changed, std::max<int64_t>(1, valid)));
        cuts.push_back({.top = top, .outputs = valid, .always = {}});
      }
      for (size_t row = 0; row < cuts.size(); ++row)
        if (cuts[row].outputs > 0) cuts[row].always = ids[row];
      const std::vector<float> cut = head.cut_logits(x, cuts);
      for (int64_t row = 0; row < rows; ++row) {
        SCOPED_TRACE(row);
        const auto part = [&](const std::vector<float>& all) {
          return std::span(all).subspan(static_cast<size_t>(row * outputs),
                                        static_cast<size_t>(outputs));
        };
        ASSERT_NO_FATAL_FAILURE(expect_cut(part(full), part(cut), cuts[static_cast<size_t>(row)]));
      }
    }
  }
  ASSERT_EQ(static_cast<int64_t>(x.size()), rows * columns);
}

TEST(Head, ACutHasTheLogitsOfTheWholeRow) {
  const uint64_t features = cpu::detect_features();
  for (const kernel::Candidate& candidate : kernel::candidates()) {
    if ((candidate.features & ~features) != 0) continue;
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(testing::Message() << candidate.table->name << ", " << threads << " threads");
      Pair pair(*candidate.table, threads);
      random::Sequence draw(kSeed);
      for (const codec::Id format : {codec::Id::f16, codec::Id::bf16, codec::Id::f32}) {
        for (const auto& [outputs, columns] :
             {std::pair<int64_t, int64_t>{1, 1}, {17, 33}, {300, 257}, {1000, 96}}) {
          const Setting setting{.format = format, .outputs = outputs, .columns = columns};
          SCOPED_TRACE(testing::Message()
                       << codec::get(format).name << " " << outputs << " x " << columns);
          Head head(pair, setting, normal_values(draw, outputs * columns, 0.02));
          ASSERT_GT(head.coarse().coarse_bytes, 0);
          for (const int64_t rows : {1, 3, 5})
            ASSERT_NO_FATAL_FAILURE(expect_cuts_of(
                head, draw, normal_values(draw, rows * columns, 1.5), rows, columns));
        }
      }
    }
  }
}

TEST(Head, BiasScaleAndCapKeepTheOrder) {
  Pair pair(best_table(), 2);
  random::Sequence draw(kSeed + 1);
  for (const float scale : {1.0f, 0.0625f, 3.0f}) {
    for (const float softcap : {0.0f, 30.0f, 0.5f}) {
      SCOPED_TRACE(testing::Message() << "scale " << scale << ", cap " << softcap);
      const Setting setting{
          .outputs = 700, .columns = 128, .bias = true, .scale = scale, .softcap = softcap};
      Head head(pair, setting, normal_values(draw, 700 * 128, 0.3), normal_values(draw, 700, 1.0));
      // With large activations many logits saturate at the cap and tie.
      for (const double size : {0.1, 1.0, 30.0})
        ASSERT_NO_FATAL_FAILURE(
            expect_cuts_of(head, draw, normal_values(draw, 2 * 128, size), 2, 128));
    }
  }
}

TEST(Head, AdversarialWeightsAndActivations) {
  constexpr int64_t kOutputs = 600, kColumns = 130;
  Pair pair(best_table(), 2);
  random::Sequence draw(kSeed + 2);
  std::vector<std::vector<float>> weights;
  weights.push_back(std::vector<float>(kOutputs * kColumns, 0.25f));  // every logit ties
  weights.push_back(std::vector<float>(kOutputs * kColumns, 0.0f));
  weights.push_back(normal_values(draw, kOutputs * kColumns, 1e-8));  // below the smallest half
  weights.push_back(normal_values(draw, kOutputs * kColumns, 5000.0));
  weights.push_back(normal_values(draw, kOutputs * kColumns, 0.02));
  weights.back()[7 * kColumns + 3] = 60000.0f;  // one huge weight
  weights.push_back(normal_values(draw, kOutputs * kColumns, 0.02));
  for (int64_t row = 1; row < kOutputs; ++row)  // rows that differ in one last bit, by pairs equal
    for (int64_t k = 0; k < kColumns; ++k)
      weights.back()[static_cast<size_t>(row * kColumns + k)] =
          weights.back()[static_cast<size_t>(k)] * (k == row / 2 % kColumns ? 1.001f : 1.0f);
  std::vector<std::vector<float>> inputs = {
      normal_values(draw, kColumns, 1.0), normal_values(draw, kColumns, 1e-30),
      normal_values(draw, kColumns, 1e4), std::vector<float>(kColumns, 0.0f),
      std::vector<float>(kColumns, -1.0f)};
  inputs.push_back(normal_values(draw, kColumns, 1.0));
  inputs.back()[5] = 3e5f;  // one huge activation
  inputs.push_back(std::vector<float>(kColumns, 0.0f));
  inputs.back()[129] = 1.0f;
  for (const codec::Id format : {codec::Id::f16, codec::Id::bf16, codec::Id::f32}) {
    for (size_t w = 0; w < weights.size(); ++w) {
      Head head(pair, {.format = format, .outputs = kOutputs, .columns = kColumns}, weights[w]);
      for (size_t x = 0; x < inputs.size(); ++x) {
        SCOPED_TRACE(testing::Message()
                     << codec::get(format).name << ", weights " << w << ", input " << x);
        ASSERT_NO_FATAL_FAILURE(expect_cuts_of(head, draw, inputs[x], 1, kColumns));
      }
    }
  }
}

TEST(Head, WithoutABoundTheRowIsWhole) {
  constexpr int64_t kOutputs = 500, kColumns = 64;
  Pair pair(best_table(), 2);
  random::Sequence draw(kSeed + 3);
  const std::vector<float> weights = normal_values(draw, kOutputs * kColumns, 0.1);
  Head head(pair, {.format = codec::Id::f32, .outputs = kOutputs, .columns = kColumns}, weights);
  const HeadCut greedy{.top = 1, .outputs = kOutputs, .always = {}};
  std::vector<float> x = normal_values(draw, kColumns, 1.0);
  EXPECT_GE(head.rows_read(x, greedy), 1);
  for (const float bad : {std::nanf(""), kInfinity, 3e38f}) {
    std::vector<float> broken = x;
    broken[9] = bad;
    EXPECT_EQ(head.rows_read(broken, greedy), -1) << bad;
    EXPECT_TRUE(same_bits(head.cut_logits(broken, {&greedy, 1}), head.logits(broken, 1))) << bad;
  }
  EXPECT_EQ(head.rows_read(x, {.top = 0, .outputs = kOutputs, .always = {}}), -1);
  EXPECT_EQ(head.rows_read(x, {.top = kOutputs, .outputs = kOutputs, .always = {}}), -1);

  for (const float bad : {std::nanf(""), kInfinity, 3e38f}) {
    std::vector<float> broken = weights;
    broken[777] = bad;
    Head other(pair, {.format = codec::Id::f32, .outputs = kOutputs, .columns = kColumns}, broken);
    EXPECT_EQ(other.coarse().coarse_bytes > 0, std::isfinite(bad)) << bad;
    EXPECT_EQ(other.rows_read(x, greedy), -1) << bad;
    EXPECT_TRUE(same_bits(other.cut_logits(x, {&greedy, 1}), other.logits(x, 1))) << bad;
  }
}

// The point of it all: few rows are read. At this width 8 bits leave a handful of random rows.
TEST(Head, FewRowsAreRead) {
  constexpr int64_t kOutputs = 4096, kColumns = 1024;
  Pair pair(best_table(), 2);
  random::Sequence draw(kSeed + 4);
  Head head(pair, {.outputs = kOutputs, .columns = kColumns},
            normal_values(draw, kOutputs * kColumns, 0.02));
  for (int round = 0; round < 5; ++round) {
    const std::vector<float> x = normal_values(draw, kColumns, 1.0);
    EXPECT_LE(head.rows_read(x, {.top = 1, .outputs = kOutputs, .always = {}}), 16);
    EXPECT_LE(head.rows_read(x, {.top = 40, .outputs = kOutputs, .always = {}}), 160);
  }
}

TEST(Head, RowsInAnotherOrder) {
  constexpr int64_t kOutputs = 320, kColumns = 80;
  Pair pair(best_table(), 2);
  random::Sequence draw(kSeed + 5);
  std::vector<int32_t> order;
  for (int32_t row = 0; row < kOutputs; row += 2) order.push_back((row * 7 + 3) % kOutputs);
  Head head(pair, {.outputs = kOutputs, .columns = kColumns},
            normal_values(draw, kOutputs * kColumns, 0.1), {}, order);
  ASSERT_EQ(head.outputs(), kOutputs / 2);
  expect_cuts_of(head, draw, normal_values(draw, kColumns, 1.0), 1, kColumns);
}

// Only where it is asked for, where the format has it, and where the layer is large enough.
TEST(Head, WhoGetsAPlane) {
  ThreadPool pool(2);
  const auto by_default = backend::make_cpu_backend(pool, best_table());
  const auto always =
      backend::make_cpu_backend(pool, best_table(), {.head = backend::HeadPlane::always});
  const auto bytes = [&](backend::Backend& on, codec::Id format, int64_t rows, int64_t columns,
                         bool head) {
    const OwnedTensor tensor(format, rows, columns,
                             std::vector<float>(static_cast<size_t>(rows * columns), 0.5f));
    backend::LinearSource source;
    source.weight = &tensor.view();
    source.head = head;
    const auto linear = on.pack(source);
    if (head && &on == by_default.get()) {
      EXPECT_EQ(linear->coarse_bytes, backend::coarse_head_bytes(tensor.view()));
    }
    return linear->coarse_bytes;
  };
  EXPECT_GT(bytes(*always, codec::Id::f16, 64, 64, true), 0);
  EXPECT_EQ(bytes(*always, codec::Id::f16, 64, 64, false), 0);
  EXPECT_EQ(bytes(*always, codec::Id::q8_0, 64, 64, true), 0);
  EXPECT_EQ(bytes(*by_default, codec::Id::f16, 64, 64, true), 0);
  EXPECT_GT(bytes(*by_default, codec::Id::f16, 8192, 1024, true), 0);
}

}  // namespace
}  // namespace bittern::test
