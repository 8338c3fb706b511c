// bittern run and batch with LoRA adapters of the example model, made here: A is all ones, B all
// one value, so that the delta is that value times the sum of the input.
#include <gtest/gtest.h>

#include <bit>
#include <fstream>

#include "base/json_write.h"
#include "cli/program_support.h"

namespace bittern::test {
namespace {

constexpr int64_t kHidden = 256;

// A PEFT folder with one module.
std::string adapter(const TemporaryFolder& folder, const std::string& name, float value) {
  const std::string module = "base_model.model.model.layers.0.self_attn.o_proj.lora_";
  const JsonBuilder header = {
      {module + "A.weight",
       {{"dtype", "F32"}, {"shape", {1, kHidden}}, {"data_offsets", {0, kHidden * 4}}}},
      {module + "B.weight",
       {{"dtype", "F32"}, {"shape", {kHidden, 1}}, {"data_offsets", {kHidden * 4, kHidden * 8}}}}};
  const std::string text = to_text(header);
  std::string file;
  for (size_t byte = 0; byte < 8; ++byte)
    file += static_cast<char>(text.size() >> (8 * byte) & 0xff);
  file += text;
  for (const float number : {1.0f, value}) {
    const auto bytes = std::bit_cast<std::array<char, 4>>(number);
    for (int64_t place = 0; place < kHidden; ++place) file.append(bytes.data(), bytes.size());
  }
  folder.write(name + "/adapter_model.safetensors", file);
  folder.write(name + "/adapter_config.json",
               R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["o_proj"]})");
  return (folder.path() / name).string();
}

std::string text_with(const std::vector<std::string>& flags) {
  std::vector<std::string> words = {
      "run", example_model(), "Once upon a time", "--seed", "3", "--temp", "0", "-n", "24"};
  words.insert(words.end(), flags.begin(), flags.end());
  const Finished finished = run_program(words);
  EXPECT_EQ(finished.status, 0) << finished.err;
  return finished.out;
}

TEST(RunLora, AnAdapterChangesTheTextAndItsScaleSaysHowMuch) {
  const TemporaryFolder folder;
  const std::string one = adapter(folder, "one", 0.5f), back = adapter(folder, "back", -0.5f);
  const std::string plain = text_with({});
  const std::string with = text_with({"--lora", one});
  EXPECT_NE(with, plain);
  EXPECT_EQ(text_with({"--lora-scaled", one + ":1"}), with);
  EXPECT_EQ(text_with({"--lora-scaled", one + ":0"}), plain);
  EXPECT_EQ(text_with({"--lora-scaled", back + ":-1"}), with);
  EXPECT_EQ(text_with({"--lora", one, "--threads", "3"}), with);
}

TEST(RunLora, ABatchAnswersWithIt) {
  const TemporaryFolder folder;
  const std::string one = adapter(folder, "one", 0.5f);
  const auto in = folder.write(
      "in.jsonl",
      R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":{"model":"m","prompt":"Once upon a time","temperature":0,"max_tokens":24}})"
      "\n");
  const auto answer = [&](const std::string& out, const std::vector<std::string>& flags) {
    std::vector<std::string> words = {"batch", example_model(), in.string(),
                                      (folder.path() / out).string()};
    words.insert(words.end(), flags.begin(), flags.end());
    EXPECT_EQ(run_program(words).status, 0);
    std::ifstream file(folder.path() / out);
    std::string line;
    std::getline(file, line);
    return JsonBuilder::parse(line)["response"]["body"]["choices"][0]["text"].get<std::string>();
  };
  const std::string plain = answer("plain.jsonl", {});
  const std::string with = answer("with.jsonl", {"--lora", one});
  EXPECT_NE(with, plain);
  EXPECT_EQ(with + "\n", text_with({"--lora", one}));
}

}  // namespace
}  // namespace bittern::test
