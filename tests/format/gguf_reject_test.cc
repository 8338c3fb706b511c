// Every rule by which a GGUF file is refused, each with its message.
#include <gtest/gtest.h>

#include <functional>

#include "format/format_support.h"
#include "format/gguf_builder.h"
#include "throws.h"

namespace bittern::format {
namespace {

using test::raw_key;
using test::RawBytes;
using test::RawGguf;
using test::RawTensor;
using test::string_key;

struct Case {
  std::string name;
  std::string bytes;
  std::string message;
  ErrorKind kind = ErrorKind::bad_input;
};

RawGguf one_tensor(RawTensor tensor, uint64_t data_bytes = 64) {
  RawGguf file;
  file.tensors = {std::move(tensor)};
  file.data_bytes = data_bytes;
  return file;
}

RawGguf with_keys(std::vector<std::string> keys) {
  RawGguf file;
  file.keys = std::move(keys);
  return file;
}

RawGguf changed(RawGguf file, const std::function<void(RawGguf&)>& change) {
  change(file);
  return file;
}

std::vector<Case> frame_cases() {
  const RawGguf empty;
  return {
      {"empty", "", "x.gguf: magic: 4 bytes expected at byte 0, file ends after 0"},
      {"magic", changed(empty, [](RawGguf& f) { f.magic = "GGML"; }).bytes(),
       "x.gguf: magic: 'GGUF' expected, got 'GGML'"},
      {"version 0", changed(empty, [](RawGguf& f) { f.version = 0; }).bytes(),
       "x.gguf: GGUF version: 2 or 3 expected, got 0"},
      {"version 1", changed(empty, [](RawGguf& f) { f.version = 1; }).bytes(),
       "x.gguf: GGUF version 1 is not supported; 2 and 3 are", ErrorKind::unsupported},
      {"version 4", changed(empty, [](RawGguf& f) { f.version = 4; }).bytes(),
       "x.gguf: GGUF version: 2 or 3 expected, got 4"},
      {"version 256", changed(empty, [](RawGguf& f) { f.version = 256; }).bytes(),
       "x.gguf: GGUF version: 2 or 3 expected, got 256"},
      {"big-endian", changed(empty, [](RawGguf& f) { f.version = 3u << 24; }).bytes(),
       "x.gguf: a big-endian GGUF file; only little-endian is supported", ErrorKind::unsupported},
      {"tensor count past the file",
       changed(empty, [](RawGguf& f) { f.tensor_count = 1000; }).bytes(),
       "x.gguf: tensor count: at most 0 fit into the 16 bytes left, got 1000"},
      {"tensor count of 2^63 - 1",
       changed(empty, [](RawGguf& f) { f.tensor_count = INT64_MAX; }).bytes(),
       "x.gguf: tensor count: at most 0 fit into the 16 bytes left, got 9223372036854775807"},
      {"key count past the file", changed(empty, [](RawGguf& f) { f.key_count = 1; }).bytes(),
       "x.gguf: key count: at most 0 fit into the 8 bytes left, got 1"},
  };
}

std::string negative_count(size_t position) {
  std::string bytes = RawGguf().bytes();
  bytes.replace(position, 8, 8, '\xff');
  return bytes;
}

std::vector<Case> key_cases() {
  const auto array = [](uint32_t element, uint64_t count) {
    return raw_key("a", 9, RawBytes().put(element).put(count).raw("12345678").bytes());
  };
  const uint32_t zero = 0, three = 3;
  return {
      {"negative tensor count", negative_count(8),
       "x.gguf: tensor count: at most 0 fit into the 16 bytes left, got -1"},
      {"negative key count", negative_count(16),
       "x.gguf: key count: at most 0 fit into the 8 bytes left, got -1"},
      {"empty key", with_keys({string_key("", "long enough")}).bytes(),
       "x.gguf: metadata key 0: it is empty"},
      {"duplicate key", with_keys({string_key("a", "one"), string_key("a", "two")}).bytes(),
       "x.gguf: a: a unique key expected, got it twice"},
      {"unknown value type", with_keys({raw_key("a", 13, "12345678")}).bytes(),
       "x.gguf: a: a value type of 0 to 12 expected, got 13"},
      {"string past 1 GiB", with_keys({raw_key("a", 8, (uint64_t{1} << 30) + 1)}).bytes(),
       "x.gguf: a: a string of at most 1073741824 bytes expected, got 1073741825"},
      {"string past the file", with_keys({raw_key("a", 8, uint64_t{500})}).bytes(),
       "x.gguf: a: 500 bytes expected at byte 45, file ends after 64"},
      {"array of arrays", with_keys({array(9, 1)}).bytes(),
       "x.gguf: a: an array of arrays is not allowed"},
      {"unknown element type", with_keys({array(77, 1)}).bytes(),
       "x.gguf: a: a value type of 0 to 12 expected, got 77"},
      {"array past the file", with_keys({array(4, 1000)}).bytes(),
       "x.gguf: a: at most 3 elements fit into the 15 bytes left, got 1000"},
      {"array one element past the file", with_keys({array(4, 4)}).bytes(),
       "x.gguf: a: at most 3 elements fit into the 15 bytes left, got 4"},
      {"array of 2^63 elements", with_keys({array(0, uint64_t{1} << 63)}).bytes(),
       "x.gguf: a: at most 15 elements fit into the 15 bytes left, got 9223372036854775808"},
      {"strings past the file", with_keys({array(8, 1000)}).bytes(),
       "x.gguf: a: at most 1 elements fit into the 15 bytes left, got 1000"},
      {"alignment of another type",
       with_keys({raw_key("general.alignment", 10, uint64_t{32})}).bytes(),
       "x.gguf: general.alignment: a u32 expected"},
      {"alignment 0", with_keys({raw_key("general.alignment", 4, zero)}).bytes(),
       "x.gguf: general.alignment: a power of two expected, got 0"},
      {"alignment 3", with_keys({raw_key("general.alignment", 4, three)}).bytes(),
       "x.gguf: general.alignment: a power of two expected, got 3"},
      {"control bytes in a key are escaped",
       with_keys({raw_key("a\n\x01", 13, "12345678")}).bytes(),
       "x.gguf: a\\x0a\\x01: a value type of 0 to 12 expected, got 13"},
      {"rotation of another version",
       with_keys({raw_key("prism.hadamard.version", 4, three)}).bytes(),
       "x.gguf: prism.hadamard.version: 1 expected, got 3", ErrorKind::unsupported},
      {"unknown rotation key", with_keys({raw_key("prism.hadamard.new", 4, three)}).bytes(),
       "x.gguf: prism.hadamard.new: an unknown key that may change the meaning of the weights",
       ErrorKind::unsupported},
      {"unknown prism key", with_keys({raw_key("prism.new", 4, three)}).bytes(),
       "x.gguf: prism.new: an unknown key that may change the meaning of the weights",
       ErrorKind::unsupported},
      {"split without its number", with_keys({raw_key("split.count", 4, three)}).bytes(),
       "(nothing thrown)"},  // a single file in memory: only open() follows splits
  };
}

std::vector<Case> tensor_cases() {
  const std::string long_name(64, 'n');
  RawGguf twice = one_tensor({"t", {4}, 0, 0});
  twice.tensors.push_back({"t", {4}, 0, 32});
  RawGguf hole = one_tensor({"t", {4}, 0, 0}, 128);
  hole.tensors.push_back({"u", {4}, 0, 64});
  RawGguf reordered = one_tensor({"t", {4}, 0, 32});
  reordered.tensors.push_back({"u", {4}, 0, 0});
  return {
      {"long name", one_tensor({long_name, {4}, 0, 0}).bytes(),
       fmt::format("x.gguf: tensor '{}': a name of at most 63 bytes expected, got 64", long_name)},
      {"duplicate name", twice.bytes(), "x.gguf: tensor 't': a unique name expected, got it twice"},
      {"five dimensions", one_tensor({"t", {1, 1, 1, 1, 1}, 0, 0}).bytes(),
       "x.gguf: tensor 't': at most 4 dimensions expected, got 5"},
      {"negative dimension", one_tensor({"t", {4, -1}, 0, 0}).bytes(),
       "x.gguf: tensor 't': dimensions of at least 0 expected, got -1"},
      {"2^64 elements", one_tensor({"t", {int64_t{1} << 32, int64_t{1} << 32}, 0, 0}).bytes(),
       "x.gguf: tensor 't': shape [4294967296, 4294967296] has more than 2^63 elements"},
      {"2^63 bytes", one_tensor({"t", {int64_t{1} << 61, 2}, 0, 0}).bytes(),
       "x.gguf: tensor 't': shape [2, 2305843009213693952] does not divide into F32 blocks of 1"},
      {"unknown type", one_tensor({"t", {4}, 1000, 0}).bytes(),
       "x.gguf: tensor 't': type id 1000 (of no known dialect) is not a type of the mainline "
       "dialect",
       ErrorKind::unsupported},
      {"removed type", one_tensor({"t", {4}, 4, 0}).bytes(),
       "x.gguf: tensor 't': type id 4 (of no known dialect) is not a type of the mainline dialect",
       ErrorKind::unsupported},
      {"repacked type", one_tensor({"t", {256, 4}, 214, 0}).bytes(),
       "x.gguf: tensor 't': type id 214 (a row-interleaved repack of ik_llama.cpp) is not a type "
       "of the mainline dialect",
       ErrorKind::unsupported},
      {"partial block", one_tensor({"t", {33, 2}, 8, 0}).bytes(),
       "x.gguf: tensor 't': shape [2, 33] does not divide into Q8_0 blocks of 32"},
      {"hole", hole.bytes(),
       "x.gguf: tensor 'u': offset 32 expected after the tensors before it (mainline dialect), "
       "got 64"},
      {"reordered", reordered.bytes(),
       "x.gguf: tensor 't': offset 0 expected after the tensors before it (mainline dialect), "
       "got 32"},
      {"data past the file", one_tensor({"t", {17}, 0, 0}).bytes(),
       "x.gguf: tensor 't': 68 bytes of F32 expected at byte 64, file ends after 128"},
  };
}

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto thrown = test::thrown_by([&] { test::open_gguf(c.bytes); });
    EXPECT_EQ(thrown ? thrown->message : "(nothing thrown)", c.message) << c.name;
    if (thrown) {
      EXPECT_EQ(thrown->kind, c.kind) << c.name;
    }
  }
}

TEST(GgufReject, Frame) { check(frame_cases()); }
TEST(GgufReject, Keys) { check(key_cases()); }
TEST(GgufReject, Tensors) { check(tensor_cases()); }

// The directory ends on a multiple of the alignment: no padding follows.
TEST(GgufReject, DataRightBehindTheDirectory) {
  const std::string bytes = one_tensor({"8 bytes.", {4}, 0, 0}, 32).bytes();
  ASSERT_EQ(bytes.size(), 96u);
  const Checkpoint opened = test::open_gguf(bytes);
  EXPECT_EQ(opened.tensors[0].bytes.data() - test::bytes_of(bytes).data(), 64);
}

TEST(GgufReject, WhatTheReferenceAcceptsIsAccepted) {
  RawGguf file = one_tensor({"scalar", {}, 0, 0}, 96);
  file.tensors.push_back({"empty", {0, 3}, 0, 32});
  file.tensors.push_back({std::string(63, 'n'), {1, 1, 1, 2}, 1, 32});
  const Checkpoint opened = test::open_gguf(file.bytes());
  EXPECT_EQ(opened.tensors[0].shape, std::vector<int64_t>{});
  EXPECT_EQ(opened.tensors[0].bytes.size(), 4u);
  EXPECT_EQ(opened.tensors[1].bytes.size(), 0u);
  EXPECT_EQ(opened.tensors[2].shape, (std::vector<int64_t>{2, 1, 1, 1}));
  // A file without tensors need not be padded.
  EXPECT_TRUE(test::open_gguf(RawGguf().bytes().substr(0, 24)).tensors.empty());
}

}  // namespace
}  // namespace bittern::format
