// Embeddings through the C API, as `bittern embed` has them.
#include <string>

#include "api/api_support.h"
#include "cli/program_support.h"

namespace bittern::test {
namespace {

const std::string kEncoder = BITTERN_TEST_DATA "/models/bert";
const std::string kText = "The little bird sat.";

bittern_embed_options embed_options(int32_t pooling = BITTERN_POOLING_MODEL, int32_t cut = 0) {
  bittern_embed_options options;
  EXPECT_EQ(bittern_embed_options_init(&options, sizeof options), BITTERN_OK);
  options.pooling = pooling;
  options.truncate = cut;
  return options;
}

std::vector<float> embed(bittern_model* model, const std::string& text,
                         const bittern_embed_options& options = embed_options()) {
  std::vector<float> vector(static_cast<size_t>(info_of(model).embedding_size));
  size_t count = 0;
  EXPECT_EQ(outcome(bittern_embed(model, text.data(), text.size(), &options, vector.data(),
                                  vector.size(), &count)),
            "ok");
  EXPECT_EQ(count, vector.size());
  return vector;
}

std::string refused(bittern_model* model, const std::string& text,
                    const bittern_embed_options& options) {
  std::vector<float> vector(1 << 12);
  size_t count = 0;
  return outcome(bittern_embed(model, text.data(), text.size(), &options, vector.data(),
                               vector.size(), &count));
}

std::vector<float> program_vector(std::vector<std::string> words) {
  words.insert(words.begin(), "embed");
  words.emplace_back("--json");
  return json_of(run_program(words))["texts"][0]["embedding"];
}

TEST(ApiEmbed, AnEncoderEmbedsAsItsFilesSay) {
  const ModelHandle model = load(kEncoder);
  EXPECT_EQ(info_of(model.get()).can_generate, 0);
  EXPECT_EQ(info_of(model.get()).has_pooling, 1);
  EXPECT_EQ(embed(model.get(), kText), program_vector({kEncoder, kText}));
  EXPECT_EQ(embed(model.get(), kText, embed_options(BITTERN_POOLING_CLS)),
            program_vector({kEncoder, kText, "--pooling", "cls"}));
  std::string text;
  for (int i = 0; i < 60; ++i) text += kText;
  EXPECT_EQ(embed(model.get(), text, embed_options(BITTERN_POOLING_MODEL, 1)),
            program_vector({kEncoder, text, "--truncate"}));
  EXPECT_EQ(refused(model.get(), text, embed_options()).substr(0, 8), "2: text:");
}

TEST(ApiEmbed, AnEncoderMakesNoText) {
  const ModelHandle model = load(kEncoder);
  const bittern_generate_options options = generate_options(nullptr);
  EXPECT_EQ(outcome(bittern_generate(model.get(), &options, nullptr, nullptr)).substr(0, 2), "5:");
  bittern_generate_options constrained = options;
  constrained.json_object = 1;
  EXPECT_EQ(outcome(bittern_generate(model.get(), &constrained, nullptr, nullptr)).substr(0, 2),
            "5:");
  bittern_sequence* sequence = nullptr;
  EXPECT_EQ(outcome(bittern_sequence_new(model.get(), 0, &sequence)).substr(0, 2), "5:");
  EXPECT_FALSE(tokenize(model.get(), kText).empty());
  bittern_stats stats;
  EXPECT_EQ(bittern_model_get_stats(model.get(), &stats, sizeof stats), BITTERN_OK);
}

TEST(ApiEmbed, AModelOfTextsEmbedsAsItIsTold) {
  const ModelHandle model = load_example();
  const std::vector<std::pair<int32_t, std::string>> poolings = {
      {BITTERN_POOLING_MEAN, "mean"}, {BITTERN_POOLING_LAST, "last"}, {BITTERN_POOLING_CLS, "cls"}};
  for (const auto& [pooling, name] : poolings)
    EXPECT_EQ(embed(model.get(), kText, embed_options(pooling)),
              program_vector({example_model(), kText, "--pooling", name}));
  // Longer than what the embedder had room for at first.
  std::string text;
  for (int i = 0; i < 70; ++i) text += kText;
  EXPECT_EQ(embed(model.get(), text, embed_options(BITTERN_POOLING_LAST)),
            program_vector({example_model(), text, "--pooling", "last"}));
  EXPECT_EQ(refused(model.get(), kText, embed_options()).substr(0, 11), "2: pooling:");
}

TEST(ApiEmbed, BadArgumentsAreNamed) {
  const ModelHandle model = load(kEncoder);
  size_t count = 0;
  float few[2] = {};
  EXPECT_EQ(outcome(bittern_embed(model.get(), "a", 1, nullptr, nullptr, 0, &count)), "ok");
  EXPECT_EQ(static_cast<int64_t>(count), info_of(model.get()).embedding_size);
  EXPECT_EQ(outcome(bittern_embed(model.get(), "a", 1, nullptr, few, 2, &count)).substr(0, 23),
            "2: capacity: at least 3");
  EXPECT_EQ(outcome(bittern_embed(model.get(), "a", 1, nullptr, few, 2, nullptr)),
            "2: count: a pointer expected, got NULL");
  EXPECT_EQ(bittern_embed(nullptr, "a", 1, nullptr, few, 2, &count), BITTERN_ERROR_USAGE);
  EXPECT_EQ(refused(model.get(), "a", embed_options(9)), "2: pooling: 0 to 3 expected, got 9");
}

}  // namespace
}  // namespace bittern::test
