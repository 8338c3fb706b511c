// Model::load as callers use it: plan, weights, tokenizer where there is one, generation defaults.
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "model/golden.h"

namespace bittern::test {
namespace {

format::Checkpoint with_generation(const std::string& json) {
  format::Checkpoint checkpoint = open_case("bitnet_packed");
  checkpoint.generation_config = json::Document::parse(json, "generation_config.json");
  return checkpoint;
}

TEST(Load, AModelWithoutVocabularyRunsByTokenIdsAndSaysWhy) {
  Cpu cpu;
  const auto model =
      model::Model::load(open_case("bitnet_packed"), *cpu, {.plan = {.max_rows = 4}});
  EXPECT_EQ(model->tokenizer, nullptr);
  EXPECT_NE(model->no_tokenizer_reason.find("bitnet_packed"), std::string::npos);
  EXPECT_EQ(model->context, 64);
  EXPECT_GT(model->resident_weight_bytes(), 0);
  const Golden golden = read_golden("bitnet_packed/golden.bin");
  EXPECT_LE(relative_error(golden, Runner(*model, *cpu).run(golden.ids)), 1e-3);
}

TEST(Load, GenerationDefaultsAreWhatTheFileStates) {
  Cpu cpu;
  const auto model = model::Model::load(
      with_generation(R"({"temperature": 0.6, "top_k": 40, "do_sample": true, "top_p": null})"),
      *cpu);
  EXPECT_EQ(model->generation.temperature, 0.6);
  EXPECT_EQ(model->generation.top_k, 40);
  EXPECT_EQ(model->generation.do_sample, true);
  EXPECT_FALSE(model->generation.top_p.has_value());
  EXPECT_FALSE(model->generation.max_tokens.has_value());
}

TEST(Load, HostileGenerationDefaultsAreRefusedByName) {
  Cpu cpu;
  for (const char* json :
       {R"({"temperature": -1})", R"({"temperature": 1e999})", R"({"temperature": "hot"})"}) {
    try {
      model::Model::load(with_generation(json), *cpu);
      FAIL() << json;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << json;
      EXPECT_NE(error.message().find("generation_config.json"), std::string::npos)
          << error.message();
    }
  }
  EXPECT_THROW(model::Model::load(with_generation(R"({"top_k": -3})"), *cpu), Error);
}

TEST(Load, AContextBeyondTheModelIsAUsageError) {
  Cpu cpu;
  try {
    model::Model::load(open_case("llama"), *cpu, {.plan = {.context = 65}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find("64"), std::string::npos);
  }
}

}  // namespace
}  // namespace bittern::test
