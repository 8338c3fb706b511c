// bittern embed against sentence-transformers (tests/data/models/bert/sentences.json, made by
// tools/golden/make_sentences.py), and what it refuses.
#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "base/file_map.h"
#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;
using Vectors = std::vector<std::vector<double>>;

std::string encoder() { return std::string(BITTERN_TEST_DATA) + "/models/bert"; }

JsonBuilder golden() {
  return JsonBuilder::parse(read_text_file(encoder() + "/sentences.json", 1 << 20));
}

// The reference multiplies in f32, whatever the weights are.
Words command(const Words& more) {
  Words words{"embed", encoder(), "--activations", "f32"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Vectors embeddings_of(const JsonBuilder& document) {
  Vectors vectors;
  for (const JsonBuilder& row : document["texts"])
    vectors.push_back(row["embedding"].get<std::vector<double>>());
  return vectors;
}

void expect_near(const Vectors& ours, const Vectors& theirs) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t text = 0; text < ours.size(); ++text) {
    ASSERT_EQ(ours[text].size(), theirs[text].size());
    for (size_t i = 0; i < ours[text].size(); ++i)
      ASSERT_NEAR(ours[text][i], theirs[text][i], 2e-6) << "text " << text << ", " << i;
  }
}

TEST(Embed, EveryPoolingEqualsSentenceTransformers) {
  const JsonBuilder expected = golden();
  const auto texts = expected["texts"].get<Words>();
  for (const std::string pooling : {"mean", "cls", "last"}) {
    Words words = texts;
    words.insert(words.end(), {"--json", "--pooling", pooling});
    const JsonBuilder document = json_of(run_program(command(words)));
    EXPECT_EQ(document["pooling"], pooling);
    EXPECT_EQ(document["dimensions"], 32);
    EXPECT_EQ(document["max_tokens"], 24);  // sentence_bert_config.json
    expect_near(embeddings_of(document), expected[pooling].get<Vectors>());
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(document["texts"][i]["text"], texts[i]);
      EXPECT_EQ(document["texts"][i]["tokens"], expected["ids"][i].size());
    }
  }
}

// The folder says mean; a line of standard input or of a file is a text, and a line of output too.
TEST(Embed, LinesInAndOutWithTheFoldersPooling) {
  const TemporaryFolder folder;
  const JsonBuilder expected = golden();
  std::string lines;
  for (const JsonBuilder& text : expected["texts"]) lines += text.get<std::string>() + "\n";
  const Finished piped = run_program(command({}), lines);
  ASSERT_EQ(piped.status, 0) << piped.err;
  Vectors ours;
  std::istringstream rows(piped.out);
  for (std::string row; std::getline(rows, row);) {
    std::istringstream numbers(row);
    ours.emplace_back(std::istream_iterator<double>(numbers), std::istream_iterator<double>());
  }
  expect_near(ours, expected["mean"].get<Vectors>());
  const std::string file = folder.write("texts.txt", lines).string();
  EXPECT_EQ(run_program(command({"-f", file})).out, piped.out);
  EXPECT_EQ(run_program(command({"-"}), lines).out, piped.out);
}

TEST(Embed, ATextThatIsTooLongIsNamedOrCut) {
  const JsonBuilder expected = golden();
  const std::string text = expected["long"];
  const Finished refused = run_program(command({"short", text}));
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.out, "");
  EXPECT_NE(refused.err.find("text 2 has"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("at most 24 expected"), std::string::npos) << refused.err;
  // [CLS] and [SEP] stay.
  for (const std::string pooling : {"mean", "last"}) {
    const JsonBuilder document =
        json_of(run_program(command({text, "--truncate", "--json", "--pooling", pooling})));
    EXPECT_EQ(document["texts"][0]["tokens"], 24);
    expect_near(embeddings_of(document), {expected[pooling + "_long"].get<std::vector<double>>()});
  }
  // The flag overrides what the folder says, up to the model's own 64 positions.
  EXPECT_EQ(run_program(command({text, "--context", "64"})).status, 0);
  EXPECT_EQ(run_program(command({text, "--context", "65"})).status, 2);
}

TEST(Embed, SimilaritiesAreCosines) {
  const JsonBuilder expected = golden();
  Words words = expected["texts"].get<Words>();
  words.insert(words.end(), {"--similarity", "--json"});
  const JsonBuilder document = json_of(run_program(command(words)));
  const auto vectors = expected["mean"].get<Vectors>();
  for (size_t i = 0; i < vectors.size(); ++i) {
    EXPECT_FALSE(document["texts"][i].contains("embedding"));
    for (size_t j = 0; j < vectors.size(); ++j) {
      double sum = 0;
      for (size_t k = 0; k < vectors[i].size(); ++k) sum += vectors[i][k] * vectors[j][k];
      EXPECT_NEAR(document["similarities"][i][j].get<double>(), sum, 5e-6) << i << ", " << j;
    }
  }
}

TEST(Embed, ACausalModelIsAskedForItsPooling) {
  const Finished refused = run_program({"embed", example_model(), "x"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("--pooling last"), std::string::npos) << refused.err;
  const JsonBuilder document =
      json_of(run_program({"embed", example_model(), "a bird", "--pooling", "last", "--json"}));
  const Vectors vectors = embeddings_of(document);
  double squares = 0;
  for (const double value : vectors[0]) squares += value * value;
  EXPECT_NEAR(squares, 1.0, 1e-6);
}

TEST(Embed, AnEncoderPredictsNoText) {
  for (const char* verb : {"run", "bench"}) {
    Words words{verb, encoder()};
    if (std::string(verb) == "run") words.push_back("x");
    const Finished refused = run_program(words);
    EXPECT_NE(refused.status, 0) << verb;
    EXPECT_NE(refused.err.find("bittern embed"), std::string::npos) << refused.err;
  }
}

TEST(Embed, NeedsATextGivenOnce) {
  EXPECT_EQ(run_program(command({}), "").status, 2);
  EXPECT_EQ(run_program(command({"x", "-f", "y"})).status, 2);
}

}  // namespace
}  // namespace bittern::test
