// Models made up in the shape of real ones: sizes agree with what the publishers and llama.cpp's
// own quantiser give, they load like any file, and their logits are finite.
#include "bench/synthetic.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "backend/cpu/cpu_backend.h"
#include "base/log.h"
#include "bench/throughput.h"
#include "kernel/select.h"
#include "model/forward.h"
#include "model/sequence.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::bench {
namespace {

// Parameters, norms aside, in millions: as counted by the safetensors files of each repository.
TEST(Shapes, HaveTheParametersOfTheRealModels) {
  const std::map<std::string_view, double> published = {
      {"bitnet-2b", 2412.5},    {"bitnet-large", 728.7}, {"llama-1b", 1235.7},
      {"llama-3b", 3212.6},     {"llama-8b", 8030.0},    {"mistral-7b", 7247.8},
      {"qwen3-0.6b", 596.0},    {"qwen3-4b", 4022.3},    {"smollm2-135m", 134.5},
      {"smollm2-1.7b", 1711.3}, {"tiny", 1.31},          {"tiny-ternary", 1.31}};
  for (const ModelShape& shape : shapes()) {
    ASSERT_TRUE(published.contains(shape.name)) << shape.name;
    const double millions = static_cast<double>(shape.parameter_count()) / 1e6;
    EXPECT_NEAR(millions, published.at(shape.name), published.at(shape.name) * 0.003) << shape.name;
    EXPECT_FALSE(shape.source.empty());
  }
  EXPECT_EQ(published.size(), shapes().size());
}

// Bytes that a token of decoding reads, in MB: measured on files that llama.cpp's own quantiser
// wrote for these shapes (docs/performance.md, "Peers").
TEST(Synthetic, TakesTheBytesThatQuantisersTake) {
  struct Row {
    std::string_view shape, codec, head;
    double megabytes;
  };
  for (const Row& row :
       {Row{"llama-1b", "q4_0", "", 763}, Row{"llama-1b", "q4_k_m", "", 799},
        Row{"llama-1b", "q8_0", "", 1313}, Row{"llama-1b", "bf16", "", 2471},
        Row{"bitnet-2b", "tq2_0", "", 806}, Row{"bitnet-2b", "tq1_0", "", 709},
        Row{"bitnet-2b", "iq2_bn", "q6_k", 793}, Row{"bitnet-2b", "i2_s", "q6_k", 794}}) {
    const SyntheticPlan plan =
        plan_synthetic(find_shape(row.shape),
                       {.codec = std::string(row.codec), .head_codec = std::string(row.head)});
    EXPECT_NEAR(static_cast<double>(plan.bytes) / 1e6, row.megabytes, row.megabytes * 0.005)
        << row.shape << " " << row.codec;
  }
}

TEST(Synthetic, GivesWayWhereABlockDoesNotFit) {
  // As llama-quantize: 576 columns are no whole number of blocks of 256.
  const SyntheticPlan plan = plan_synthetic(find_shape("smollm2-135m"), {.codec = "q4_k_m"});
  for (const PlannedTensor& tensor : plan.tensors) {
    if (tensor.name == "blk.0.attn_q.weight") {
      EXPECT_EQ(tensor.codec, codec::Id::q5_0);
    }
    if (tensor.name == "blk.0.ffn_down.weight") {
      EXPECT_EQ(tensor.codec, codec::Id::q6_k);
    }
    if (tensor.name == "token_embd.weight") {
      EXPECT_EQ(tensor.codec, codec::Id::q8_0);
    }
  }
}

TEST(Synthetic, RefusesByName) {
  EXPECT_EQ(test::message_of([] { find_shape("llama-2b"); }),
            "--shape: expected one of " + shape_names() + ", got llama-2b");
  const auto bad_codec =
      test::thrown_by([] { plan_synthetic(find_shape("tiny"), {.codec = "i32"}); });
  ASSERT_TRUE(bad_codec);
  EXPECT_EQ(bad_codec->kind, ErrorKind::usage);
  EXPECT_TRUE(bad_codec->message.starts_with("--codec: expected one of f32, f16, "))
      << bad_codec->message;
  EXPECT_TRUE(test::message_of([] {
                plan_synthetic(find_shape("tiny"), {.head_codec = "q9"});
              }).starts_with("--head-codec: "));
}

struct Loaded {
  explicit Loaded(format::Checkpoint checkpoint, int threads = 1)
      : pool(threads),
        backend(backend::make_cpu_backend(pool, kernel::select(Log(Log::Level::quiet)))),
        model(model::Model::load(std::move(checkpoint), *backend, {.plan = {.context = 512}})) {}
  ThreadPool pool;
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<model::Model> model;
};

Subject subject(Loaded& loaded, backend::KvType kv_type) {
  return {*loaded.model, *loaded.backend, loaded.pool, kv_type};
}

format::Checkpoint made(std::string_view shape, const SyntheticOptions& options) {
  ThreadPool pool(2);
  return make_synthetic(find_shape(shape), plan_synthetic(find_shape(shape), options), options.seed,
                        pool, nullptr);
}

std::vector<float> first_logits(Loaded& loaded) {
  const model::Config& config = loaded.model->config;
  model::SequenceState sequence;
  model::PagePool pages(1);
  EXPECT_TRUE(pages.reserve(sequence, 4));
  const auto store = loaded.backend->make_kv_store({.layer_count = config.layer_count,
                                                    .kv_head_count = config.kv_head_count,
                                                    .head_dim = config.head_dim,
                                                    .type = backend::KvType::f16,
                                                    .page_count = 1});
  model::Workspace workspace(*loaded.model, 4);
  std::vector<model::BatchRow> rows;
  for (int32_t i = 0; i < 4; ++i)
    rows.push_back(
        {.token = 7 * i + 1, .position = i, .sequence = &sequence, .wants_logits = i == 3});
  std::vector<float> logits(static_cast<size_t>(config.vocab_size));
  model::forward(*loaded.model, *loaded.backend, *store, rows, workspace, logits.data());
  return logits;
}

TEST(Synthetic, LogitsAreFiniteAndDifferInEveryFormat) {
  for (const std::string codec :
       {"q4_0", "q4_1", "q4_k_m", "q5_k_m", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k",
        "q8_0", "iq4_nl", "iq4_xs", "mxfp4", "nvfp4", "bf16", "f16", "f32"}) {
    Loaded loaded(made("tiny", {.codec = codec}));
    const std::vector<float> logits = first_logits(loaded);
    double squares = 0.0;
    for (const float logit : logits) {
      ASSERT_TRUE(std::isfinite(logit)) << codec;
      squares += double{logit} * logit;
    }
    const double size = std::sqrt(squares / static_cast<double>(logits.size()));
    EXPECT_GT(size, 0.1) << codec;
    EXPECT_LT(size, 10.0) << codec;
  }
}

TEST(Synthetic, TernaryShapesRunTernaryKernels) {
  for (const std::string codec : {"tq2_0", "tq1_0", "i2_s"}) {
    Loaded loaded(made("tiny-ternary", {.codec = codec}));
    const backend::Linear& up = *loaded.model->layers[0].up;
    EXPECT_TRUE(up.layout == "T2" || up.layout == "T1.6") << codec << ": " << up.layout;
    EXPECT_TRUE(up.kernel.starts_with("ternary/")) << codec << ": " << up.kernel;
    for (const float logit : first_logits(loaded)) ASSERT_TRUE(std::isfinite(logit)) << codec;
  }
}

TEST(Synthetic, TheFileHoldsTheSameModel) {
  const test::TemporaryFolder folder;
  for (const std::string_view shape : {"tiny", "tiny-ternary"}) {
    const auto path = folder.path() / fmt::format("{}.gguf", shape);
    write_synthetic(path, made(shape, {}));
    Loaded from_file(format::open_checkpoint(path));
    Loaded in_memory(made(shape, {}));
    EXPECT_EQ(first_logits(from_file), first_logits(in_memory)) << shape;
    EXPECT_EQ(from_file.model->tokenizer, nullptr);
  }
}

TEST(Throughput, MeasuresBothPhasesAtDepthAndInBatches) {
  Loaded loaded(made("tiny", {}), 2);
  const ThroughputOptions options{.repetitions = 2, .seconds = 60.0, .max_rows = 32};
  int64_t told = 0;
  const auto count = [&](int64_t tokens) { told += tokens; };
  const Case prompt{.phase = Phase::prefill, .depth = 65, .tokens = 48};
  const Result prefill =
      measure_case(subject(loaded, backend::KvType::f16), prompt, options, count);
  EXPECT_EQ(prefill.repetitions, 2);
  EXPECT_EQ(prefill.slice_seconds.size(), 2u);
  EXPECT_EQ(told, 96);
  EXPECT_GT(prefill.tokens_per_second.least, 0.0);

  const Case text{.phase = Phase::decode, .depth = 100, .tokens = 3, .batch = 4};
  const Result decode =
      measure_case(subject(loaded, backend::KvType::int8), text, options, nullptr);
  EXPECT_EQ(decode.slice_seconds.size(), 6u);
  EXPECT_GT(decode.engine_share, 0.0);
  EXPECT_LT(decode.engine_share, 1.0);
  EXPECT_LE(decode.tokens_per_second.least, decode.tokens_per_second.median);
  EXPECT_LE(decode.tokens_per_second.median, decode.tokens_per_second.most);

  // One slice of four rows: weights once, keys and values of 102 positions (on average) four
  // times; two operations for each weight and row.
  const double kv = 4 * 102.0 * 2 /*layers*/ * 2 /*k, v*/ * 2 /*heads*/ * (64 + 4.0);
  double weights = 0.0;
  for (const PlannedTensor& tensor : plan_synthetic(find_shape("tiny"), {}).tensors) {
    if (tensor.shape.size() != 2) continue;
    TensorView view;
    view.codec = tensor.codec;
    view.shape = tensor.shape;
    weights += static_cast<double>(backend::packed_bytes(view));
  }
  EXPECT_DOUBLE_EQ(decode.work.bytes, weights + kv);
  const double linear_operations =
      2.0 * 4 * static_cast<double>(find_shape("tiny").parameter_count());
  const double attention_operations = 4 * 102.0 * 2 * 4.0 * 256;
  EXPECT_DOUBLE_EQ(decode.work.operations(), linear_operations + attention_operations);
}

TEST(Throughput, StopsRepeatingWhenTimeIsUp) {
  Loaded loaded(made("tiny", {}));
  const Result result = measure_case(subject(loaded, backend::KvType::f16),
                                     {.phase = Phase::decode, .tokens = 1},
                                     {.repetitions = 1000000, .seconds = 0.0}, nullptr);
  EXPECT_LT(result.repetitions, 1000);
  EXPECT_GE(result.repetitions, 1);
}

}  // namespace
}  // namespace bittern::bench
