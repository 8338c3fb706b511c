// The llama and BitNet arrangements against logits that transformers gave (tools/golden/
// make_models.py; the other families: families_test.cc): llama with every rotary scaling, biases,
// tied and untied heads; qwen3; the four BitNet arrangements, packed and as masters, in Hugging
// Face and GGUF form. Tolerances, of the logit range: 1e-4 where everything is f32, 1e-3 for
// W1.58A8.
#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/file_map.h"
#include "model/golden.h"
#include "model/reference_backend.h"

namespace bittern::test {
namespace {

constexpr double kFloatTolerance = 1e-4;
constexpr double kTernaryTolerance = 1e-3;
constexpr double kInt8Tolerance = 5e-3;
constexpr double kBf16Tolerance = 2e-2;

struct Case {
  const char* row;     // of the architecture table
  const char* name;    // for the test and the report
  const char* files;   // folder or file
  const char* config;  // another config.json of the folder, or empty
  const char* golden;
  int64_t context = 0;
};

constexpr Case kCases[] = {
    {"llama", "llama", "llama", "", "llama/golden.bin"},
    {"llama", "llama_linear", "llama", "config.linear.json", "llama/golden.linear.bin"},
    {"llama", "llama_dynamic", "llama", "config.dynamic.json", "llama/golden.dynamic.bin", 40},
    {"llama", "llama_llama3", "llama", "config.llama3.json", "llama/golden.llama3.bin"},
    {"llama", "llama_yarn", "llama", "config.yarn.json", "llama/golden.yarn.bin"},
    {"llama", "llama_yarn_given", "llama", "config.yarn_given.json", "llama/golden.yarn_given.bin"},
    {"llama", "llama_longrope", "llama", "config.longrope.json", "llama/golden.longrope.bin"},
    {"llama", "llama_longrope_short", "llama", "config.longrope.json",
     "llama/golden.longrope_short.bin", 24},
    {"llama", "llama_gguf", "llama/model.gguf", "", "llama/golden.bin"},
    {"llama", "llama_bias", "llama_bias", "", "llama_bias/golden.bin"},
    {"llama", "llama_bias_silu", "llama_bias", "config.silu.json", "llama_bias/golden.silu.bin"},
    {"llama", "llama_bias_gguf", "llama_bias/model.gguf", "", "llama_bias/golden.silu.bin"},
    {"qwen3", "qwen3", "qwen3", "", "qwen3/golden.bin"},
    {"qwen3", "qwen3_gguf", "qwen3/model.gguf", "", "qwen3/golden.bin"},
    {"bitnet", "bitnet", "bitnet", "", "bitnet/golden.bin"},
    {"bitnet", "bitnet_gguf", "bitnet/model.gguf", "", "bitnet/golden.bin"},
    {"bitnet", "bitnet_f32", "bitnet_f32", "", "bitnet_f32/golden.bin"},
    {"bitnet", "bitnet_packed", "bitnet_packed", "", "bitnet_packed/golden.bin"},
    {"bitnet", "bitnet_256", "bitnet_256", "", "bitnet_256/golden.bin"},
    {"bitnet", "bitnet_256_tq1_0", "bitnet_256/TQ1_0.gguf", "", "bitnet_256/golden.bin"},
    {"bitnet", "bitnet_256_tq2_0", "bitnet_256/TQ2_0.gguf", "", "bitnet_256/golden.bin"},
    {"llama", "hf1bitllm", "hf1bitllm", "", "hf1bitllm/golden.bin"},
    {"llama", "falcon_e", "falcon_e", "", "falcon_e/golden.bin"},
    {"bitnet-1bitllm", "1bitllm", "1bitllm", "", "1bitllm/golden.bin"},
    {"bitnet-1bitllm", "1bitllm_gguf", "1bitllm/model.gguf", "", "1bitllm/golden.bin"},
};

void PrintTo(const Case& item, std::ostream* out) { *out << item.name; }

class ModelGolden : public testing::TestWithParam<Case> {};

double error_with(const Case& item, backend::Backend& backend, backend::KvType type) {
  const Golden golden = read_golden(item.golden);
  const auto model = bind_case(open_case(item.files, item.config), backend, item.context);
  EXPECT_EQ(model->arch->name, item.row);
  EXPECT_EQ(model->config.vocab_size, golden.vocab);
  return relative_error(golden, Runner(*model, backend, type).run(golden.ids));
}

double tolerance(const Case& item) {
  const auto checkpoint = open_case(item.files, item.config);
  const auto config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  return config.ternary ? kTernaryTolerance : kFloatTolerance;
}

// The oracle of the other tests is itself right.
TEST_P(ModelGolden, DoubleBackendGivesTheReferenceLogits) {
  const auto backend = make_reference_backend();
  EXPECT_LE(error_with(GetParam(), *backend, backend::KvType::f32), tolerance(GetParam()));
}

// The int8 codes that the ternary linears of a run read, in order of execution, and how far each
// was from the middle between two codes.
class CodeRecord final : public model::Taps {
 public:
  struct Code {
    int code;
    double to_tie;
  };
  void linear_input(std::string_view, const backend::Activations& input) override {
    if (!input.quantised) return;
    std::vector<Code>& linear = linears.emplace_back();
    for (int64_t row = 0; row < input.count; ++row) {
      for (int64_t i = 0; i < input.width; ++i) {
        const double exact =
            double{input.values[row * input.width + i]} / input.inverse_scales[row];
        linear.push_back({input.codes[row * backend::padded_width(input.width) + i],
                          std::abs(std::abs(exact - std::trunc(exact)) - 0.5)});
      }
    }
  }
  void layer_output(int64_t, const float*, int64_t) override {}

  std::vector<std::vector<Code>> linears;
};

CodeRecord codes_with(const Case& item, backend::Backend& backend) {
  CodeRecord record;
  const auto model = bind_case(open_case(item.files, item.config), backend, item.context);
  Runner(*model, backend).run(read_golden(item.golden).ids, 0, &record);
  return record;
}

// How the CPU's codes stand to those of the double backend: the same; or parted by a tie, that is,
// everything that differs in the first linear layer that sees a difference lay between two codes,
// where sums of different order may round apart (from there on the runs are of different numbers);
// or neither, which is a fault.
enum class Codes { same, tie, fault };

Codes compare_codes(const Case& item, backend::Backend& cpu) {
  const auto exact = make_reference_backend();
  const CodeRecord ours = codes_with(item, cpu), truth = codes_with(item, *exact);
  EXPECT_EQ(ours.linears.size(), truth.linears.size());
  EXPECT_FALSE(truth.linears.empty());
  for (size_t linear = 0; linear < truth.linears.size(); ++linear) {
    bool parts = false;
    for (size_t i = 0; i < truth.linears[linear].size(); ++i) {
      if (ours.linears[linear][i].code == truth.linears[linear][i].code) continue;
      parts = true;
      if (truth.linears[linear][i].to_tie > 1e-4) return Codes::fault;
    }
    if (parts) return Codes::tie;
  }
  return Codes::same;
}

// How logits stand to the golden ones.
struct Closeness {
  double largest = 0.0, rms = 0.0;  // of the range
  int64_t positions = 0, decided = 0, missed = 0;
};

// A position is decided where the golden's first token leads the second by more than `margin` of
// the range; there the same token must lead.
Closeness closeness(const Golden& golden, const std::vector<float>& logits, double margin) {
  Closeness result;
  result.largest = relative_error(golden, logits);
  const auto [low, high] = std::minmax_element(golden.logits.begin(), golden.logits.end());
  const double range = double{*high} - *low;
  double squares = 0.0;
  for (size_t i = 0; i < logits.size(); ++i)
    squares += std::pow((double{logits[i]} - golden.logits[i]) / range, 2);
  result.rms = std::sqrt(squares / static_cast<double>(logits.size()));
  for (size_t at = 0; at < logits.size();
       at += static_cast<size_t>(golden.vocab), ++result.positions) {
    const auto begin = static_cast<std::ptrdiff_t>(at), end = begin + golden.vocab;
    std::vector<float> sorted(golden.logits.begin() + begin, golden.logits.begin() + end);
    const auto first = std::max_element(sorted.begin(), sorted.end()) - sorted.begin();
    std::nth_element(sorted.begin(), sorted.begin() + 1, sorted.end(), std::greater<>());
    if (double{sorted[0]} - sorted[1] <= margin * range) continue;
    ++result.decided;
    const auto ours = std::max_element(logits.begin() + begin, logits.begin() + end);
    if (ours - (logits.begin() + begin) != first) ++result.missed;
  }
  return result;
}

Closeness closeness_with(const Case& item, backend::Backend& backend, backend::KvType type,
                         double margin) {
  const Golden golden = read_golden(item.golden);
  const auto model = bind_case(open_case(item.files, item.config), backend, item.context);
  return closeness(golden, Runner(*model, backend, type).run(golden.ids), margin);
}

// Rounded keys and values move the logits of a ternary model of this size by steps: an activation
// that passes the middle between two int8 codes moves them by up to some percent of the range. The
// largest step says how many did, and so hangs on near ties; what is held tight is the root mean
// square, and the token wherever the golden decides by more than twice the stated largest error.
void expect_close(const Closeness& got, bool ternary, double rms, double stated) {
  EXPECT_LE(got.rms, rms);
  EXPECT_LE(got.largest, ternary ? 2 * stated : stated);
  EXPECT_EQ(got.missed, 0) << "of " << got.decided << " decided positions";
}

TEST_P(ModelGolden, CpuGivesTheReferenceLogits) {
  Cpu exact(1, nullptr, true), backend;
  const bool ternary = tolerance(GetParam()) == kTernaryTolerance;
  const double error = error_with(GetParam(), *exact, backend::KvType::f32);
  const Codes codes = ternary ? compare_codes(GetParam(), *exact) : Codes::same;
  EXPECT_NE(codes, Codes::fault);
  EXPECT_LE(error, codes == Codes::same ? tolerance(GetParam()) : 5e-2);
  // Heads of a Q8_0 embedding meet int8 activations, bf16 weights bf16 ones.
  const double rounded = error_with(GetParam(), *backend, backend::KvType::f32);
  EXPECT_LE(rounded, ternary ? kInt8Tolerance : kBf16Tolerance);
  const double f16_stated = ternary ? 3e-2 : 2e-3, int8_stated = 5e-2;
  const Closeness f16 = closeness_with(GetParam(), *exact, backend::KvType::f16, 2 * f16_stated);
  const Closeness int8 = closeness_with(GetParam(), *exact, backend::KvType::int8, 2 * int8_stated);
  expect_close(f16, ternary, ternary ? 4e-3 : 2e-4, f16_stated);
  expect_close(int8, ternary, ternary ? 8e-3 : 4e-3, int8_stated);
  fmt::print(
      "{:22s} logit error of the range: f32 KV {:.1e} (rounded activations {:.1e}), f16 KV {:.1e} "
      "(rms {:.1e}), int8 KV {:.1e} (rms {:.1e}, {} of {} positions decided)\n",
      GetParam().name, error, rounded, f16.largest, f16.rms, int8.largest, int8.rms, int8.decided,
      int8.positions);
}

INSTANTIATE_TEST_SUITE_P(Models, ModelGolden, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

// Compares the int8 codes that each ternary linear reads with those of the reference.
class CodeTap final : public model::Taps {
 public:
  explicit CodeTap(Bytes reference) : reader_(reference, "codes.bin") {}

  void linear_input(std::string_view, const backend::Activations& input) override {
    if (!input.quantised) return;
    ASSERT_EQ(reader_.read<int32_t>("width"), input.width);
    const Bytes block = reader_.take(static_cast<uint64_t>(input.count * input.width), "codes");
    for (int64_t row = 0; row < input.count; ++row) {
      for (int64_t i = 0; i < input.width; ++i) {
        const auto at = static_cast<size_t>(row * input.width + i);
        const int ours = input.codes[row * backend::padded_width(input.width) + i];
        const int reference = static_cast<int8_t>(block[at]);
        ++compared;
        if (ours == reference) continue;
        const double exact = double{input.values[at]} / input.inverse_scales[row];
        const double to_tie = std::abs(std::abs(exact - std::trunc(exact)) - 0.5);
        ++different;
        farthest = std::max(farthest, to_tie);
      }
    }
  }
  void layer_output(int64_t, const float*, int64_t) override {}
  uint64_t bytes_left() const { return reader_.remaining(); }

  int64_t compared = 0, different = 0;
  double farthest = 0.0;  // from a tie, of a code that differs

 private:
  ByteReader reader_;
};

TEST(ModelCodes, Int8CodesEqualTheReferenceExceptAtTies) {
  const FileMap codes = FileMap::open(std::string(BITTERN_TEST_DATA) + "/models/bitnet/codes.bin");
  const Golden golden = read_golden("bitnet/golden.bin");
  Cpu backend;
  const auto model = bind_case(open_case("bitnet"), *backend);
  CodeTap tap(codes.bytes());
  Runner(*model, *backend).run(golden.ids, 0, &tap);
  EXPECT_EQ(tap.bytes_left(), 0u);
  EXPECT_LE(tap.farthest, 1e-5);
  fmt::print("int8 codes: {} of {} differ, the farthest {:.1e} from a tie\n", tap.different,
             tap.compared, tap.farthest);
}

}  // namespace
}  // namespace bittern::test
