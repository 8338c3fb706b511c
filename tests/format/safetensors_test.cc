// SafeTensors: files of the reference package read by value, every rejection, and writing.
#include <gtest/gtest.h>

#include "base/checked_math.h"
#include "format/format_support.h"
#include "format/safetensors/header.h"
#include "format/safetensors/reader.h"
#include "format/safetensors/shards.h"
#include "format/safetensors/writer.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format::safetensors {
namespace {

using test::golden;
using test::tensor_of;
using test::values_of;

std::string file_of(const std::string& header, size_t data_bytes = 0) {
  std::string length(8, '\0');
  store(reinterpret_cast<std::byte*>(length.data()), static_cast<uint64_t>(header.size()));
  return length + header + std::string(data_bytes, '\x11');
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"t":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape,
                     offsets);
}

TEST(Safetensors, TensorsByValue) {
  const Checkpoint file = open_checkpoint(golden("plain.safetensors"));
  EXPECT_EQ(file.container, Container::safetensors);
  EXPECT_EQ(file.dialect, "safetensors");
  EXPECT_EQ(file.safetensors_metadata.at("format"), "pt");
  ASSERT_EQ(file.tensors.size(), 11u);
  const TensorView& bf16 = tensor_of(file, "b.bf16");
  EXPECT_EQ(bf16.codec, codec::Id::bf16);
  EXPECT_EQ(bf16.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(values_of(bf16), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(values_of(tensor_of(file, "a.f32")), (std::vector<float>{0, 0.25f, 0.5f, 0.75f}));
  EXPECT_EQ(values_of(tensor_of(file, "c.f16")), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(tensor_of(file, "d.u8").codec, codec::Id::u8);
  EXPECT_EQ(values_of(tensor_of(file, "d.u8")), (std::vector<float>{0, 1, 2, 3, 4}));
  EXPECT_EQ(values_of(tensor_of(file, "e.i8")), (std::vector<float>{-2, -1, 0, 1, 2}));
  EXPECT_EQ(load<int64_t>(tensor_of(file, "f.i64").bytes.data()), int64_t{1} << 40);
  EXPECT_EQ(values_of(tensor_of(file, "g.i16")), (std::vector<float>{300, -300}));
  EXPECT_EQ(values_of(tensor_of(file, "h.i32")), (std::vector<float>{70000, -70000}));
  EXPECT_EQ(tensor_of(file, "scalar").shape, std::vector<int64_t>{});
  EXPECT_EQ(values_of(tensor_of(file, "scalar")), std::vector<float>{2.5f});
  EXPECT_EQ(tensor_of(file, "empty").shape, (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(values_of(tensor_of(file, "quote\"\né")), std::vector<float>{1});
}

TEST(Safetensors, BooleansAndEightBitFloatsOfPyTorch) {
  const Checkpoint mask = open_checkpoint(golden("bool.safetensors"));
  EXPECT_EQ(tensor_of(mask, "mask").codec, codec::Id::boolean);
  EXPECT_EQ(values_of(tensor_of(mask, "mask")), (std::vector<float>{1, 0}));
  const Checkpoint wide = open_checkpoint(golden("f8.safetensors"));
  EXPECT_EQ(tensor_of(wide, "w").codec, codec::Id::f8_e4m3);
  EXPECT_EQ(values_of(tensor_of(wide, "w")), (std::vector<float>{0, -1.5f, 448, 0x1p-9f}));
}

TEST(Safetensors, DtypesWithoutACodecAreListedApart) {
  for (const auto& [dtype, bytes] : {std::pair("F4", 4), {"F6_E2M3", 6}, {"C64", 64}}) {
    const std::string text = file_of(entry(dtype, "[2,4]", fmt::format("[0,{}]", bytes)), bytes);
    const Checkpoint file = read(test::bytes_of(text), "x");
    EXPECT_TRUE(file.tensors.empty()) << dtype;
    ASSERT_EQ(file.opaque.size(), 1u) << dtype;
    EXPECT_EQ(file.opaque[0].type, dtype);
    EXPECT_EQ(file.opaque[0].bytes.size(), static_cast<size_t>(bytes));
  }
}

// Without its scales an eight-bit float weight is a set of wrong numbers.
TEST(Safetensors, EightBitFloatsBesideTheirScalesAreListedApart) {
  for (const auto& [scale, found] : {std::pair("a.weight_scale", true),
                                     {"a.weight_scale_inv", true},
                                     {"a.qscale_weight", true},
                                     {"a.scale_weight", true},
                                     {"b.weight_scale", false},
                                     {"a.bias", false}}) {
    const std::string text = file_of(
        fmt::format(R"({{"a.weight":{{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}},)"
                    R"("{}":{{"dtype":"F32","shape":[],"data_offsets":[4,8]}}}})",
                    scale),
        8);
    const Checkpoint file = read(test::bytes_of(text), "x");
    EXPECT_EQ(file.find("a.weight") == nullptr, found) << scale;
    EXPECT_NE(file.find(scale), nullptr);
    const OpaqueTensor* opaque = file.find_opaque("a.weight");
    ASSERT_EQ(opaque != nullptr, found) << scale;
    if (found) {
      EXPECT_EQ(opaque->type, fmt::format("F8_E4M3 with {}", std::string(scale).substr(2)));
    }
  }
}

TEST(Safetensors, EveryDtypeHasItsSize) {
  const std::vector<std::pair<std::string, int>> bytes_of_eight = {
      {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
      {"I64", 64},        {"U64", 64}};
  EXPECT_EQ(dtypes().size(), bytes_of_eight.size());
  for (const auto& [name, bytes] : bytes_of_eight) {
    const std::string file = file_of(entry(name, "[2,4]", fmt::format("[0,{}]", bytes)), bytes);
    EXPECT_EQ(parse_header(test::bytes_of(file), "x").entries[0].dtype->name, name);
  }
}

TEST(Safetensors, UnalignedHeadersAndNullMetadataAreRead) {
  const std::string header = R"({"__metadata__":null,"t":{"dtype":"F32","shape":[1],)"
                             R"("data_offsets":[0,4],"extra":1}} )";
  ASSERT_NE(header.size() % 4, 0u);
  EXPECT_EQ(test::open_safetensors(file_of(header, 4)).tensors.size(), 1u);
  EXPECT_TRUE(test::open_safetensors(file_of("{}")).tensors.empty());
}

struct Case {
  std::string bytes;
  std::string message;  // behind "x.safetensors: "
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases)
    EXPECT_EQ(test::message_of([&] { test::open_safetensors(c.bytes); }),
              "x.safetensors: " + c.message);
}

TEST(SafetensorsReject, Frame) {
  std::string long_header = file_of("{}");
  store(reinterpret_cast<std::byte*>(long_header.data()), uint64_t{100'000'001});
  check({
      {"1234567", "header length: 8 bytes expected at byte 0, file ends after 7"},
      {long_header, "header length: at most 100000000 expected, got 100000001"},
      {file_of("{}").substr(0, 9), "header: 2 bytes expected at byte 8, file ends after 9"},
      {file_of(""), "header: JSON that begins with '{' expected, got ''"},
      {file_of(" {}"), "header: JSON that begins with '{' expected, got ' '"},
      {file_of("[]"), "header: JSON that begins with '{' expected, got '['"},
      {file_of("{\"a\xff\":1}"), "not valid JSON: The input is not valid UTF-8"},
      {file_of("{\"a\":}"),
       "not valid JSON: The JSON document has an improper structure: missing "
       "or superfluous commas, braces, missing keys, etc."},
      {file_of("{}", 1), "data: 0 bytes expected by the header, got 1"},
  });
}

TEST(SafetensorsReject, Entries) {
  const std::string f32 = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  check({
      {file_of(R"({"t":1})"), "tensor 't': object expected, got 1"},
      {file_of(R"({"t":{"shape":[1],"data_offsets":[0,4]}})", 4),
       "tensor 't': 'dtype' expected, got none"},
      {file_of(R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", 4),
       "tensor 't': 'shape' expected, got none"},
      {file_of(R"({"t":{"dtype":"F32","shape":[1]}})", 4),
       "tensor 't': 'data_offsets' expected, got none"},
      {file_of(R"({"t":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4),
       "tensor 't' dtype: string expected, got 7"},
      {file_of(entry("F31", "[1]", "[0,4]"), 4),
       "tensor 't': a dtype of the format expected, got 'F31'"},
      {file_of(entry("F32", "1", "[0,4]"), 4), "tensor 't' shape: array expected, got 1"},
      {file_of(entry("F32", "[-1]", "[0,4]"), 4),
       "tensor 't' shape: integer of at least 0 expected, got -1"},
      {file_of(entry("F32", "[1.0]", "[0,4]"), 4),
       "tensor 't' shape: unsigned integer expected, got number"},
      {file_of(entry("F32", "[1]", "[0]"), 4),
       "tensor 't' data_offsets: two numbers expected, got 1"},
      {file_of(entry("F32", "[1]", "[4,0]"), 4),
       "tensor 't' data_offsets: begin at most end expected, got [4, 0]"},
      {file_of(entry("F32", "[18446744073709551615]", "[0,4]"), 4),
       "tensor 't' shape: a size below 2^63 expected, got 18446744073709551615"},
      {file_of(entry("F32", "[4294967296,4294967296]", "[0,4]"), 4),
       "tensor 't': shape [4294967296, 4294967296] has more than 2^63 bits"},
      {file_of(entry("F64", "[288230376151711744]", "[0,4]"), 4),
       "tensor 't': shape [288230376151711744] has more than 2^63 bits"},
      {file_of(entry("F4", "[3]", "[0,2]"), 2),
       "tensor 't': shape [3] of F4 does not fill whole bytes"},
      {file_of(entry("F32", "[2]", "[0,4]"), 4),
       "tensor 't': 8 bytes expected for shape [2] of F32, got 4"},
      {file_of("{\"t\":{" + f32 + "},\"t\":{" + f32 + "}}", 4),
       "header: a unique key expected, got 't' twice"},
      {file_of("{\"t\":{\"dtype\":\"F32\"," + f32 + "}}", 4),
       "tensor 't': a unique key expected, got 'dtype' twice"},
      {file_of(R"({"__metadata__":{"a":1}})"), "__metadata__ 'a': string expected, got 1"},
      {file_of(R"({"__metadata__":[]})"), "__metadata__: object expected, got array"},
      {file_of(R"({"__metadata__":{"a":"1","a":"2"}})"),
       "__metadata__: a unique key expected, got 'a' twice"},
  });
}

TEST(SafetensorsReject, Tiling) {
  const auto two = [](const std::string& first, const std::string& second) {
    return file_of(fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":{}}},)"
                               R"("b":{{"dtype":"U8","shape":[4],"data_offsets":{}}}}})",
                               first, second),
                   8);
  };
  EXPECT_EQ(test::open_safetensors(two("[4,8]", "[0,4]")).tensors[0].name, "b");
  check({
      {two("[1,5]", "[5,9]"),
       "tensor 'a' data_offsets: begin 0 expected after the tensor before it, got 1"},
      {two("[0,4]", "[5,9]"),
       "tensor 'b' data_offsets: begin 4 expected after the tensor before it, got 5"},
      {two("[0,4]", "[2,6]"),
       "tensor 'b' data_offsets: begin 4 expected after the tensor before it, got 2"},
      {two("[0,4]", "[0,4]"),
       "tensor 'b' data_offsets: begin 4 expected after the tensor before it, got 0"},
      {file_of(entry("U8", "[4]", "[0,4]"), 3), "data: 4 bytes expected by the header, got 3"},
      {file_of(entry("U8", "[4]", "[0,4]"), 5), "data: 4 bytes expected by the header, got 5"},
  });
}

TEST(SafetensorsIndex, NamesInOrder) {
  const ShardIndex index = parse_index(
      R"({"weight_map":{"b":"2.safetensors","a":"1.safetensors","c":"2.safetensors"}})", "i");
  EXPECT_EQ(index.files, (std::vector<std::string>{"2.safetensors", "1.safetensors"}));
  EXPECT_EQ(index.tensors,
            (std::vector<std::pair<std::string, size_t>>{{"b", 0}, {"a", 1}, {"c", 0}}));
}

TEST(SafetensorsIndex, Rejections) {
  const auto message = [](const std::string& text) {
    return test::message_of([&] { parse_index(text, "i"); });
  };
  EXPECT_EQ(message("{}"), "i: weight_map: an object expected, got none");
  EXPECT_EQ(message("[]"), "i: weight_map: an object expected, got none");
  EXPECT_EQ(message(R"({"weight_map":[]})"), "i: weight_map: object expected, got array");
  EXPECT_EQ(message(R"({"weight_map":{"t":1}})"), "i: weight_map 't': string expected, got 1");
  EXPECT_EQ(message(R"({"weight_map":{"t":"a","t":"b"}})"),
            "i: weight_map 't': a unique name expected, got it twice");
  for (const char* name : {"", ".", "..", "../m", "/etc/passwd", "a/b", "a\\\\b", "a\\u0000"})
    EXPECT_TRUE(message(fmt::format(R"({{"weight_map":{{"t":"{}"}}}})", name))
                    .starts_with("i: weight_map 't': a file name without a path expected"))
        << name;
}

// torch's own file, written again: the order, the header and the padding are the reference's.
TEST(SafetensorsWrite, AReadFileIsWrittenByteForByte) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "out.safetensors";
  for (const char* name : {"plain.safetensors", "hf_single/model.safetensors"}) {
    const std::string bytes = test::read_golden(name);
    Checkpoint file = test::open_safetensors(bytes);
    std::reverse(file.tensors.begin(), file.tensors.end());
    write(path, file.safetensors_metadata, file.tensors);
    EXPECT_TRUE(test::read_file(path) == bytes) << name;
  }
}

TEST(SafetensorsWrite, WhatCannotBeStored) {
  const test::TemporaryFolder folder;
  const auto message = [&](std::vector<TensorPlan> plan) {
    return test::message_of([&] { Writer(folder.path() / "out", {}, plan); });
  };
  EXPECT_EQ(message({{"t", codec::Id::tq1_0, {256}}}),
            "tensor 't': SafeTensors has no type for TQ1_0");
  EXPECT_EQ(message({{"t", codec::Id::f32, {1}}, {"t", codec::Id::u8, {1}}}),
            "tensor 't': a unique name expected, got it twice");
  EXPECT_EQ(message({{"__metadata__", codec::Id::f32, {1}}}),
            "tensor '__metadata__': a UTF-8 name that SafeTensors does not reserve expected");
  EXPECT_EQ(message({{"t\xff", codec::Id::f32, {1}}}),
            "tensor 't\\xff': a UTF-8 name that SafeTensors does not reserve expected");
  EXPECT_EQ(message({{"t", codec::Id::f32, {-1}}}),
            "tensor 't': shape [-1] has more than 2^63 bytes");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace bittern::format::safetensors
