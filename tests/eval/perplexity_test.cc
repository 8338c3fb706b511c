// The perplexity protocol against numpy (tools/golden/perplexity.py) over a made-up model.
#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include "base/file_map.h"
#include "base/json.h"
#include "throws.h"

namespace bittern::eval {
namespace {

// The formula of tools/golden/perplexity.py, exact in float.
std::vector<float> made_up_logits(int64_t token, int64_t position, int64_t vocab_size) {
  std::vector<float> logits;
  for (int64_t v = 0; v < vocab_size; ++v)
    logits.push_back(
        static_cast<float>((31 * token + 17 * position + 7 * v + v * (token % 5)) % 97) / 8.0f -
        4.0f);
  return logits;
}

RunChunk made_up_model(int64_t vocab_size) {
  return [vocab_size](std::span<const int32_t> tokens, int64_t first_position,
                      const ScorePosition& score) {
    for (auto position = first_position; position < static_cast<int64_t>(tokens.size()); ++position)
      score(position,
            made_up_logits(tokens[static_cast<size_t>(position)], position, vocab_size).data());
  };
}

TEST(Perplexity, EqualsNumpy) {
  const std::string path = BITTERN_TEST_DATA "/eval/perplexity.json";
  const auto document = json::Document::parse(read_text_file(path, 1 << 20), path);
  const int64_t vocab_size = *document->root().get_integer("vocab_size");
  const auto cases = document->root().find("cases")->elements("cases");
  ASSERT_EQ(cases.size(), 6u);
  for (const json::Value& row : cases) {
    PerplexityOptions options;
    options.context = *row.get_integer("context");
    SCOPED_TRACE(options.context);
    options.chunk_limit = row.get_integer("chunk_limit");
    if (const auto token = row.get_integer("first_token"))
      options.first_token = static_cast<int32_t>(*token);
    std::vector<int32_t> tokens;
    for (const json::Value& token : row.find("tokens")->elements("tokens"))
      tokens.push_back(static_cast<int32_t>(token.as_integer("token")));
    const auto running = row.find("running")->elements("running");
    size_t chunks_seen = 0;
    const Perplexity result = measure_perplexity(
        tokens, vocab_size, options, made_up_model(vocab_size),
        [&](const Perplexity& so_far, int64_t count) {
          EXPECT_EQ(count, *row.get_integer("chunks"));
          ASSERT_LT(chunks_seen, running.size());
          EXPECT_NEAR(so_far.perplexity, running[chunks_seen++].as_number("running"), 1e-9);
        });
    EXPECT_EQ(chunks_seen, running.size());
    EXPECT_NEAR(result.perplexity, *row.get_number("perplexity"), 1e-9);
    EXPECT_NEAR(result.error, *row.get_number("error"), 1e-9);
    EXPECT_NEAR(result.mean_nll, *row.get_number("mean_nll"), 1e-12);
    EXPECT_EQ(result.scored_tokens, *row.get_integer("scored_tokens"));
    EXPECT_EQ(result.chunks, *row.get_integer("chunks"));
  }
}

TEST(Perplexity, NeedsTwoChunksOfText) {
  const std::vector<int32_t> tokens(15, 1);
  const auto thrown = test::thrown_by([&] {
    measure_perplexity(tokens, 50, {.context = 8, .chunk_limit = {}, .first_token = {}},
                       made_up_model(50), {});
  });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  EXPECT_EQ(thrown->message,
            "the text has 15 tokens, perplexity with --context 8 needs at least 16");
}

}  // namespace
}  // namespace bittern::eval
