// The choice between T2 and T1.6: forced, remembered, measured; and that both give the same bits,
// packed from the format's bytes or from values.
#include "backend/cpu/layout_probe.h"

#include <algorithm>
#include <fstream>

#include "backend/backend_support.h"
#include "base/cpu.h"
#include "base/environment.h"
#include "kernel/select.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::test {
namespace {

using backend::TernaryLayout;

constexpr int64_t kLarge = int64_t{1} << 30;
const char* const kVariable = environment::name(environment::Variable::ternary).data();

template <typename Body>
std::optional<ErrorKind> kind_of(const Body& body) {
  const auto thrown = thrown_by(body);
  return thrown ? std::optional(thrown->kind) : std::nullopt;
}

class LayoutChoice : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv(kVariable); }
  void TearDown() override { ::unsetenv(kVariable); }

  TernaryLayout choose(const kernel::Table& table, int64_t packed_bytes = kLarge) {
    return backend::choose_ternary_layout(pool, table, folder.path() / "packed", packed_bytes,
                                          Log(Log::Level::quiet));
  }
  bool has_dense() const {
    return kernel::select_dense(best_table(), cpu::detect_features()) != nullptr;
  }

  TemporaryFolder folder;
  ThreadPool pool{2};
};

TEST_F(LayoutChoice, TheVariableForcesIt) {
  ::setenv(kVariable, "T2", 1);
  EXPECT_EQ(choose(best_table()), TernaryLayout::t2);
  EXPECT_EQ(choose(kernel::scalar_table), TernaryLayout::t2);
  ::setenv(kVariable, "T1.6", 1);
  if (has_dense()) {
    EXPECT_EQ(choose(best_table()), TernaryLayout::t16);
  }
  EXPECT_EQ(kind_of([&] { choose(kernel::scalar_table); }), ErrorKind::unsupported);
  ::setenv(kVariable, "T3", 1);
  EXPECT_EQ(kind_of([&] { choose(best_table()); }), ErrorKind::usage);
}

TEST_F(LayoutChoice, WithoutAKernelOrAFolderNothingIsMeasured) {
  EXPECT_EQ(choose(kernel::scalar_table), TernaryLayout::t2);
  EXPECT_EQ(backend::choose_ternary_layout(pool, best_table(), std::nullopt, kLarge, Log()),
            has_dense() ? TernaryLayout::t16 : TernaryLayout::t2);
  EXPECT_EQ(choose(best_table(), 1000), has_dense() ? TernaryLayout::t16 : TernaryLayout::t2);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "packed"));
}

TEST_F(LayoutChoice, WhatWasMeasuredIsRemembered) {
  if (!has_dense()) GTEST_SKIP() << "no kernel of T1.6 on this machine";
  const auto file = folder.path() / "packed" / "layouts";
  // A busy machine may need several tries.
  for (int i = 0; i < 100 && !std::filesystem::exists(file); ++i) choose(best_table());
  std::string line;
  std::getline(std::ifstream(file), line);
  const size_t tab = line.find('\t');
  ASSERT_NE(tab, std::string::npos) << line;
  EXPECT_GT(std::stod(line), 0.0);
  const std::string machine = line.substr(tab);
  const auto with = [&](const std::string& text) {
    std::ofstream(file) << text;
    return choose(best_table());
  };
  const auto lines = [&] {
    std::ifstream in(file);
    int count = 0;
    for (std::string each; std::getline(in, each);) ++count;
    return count;
  };
  EXPECT_EQ(with("0.900" + machine + "\n"), TernaryLayout::t2);
  EXPECT_EQ(with("0.900" + machine + "\n1.100" + machine + "\n"), TernaryLayout::t16);
  EXPECT_EQ(with("0.900" + machine + "\n1.100" + machine + " of another kind\n"),
            TernaryLayout::t2);
  EXPECT_EQ(lines(), 2);
  // What is not a ratio of this machine is as if it were not there.
  for (const std::string damaged : {"", "\n\n", "x", "nan", "0", "-1", "1e30"}) {
    const auto before = 1 + std::ranges::count(damaged, '\n');
    with(damaged + machine + "\n");
    for (int i = 0; i < 100 && lines() == before; ++i) choose(best_table());
    EXPECT_EQ(lines(), before + 1) << damaged;
  }
}

TEST_F(LayoutChoice, BothLayoutsGiveTheSameBits) {
  random::Sequence draw(81);
  const int64_t rows = 37, columns = 768;
  std::vector<float> values = random_values(draw, rows * columns, 1.0f);
  for (float& value : values) value = value > 0.3f ? 0.5f : value < -0.3f ? -0.5f : 0.0f;
  const std::vector<float> input = random_values(draw, columns, 2.0f);
  std::vector<float> expected;
  for (const codec::Id id :
       {codec::Id::bf16, codec::Id::tq2_0, codec::Id::tq1_0, codec::Id::i2_s}) {
    for (const TernaryLayout layout : {TernaryLayout::t2, TernaryLayout::t16}) {
      SCOPED_TRACE(codec::get(id).name);
      const OwnedTensor weights(id, rows, columns, values);
      const auto cpu = backend::make_cpu_backend(pool, best_table(), {.ternary = layout});
      backend::LinearSource source;
      source.weight = &weights.view();
      source.ternary = true;
      const auto linear = cpu->pack(source);
      EXPECT_EQ(linear->layout, layout == TernaryLayout::t2 || !has_dense() ? "T2" : "T1.6");
      OwnedActivations activations(1, columns, input);
      std::vector<float> out(rows);
      cpu->linear(*linear, activations.in, out.data(), rows);
      if (expected.empty()) expected = out;
      EXPECT_TRUE(same_bits(out, expected));
    }
  }
}

// Bytes that are not plain: values decide, as before.
TEST_F(LayoutChoice, WhatIsNotPlainIsPackedByItsValues) {
  const int64_t rows = 16, columns = 512;
  std::vector<float> values(rows * columns, 0.5f);
  std::fill_n(values.begin(), 256, 0.25f);  // one block of another scale: masters
  const OwnedTensor weights(codec::Id::tq2_0, rows, columns, values);
  const OwnedTensor same(codec::Id::f32, rows, columns, values);
  std::vector<std::vector<float>> results;
  for (const OwnedTensor* tensor : {&weights, &same}) {
    const auto cpu = backend::make_cpu_backend(pool, best_table(), {});
    backend::LinearSource source;
    source.weight = &tensor->view();
    source.ternary = true;
    const auto linear = cpu->pack(source);
    OwnedActivations activations(1, columns, std::vector<float>(columns, 1.0f));
    results.emplace_back(rows);
    cpu->linear(*linear, activations.in, results.back().data(), rows);
  }
  EXPECT_TRUE(same_bits(results[0], results[1]));
  // The mean of magnitudes over the whole tensor is the scale.
  EXPECT_NEAR(results[0][1], 512 * (0.5 * (rows * columns - 256) + 64) / (rows * columns), 0.5);
  std::vector<float> broken(rows * columns, 0.5f);
  OwnedTensor i2_s(codec::Id::i2_s, rows, columns, broken);
  const_cast<std::byte&>(i2_s.view().bytes[100]) = std::byte{0xff};
  const auto cpu = backend::make_cpu_backend(pool, best_table(), {});
  backend::LinearSource source;
  source.weight = &i2_s.view();
  source.ternary = true;
  EXPECT_EQ(kind_of([&] { cpu->pack(source); }), ErrorKind::bad_input);
}

}  // namespace
}  // namespace bittern::test
