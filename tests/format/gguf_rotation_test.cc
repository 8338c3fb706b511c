// The rotation contract: the keys of a file as they are published, and every way to break them.
#include <gtest/gtest.h>

#include <functional>

#include "format/gguf/reader.h"
#include "format/gguf/writer.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format::gguf {
namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<int32_t>;

// Two weights of 8 and 16 columns in blocks of 4, as the published file has them: "explicit".
Metadata contract() {
  Metadata keys;
  keys.set("general.architecture", value_of("qwen3"));
  keys.set("prism.hadamard.version", value_of(uint32_t{1}));
  keys.set("prism.hadamard.block_size", value_of(uint32_t{4}));
  keys.set("prism.hadamard.transform", value_of("normalized-sylvester-walsh-hadamard"));
  keys.set("prism.hadamard.axis", value_of("input-last-dimension"));
  keys.set("prism.hadamard.sign_mode", value_of("explicit"));
  keys.set("prism.hadamard.sign_widths", value_of(Integers{8, 16}));
  Integers signs(24, 1);
  signs[1] = signs[8] = -1;
  keys.set("prism.hadamard.sign_values", value_of(std::move(signs)));
  keys.set("prism.hadamard.weight_names", value_of(Strings{"up", "down"}));
  keys.set("prism.hadamard.inverse_weight_names", value_of(Strings{"embed"}));
  return keys;
}

class GgufRotation : public ::testing::Test {
 protected:
  Checkpoint opened(const Metadata& keys) {
    const auto path = folder_.path() / "rotated.gguf";
    const std::vector<TensorPlan> plan = {{"embed", codec::Id::f32, {2, 8}},
                                          {"up", codec::Id::f32, {16, 8}},
                                          {"down", codec::Id::f32, {8, 16}},
                                          {"odd", codec::Id::f32, {8, 6}}};
    Writer writer(path, keys, plan);
    for (const TensorPlan& tensor : plan)
      writer.write(std::vector<std::byte>(static_cast<size_t>(data_bytes(tensor))));
    writer.finish();
    return open(path);
  }
  // What opening says of a file with one key changed, behind the file's name.
  std::string refusal(const std::string& key, MetadataValue value) {
    Metadata keys = contract();
    keys.set("prism.hadamard." + key, std::move(value));
    const std::string message = test::message_of([&] { opened(keys); });
    const size_t name = message.find("rotated.gguf: ");
    return name == std::string::npos ? message : message.substr(name + 14);
  }
  test::TemporaryFolder folder_;
};

TEST_F(GgufRotation, IsNotThereInOrdinaryFiles) {
  Metadata keys;
  keys.set("general.architecture", value_of("qwen3"));
  EXPECT_EQ(opened(keys).rotation, std::nullopt);
}

TEST_F(GgufRotation, OfThePublishedKeys) {
  const Checkpoint file = opened(contract());
  ASSERT_TRUE(file.rotation.has_value());
  const Rotation& rotation = *file.rotation;
  EXPECT_EQ(rotation.block_size, 4);
  EXPECT_EQ(rotation.weights, (Strings{"up", "down"}));
  EXPECT_EQ(rotation.inverse_weights, Strings{"embed"});
  EXPECT_FALSE(rotation.grouped_value_heads);
  ASSERT_NE(rotation.signs_of(8), nullptr);
  EXPECT_EQ(rotation.signs_of(8)->values, (std::vector<int8_t>{1, -1, 1, 1, 1, 1, 1, 1}));
  ASSERT_NE(rotation.signs_of(16), nullptr);
  EXPECT_EQ(rotation.signs_of(16)->values[0], -1);
  EXPECT_EQ(rotation.signs_of(16)->values.size(), 16u);
  EXPECT_EQ(rotation.signs_of(24), nullptr);
}

TEST_F(GgufRotation, WithoutSigns) {
  Metadata keys = contract();
  keys.set("prism.hadamard.sign_mode", value_of("identity"));
  keys.set("prism.hadamard.sign_widths", value_of(Integers{}));
  keys.set("prism.hadamard.sign_values", value_of(Integers{}));
  keys.set("prism.hadamard.gdn_v_grouped", value_of(true));
  const Checkpoint file = opened(keys);
  ASSERT_TRUE(file.rotation.has_value());
  EXPECT_TRUE(file.rotation->signs.empty());
  EXPECT_TRUE(file.rotation->grouped_value_heads);
}

TEST_F(GgufRotation, WhatIsNotUnderstood) {
  EXPECT_EQ(refusal("version", value_of(uint32_t{2})), "prism.hadamard.version: 1 expected, got 2");
  EXPECT_EQ(refusal("transform", value_of("fourier")),
            "prism.hadamard.transform: 'normalized-sylvester-walsh-hadamard' expected, got "
            "'fourier'");
  EXPECT_EQ(refusal("axis", value_of("output")),
            "prism.hadamard.axis: 'input-last-dimension' expected, got 'output'");
  EXPECT_EQ(refusal("sign_mode", value_of("random")),
            "prism.hadamard.sign_mode: 'identity' or 'explicit' expected, got 'random'");
  EXPECT_EQ(refusal("scale", value_of(1.0f)),
            "prism.hadamard.scale: an unknown key that may change the meaning of the weights");
  Metadata keys;
  keys.set("prism.hadamard.block_size", value_of(uint32_t{4}));
  EXPECT_NE(test::message_of([&] { opened(keys); }).find("version: an integer expected, got none"),
            std::string::npos);
}

TEST_F(GgufRotation, WhatContradictsItself) {
  EXPECT_EQ(refusal("block_size", value_of(uint32_t{6})),
            "prism.hadamard.block_size: a power of two from 2 to 1048576 expected, got 6");
  EXPECT_EQ(refusal("block_size", value_of(uint32_t{16})),
            "tensor 'up': columns in blocks of 16 expected by its rotation, got 8");
  EXPECT_EQ(refusal("sign_widths", value_of(Integers{8, 8})),
            "prism.hadamard.sign_widths: distinct widths that add up to 24 expected, got 8, 8");
  EXPECT_EQ(refusal("sign_widths", value_of(Integers{8, 17})),
            "prism.hadamard.sign_widths: distinct widths that add up to 24 expected, got 8, 17");
  EXPECT_EQ(refusal("sign_widths", value_of(Integers{8, -16})),
            "prism.hadamard.sign_widths: distinct widths that add up to 24 expected, got 8, -16");
  EXPECT_EQ(refusal("sign_widths", value_of(Integers{8})),
            "prism.hadamard.sign_values: 8 signs expected by the widths, got 24");
  EXPECT_EQ(refusal("sign_widths", value_of(Integers{4, 20})),
            "prism.hadamard.sign_widths: signs for the 8 columns of tensor 'up' expected, got "
            "none");
  EXPECT_EQ(refusal("sign_values", value_of(Integers(24, 0))),
            "prism.hadamard.sign_values: 1 or -1 expected, got 0");
  EXPECT_EQ(refusal("sign_mode", value_of("identity")),
            "prism.hadamard.sign_values: no signs expected with 'identity', got some");
  EXPECT_EQ(refusal("weight_names", value_of(Strings{})),
            "prism.hadamard.weight_names: at least one tensor expected, got none");
  EXPECT_EQ(refusal("weight_names", value_of(Strings{"up", "up"})),
            "prism.hadamard.weight_names: unique names expected, got 'up' twice");
  EXPECT_EQ(refusal("weight_names", value_of(Strings{"gate"})),
            "prism.hadamard.weight_names: a tensor of the file expected, got 'gate'");
  EXPECT_EQ(refusal("weight_names", value_of(Strings{"odd"})),
            "tensor 'odd': columns in blocks of 4 expected by its rotation, got 6");
}

}  // namespace
}  // namespace bittern::format::gguf
