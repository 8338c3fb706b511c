// Every number format through the program: models that independent programs wrote (and one that
// they measured) must have their perplexity here. tools/golden/codec_models.py says what they are.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/file_map.h"
#include "base/json.h"
#include "cli/program_support.h"
#include "codec/codec.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

const std::string kFolder = BITTERN_TEST_DATA "/codec/models/";

struct Expected {
  std::string model;
  double mean_nll = 0.0;
  std::set<std::string> types;
};

struct Goldens {
  std::string text;
  int64_t context = 0;
  std::vector<Expected> models;
};

Goldens read_goldens() {
  const auto document =
      json::Document::parse(read_text_file(kFolder + "expected.json", 1 << 20), "expected.json");
  const json::Value root = document->root();
  Goldens goldens;
  goldens.text = *root.get_string("text");
  goldens.context = *root.get_integer("context");
  for (const auto& [name, model] : root.get("models")->members("models")) {
    Expected expected{std::string(name), *model.get_number("mean_nll"), {}};
    for (const json::Value& type : model.get("types")->elements("types"))
      expected.types.insert(std::string(type.as_string("types")));
    goldens.models.push_back(std::move(expected));
  }
  return goldens;
}

std::string path_of(const std::string& model) {
  const std::string file = kFolder + model + ".gguf";
  return std::filesystem::exists(file) ? file : kFolder + model;
}

JsonBuilder evaluate(const Goldens& goldens, const std::string& model,
                     const std::vector<std::string>& more = {}) {
  const TemporaryFolder folder;
  const std::string text = folder.write("text.txt", goldens.text).string();
  std::vector<std::string> words = {"eval",      path_of(model), "perplexity",
                                    text,        "-c",           std::to_string(goldens.context),
                                    "--kv-type", "f32",          "--json"};
  words.insert(words.end(), more.begin(), more.end());
  return json_of(run_program(words));
}

// The orders of I2_S that no file tells.
std::vector<std::string> flags_of(const std::string& model) {
  if (model == "i2_s_rows4") return {"--gguf-dialect", "bitnet-rows4"};
  if (model == "i2_s_arm") return {"--gguf-dialect", "bitnet-arm"};
  return {};
}

// Exactly with f32 activations, nearly with those that the formats want.
TEST(CodecModels, HaveThePerplexityOfTheReference) {
  const Goldens goldens = read_goldens();
  ASSERT_EQ(goldens.models.size(), 11u);
  for (const Expected& expected : goldens.models) {
    for (const char* activations : {"f32", "native"}) {
      std::vector<std::string> flags = flags_of(expected.model);
      flags.insert(flags.end(), {"--activations", activations});
      const JsonBuilder json = evaluate(goldens, expected.model, flags);
      const bool exact = std::string_view(activations) == "f32";
      EXPECT_EQ(json["scored_tokens"], 45) << expected.model;
      EXPECT_NEAR(json["mean_nll"].get<double>(), expected.mean_nll, exact ? 1e-6 : 0.1)
          << expected.model << ", " << activations;
    }
  }
}

// Three files of one model, in three orders: the same numbers to the last bit; and an order that
// is not the file's gives others.
TEST(CodecModels, TheOrdersOfI2SAreOneModel) {
  const Goldens goldens = read_goldens();
  const JsonBuilder common = evaluate(goldens, "i2_s");
  for (const char* model : {"i2_s_rows4", "i2_s_arm"}) {
    EXPECT_EQ(evaluate(goldens, model, flags_of(model))["mean_nll"], common["mean_nll"]) << model;
    EXPECT_NE(evaluate(goldens, model)["mean_nll"], common["mean_nll"]) << model;
  }
}

TEST(CodecModels, ShowNamesTheirTypes) {
  for (const Expected& expected : read_goldens().models) {
    std::vector<std::string> words = {"show", path_of(expected.model), "--json"};
    for (const std::string& flag : flags_of(expected.model)) words.push_back(flag);
    std::set<std::string> shown;
    const JsonBuilder json = json_of(run_program(words));
    for (const JsonBuilder& type : json["types"])
      shown.insert(type["type"].get<std::string>() == "PQ2_0" && expected.model == "prism_legacy"
                       ? "Q2_0_g128"
                       : type["type"].get<std::string>());
    EXPECT_EQ(shown, expected.types) << expected.model;
  }
}

// A codec without a model here is one that nobody has seen work.
TEST(CodecModels, EveryFormatForWeightsIsInOne) {
  std::set<std::string> seen = {"HF_TERNARY"};  // tests/model: bitnet_packed and others
  for (const Expected& expected : read_goldens().models)
    seen.insert(expected.types.begin(), expected.types.end());
  for (const codec::Codec& codec : codec::table()) {
    if (codec.real) {
      EXPECT_TRUE(seen.contains(std::string(codec.name))) << codec.name;
    }
  }
}

}  // namespace
}  // namespace bittern::test
