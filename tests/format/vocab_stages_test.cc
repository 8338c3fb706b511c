// Each stage of tokenizer.json against what `tokenizers` makes of the same texts, read through the
// reader that users come through (tests/data/text/stages.json).
#include <gtest/gtest.h>

#include <set>

#include "base/json_write.h"
#include "format/format_support.h"
#include "format/vocab.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "throws.h"

namespace bittern::format {
namespace {

const JsonBuilder& golden() {
  static const JsonBuilder data = JsonBuilder::parse(
      test::read_file(std::filesystem::path(BITTERN_TEST_DATA) / "text" / "stages.json"));
  return data;
}

// The spec of a tokenizer.json that has one stage, around a model that does not matter.
text::VocabSpec spec_with(const std::string& part, const JsonBuilder& stage) {
  const JsonBuilder file = {
      {"version", "1.0"},
      {"model", {{"type", "WordLevel"}, {"vocab", {{"a", 0}}}, {"unk_token", "a"}}},
      {part, stage}};
  return vocab_from_tokenizer_json(*json::Document::parse(to_text(file), "stage.json"));
}

TEST(Stages, Normalizers) {
  std::set<text::NormalizerKind> seen;
  for (const JsonBuilder& row : golden()["normalizer"]) {
    const text::VocabSpec spec = spec_with("normalizer", row[0]);
    for (const text::NormalizerStep& step : spec.normalizers) seen.insert(step.kind);
    const text::Normalizer normalizer(spec);
    for (size_t i = 0; i < row[1].size(); ++i) {
      const auto text = golden()["texts"][2 * i].get<std::string>();
      EXPECT_EQ(normalizer.applied(text), row[1][i].get<std::string>())
          << to_text(row[0]) << " of '" << text << "'";
    }
  }
  EXPECT_EQ(seen.size(), 15u - 1);  // every kind but sentencepiece, which no tokenizer.json has
}

TEST(Stages, PreTokenizers) {
  std::set<text::PreTokenizerKind> seen;
  for (const JsonBuilder& row : golden()["pre_tokenizer"]) {
    const text::VocabSpec spec = spec_with("pre_tokenizer", row[0]);
    for (const text::PreTokenizerStep& step : spec.pre_tokenizers) seen.insert(step.kind);
    const text::PreTokenizer pre_tokenizer(spec);
    for (size_t i = 0; i < row[1].size(); ++i) {
      const auto text = golden()["texts"][4 * i].get<std::string>();
      const text::Pieces pieces = pre_tokenizer.apply(text, true);
      std::vector<std::string> got;
      for (const text::Pieces::Piece& piece : pieces.list) got.emplace_back(pieces.view(piece));
      EXPECT_EQ(got, row[1][i].get<std::vector<std::string>>())
          << to_text(row[0]) << " of '" << text << "'";
    }
  }
  EXPECT_EQ(seen.size(), 12u);
}

TEST(Stages, Decoders) {
  std::set<text::DecoderKind> seen;
  for (const JsonBuilder& row : golden()["decoder"]) {
    const text::VocabSpec spec = spec_with("decoder", row[0]);
    for (const text::DecoderStep& step : spec.decoders) seen.insert(step.kind);
    for (size_t i = 0; i < row[1].size(); ++i) {
      const auto tokens = golden()["tokens"][i].get<std::vector<std::string>>();
      text::DecodeChain chain(spec, {});
      std::string got;
      for (const std::string& token : tokens) got += chain.push(-1, token);
      got += chain.finish();
      EXPECT_EQ(got, row[1][i].get<std::string>())
          << to_text(row[0]) << " of " << to_text(golden()["tokens"][i]);
    }
  }
  EXPECT_EQ(seen.size(), 12u - 1);  // every kind but sentencepiece
}

TEST(Stages, WhatIsNotKnownIsNamed) {
  const auto message = [](const std::string& part, const JsonBuilder& stage) {
    return test::message_of([&] { spec_with(part, stage); });
  };
  EXPECT_EQ(message("normalizer", {{"type", "Sing"}}),
            "stage.json: normalizer: 'Sing' is not supported yet");
  EXPECT_EQ(message("pre_tokenizer", {{"type", "Sing"}}),
            "stage.json: pre_tokenizer: 'Sing' is not supported yet");
  EXPECT_EQ(message("decoder", {{"type", "Sing"}}),
            "stage.json: decoder: 'Sing' is not supported yet");
  EXPECT_EQ(message("post_processor", {{"type", "Sing"}}),
            "stage.json: post_processor: 'Sing' is not supported yet");
  EXPECT_EQ(message("normalizer", {{"type", "Prepend"}}),
            "stage.json: normalizer.prepend: expected, got none");
  EXPECT_EQ(message("pre_tokenizer", {{"type", "FixedLength"}, {"length", 0}}),
            "stage.json: pre_tokenizer.length: at least 1 expected, got 0");
  EXPECT_EQ(message("pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "ab"}}),
            "stage.json: pre_tokenizer.replacement: one character expected, got 'ab'");
  EXPECT_EQ(message("pre_tokenizer",
                    {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Mixed"}}),
            "stage.json: pre_tokenizer.behavior: 'Mixed' is not supported yet");
}

// Oniguruma's own words follow the pattern.
TEST(Stages, APatternThatIsNone) {
  const text::VocabSpec spec =
      spec_with("pre_tokenizer",
                {{"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}});
  EXPECT_TRUE(test::message_of([&] {
                text::PreTokenizer{spec};
              }).starts_with("stage.json: pattern '(a': "));
}

// A pattern that backtracks without end is stopped and named.
TEST(Stages, APatternThatWouldNeverEnd) {
  const text::VocabSpec spec = spec_with(
      "pre_tokenizer",
      {{"type", "Split"}, {"pattern", {{"Regex", "(a+a+)+$"}}}, {"behavior", "Isolated"}});
  const text::PreTokenizer pre_tokenizer(spec);
  const auto thrown =
      test::thrown_by([&] { pre_tokenizer.apply(std::string(60, 'a') + "b", true); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  EXPECT_TRUE(thrown->message.starts_with("stage.json: pattern '(a+a+)+$' on a text of 61 bytes: "))
      << thrown->message;
}

}  // namespace
}  // namespace bittern::format
