// The embedder's poolings against the hidden states themselves, and what a model's files may say
// about pooling.
#include "engine/embedder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "kernel/select.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::engine {
namespace {

using test::TemporaryFolder;

class EmbedderTest : public testing::Test {
 protected:
  explicit EmbedderTest(const char* path = BITTERN_SOURCE "/models/bittern-stories.gguf")
      : backend_(backend::make_cpu_backend(pool_, kernel::select(Log(Log::Level::quiet)))),
        model_(model::Model::load(format::open_checkpoint(path), *backend_)) {
    for (int32_t place = 0; place < 24; ++place) tokens_.push_back(1 + place * 7 % 50);
  }

  Embedder embedder(Pooling pooling, int64_t max_tokens = 64) {
    return {*model_, *backend_, {.pooling = pooling, .max_tokens = max_tokens}};
  }
  static double length(const std::vector<float>& vector) {
    return std::sqrt(similarity(vector, vector));
  }

  ThreadPool pool_{2};
  std::unique_ptr<backend::Backend> backend_;
  std::unique_ptr<model::Model> model_;
  std::vector<int32_t> tokens_;
};

TEST_F(EmbedderTest, VectorsHaveLengthOneAndFollowTheirPooling) {
  std::vector<std::vector<float>> vectors;
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::last}) {
    Embedder one = embedder(pooling);
    vectors.push_back(one.embed(tokens_));
    EXPECT_NEAR(length(vectors.back()), 1.0, 1e-6);
    EXPECT_EQ(one.embed(tokens_), vectors.back()) << "again";
  }
  EXPECT_NE(vectors[0], vectors[1]);
  EXPECT_NE(vectors[1], vectors[2]);
  // The first state of a causal model sees nothing after it; of one token all poolings are one.
  const std::span<const int32_t> first = std::span(tokens_).first(1);
  EXPECT_EQ(embedder(Pooling::mean).embed(first), vectors[1]);
  EXPECT_EQ(embedder(Pooling::last).embed(first), vectors[1]);
}

TEST_F(EmbedderTest, ALongTextInStepsIsTheTextInOne) {
  const int64_t most = model_->context;
  ASSERT_GE(most, 512);
  std::vector<int32_t> text;
  for (int64_t place = 0; place < most; ++place)
    text.push_back(static_cast<int32_t>(1 + place * 13 % 900));
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::last}) {
    Embedder whole = embedder(pooling, most);
    const std::vector<float> vector = whole.embed(text);
    EXPECT_NEAR(length(vector), 1.0, 1e-6);
    // Less room means smaller steps.
    Embedder small = embedder(pooling, 100);
    const std::span<const int32_t> part = std::span(text).first(100);
    EXPECT_EQ(small.embed(part), whole.embed(part));
  }
}

// What sentence-transformers' files say.
EmbeddingDefaults defaults_of(const TemporaryFolder& folder, backend::Mask mask) {
  format::Checkpoint checkpoint;
  checkpoint.container = format::Container::hf_folder;
  checkpoint.path = folder.path();
  model::Config config;
  config.mask = mask;
  return embedding_defaults(checkpoint, config);
}

template <typename Body>
void expect_error(ErrorKind kind, const std::string& part, const Body& body) {
  const auto thrown = test::thrown_by(body);
  ASSERT_TRUE(thrown) << part;
  EXPECT_EQ(thrown->kind, kind) << thrown->message;
  EXPECT_NE(thrown->message.find(part), std::string::npos) << thrown->message;
}

constexpr const char* kModules = R"([
  {"type": "sentence_transformers.models.Transformer", "path": ""},
  {"type": "sentence_transformers.models.Pooling", "path": "pool"},
  {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}])";

TEST(EmbeddingDefaults, OfAFolder) {
  const auto bidirectional = backend::Mask::bidirectional;
  {
    const TemporaryFolder folder;
    EXPECT_EQ(defaults_of(folder, bidirectional).pooling, Pooling::mean);
    EXPECT_EQ(defaults_of(folder, backend::Mask::causal).pooling, std::nullopt);
    EXPECT_EQ(defaults_of(folder, bidirectional).max_tokens, std::nullopt);
    folder.write("sentence_bert_config.json", R"({"max_seq_length": 77})");
    EXPECT_EQ(defaults_of(folder, bidirectional).max_tokens, 77);
    folder.write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
    EXPECT_EQ(defaults_of(folder, bidirectional).pooling, Pooling::cls);
    folder.write("modules.json", kModules);
    folder.write("pool/config.json",
                 R"({"pooling_mode_cls_token": false, "pooling_mode_lasttoken": true})");
    EXPECT_EQ(defaults_of(folder, backend::Mask::causal).pooling, Pooling::last);
    folder.write("pool/config.json", R"({"pooling_mode": "mean"})");
    EXPECT_EQ(defaults_of(folder, backend::Mask::causal).pooling, Pooling::mean);
  }
}

TEST(EmbeddingDefaults, RefuseWhatIsNotComputed) {
  const TemporaryFolder folder;
  const auto pooling = [&](const std::string& text) {
    folder.write("1_Pooling/config.json", text);
    defaults_of(folder, backend::Mask::bidirectional);
  };
  expect_error(ErrorKind::unsupported, "pooling_mode_max_tokens",
               [&] { pooling(R"({"pooling_mode_max_tokens": true})"); });
  expect_error(ErrorKind::unsupported, "one pooling mode", [&] {
    pooling(R"({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true})");
  });
  expect_error(ErrorKind::bad_input, "none is true", [&] { pooling("{}"); });
  expect_error(ErrorKind::unsupported, "weightedmean",
               [&] { pooling(R"({"pooling_mode": "weightedmean"})"); });
  pooling(R"({"pooling_mode_mean_tokens": true})");
  folder.write("modules.json",
               R"([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}])");
  expect_error(ErrorKind::unsupported, "models.Dense",
               [&] { defaults_of(folder, backend::Mask::bidirectional); });
  folder.write("modules.json",
               R"([{"type": "sentence_transformers.models.Pooling", "path": "../../etc"}])");
  expect_error(ErrorKind::bad_input, "name of a folder",
               [&] { defaults_of(folder, backend::Mask::bidirectional); });
}

TEST(EmbeddingDefaults, OfGguf) {
  format::Checkpoint checkpoint;
  checkpoint.container = format::Container::gguf;
  model::Config config;
  config.architecture = "bert";
  const auto with = [&](uint32_t type) {
    checkpoint.metadata.set("bert.pooling_type", format::value_of(type));
    return embedding_defaults(checkpoint, config).pooling;
  };
  EXPECT_EQ(embedding_defaults(checkpoint, config).pooling, std::nullopt);
  EXPECT_EQ(with(0), std::nullopt);
  EXPECT_EQ(with(1), Pooling::mean);
  EXPECT_EQ(with(2), Pooling::cls);
  EXPECT_EQ(with(3), Pooling::last);
  expect_error(ErrorKind::unsupported, "bert.pooling_type", [&] { with(4); });
}

}  // namespace
}  // namespace bittern::engine
