// Dialects are told apart by the spans of all tensors. Files here are directories with the right
// offsets for one dialect; what they must resolve to follows from the published block sizes.
#include "format/gguf/dialect.h"

#include <gtest/gtest.h>

#include <set>

#include "format/format_support.h"
#include "format/gguf_builder.h"
#include "throws.h"

namespace bittern::format::gguf {
namespace {

using test::RawGguf;

struct Wanted {
  std::vector<int64_t> ne;
  uint32_t type;
  uint64_t bytes;  // as the dialect under test has it
};

// The file with these tensors at their running sums; `cut` bytes missing at the end.
std::string file_of(const std::vector<Wanted>& tensors, uint64_t cut = 0) {
  RawGguf file;
  for (const Wanted& tensor : tensors) {
    file.tensors.push_back(
        {fmt::format("t{}", file.tensors.size()), tensor.ne, tensor.type, file.data_bytes});
    file.data_bytes += (tensor.bytes + 31) / 32 * 32;
  }
  file.data_bytes -= cut;
  return file.bytes();
}

Resolution resolve(const std::string& bytes, std::string_view forced = "") {
  std::vector<Header> files;
  files.push_back(parse_header(test::bytes_of(bytes), "x.gguf"));
  return resolve_dialect(files, forced);
}

std::string names_of(const Resolution& resolution) {
  std::string names(dialect_row(resolution.dialect).flag);
  for (const TypeRow* type : resolution.types) names += fmt::format(" {}", type->name);
  return names;
}

const Wanted kNorm{{64}, 0, 256};

TEST(GgufDialect, ContestedIdsAreReadByTheirSpans) {
  const std::vector<std::pair<std::vector<Wanted>, std::string>> cases = {
      {{kNorm}, "mainline F32"},
      {{{{512, 8}, 36, 512 * 8 / 4 + 32}, kNorm}, "bitnet I2_S F32"},
      {{{{512, 8}, 36, 512 * 8 / 32 * 18}, kNorm}, "mainline-2024 IQ4_NL_4_4 F32"},
      {{{{512, 8}, 38, 512 * 8 / 4 + 32}, kNorm}, "bitnet TL1 F32"},
      {{{{512, 8}, 39, 512 * 8 / 32 * 17}, kNorm}, "mainline MXFP4 F32"},
      {{{{640, 96}, 39, 384 * 96 / 3 * 5 / 8 + 256 * 96 / 4 + 32}, kNorm}, "bitnet TL2 F32"},
      {{{{512, 8}, 40, 512 * 8 / 64 * 36}, kNorm}, "mainline NVFP4 F32"},
      {{{{512, 8}, 40, 512 * 8 / 32 * 6}, kNorm}, "prism-legacy Q1_0_g32 F32"},
      {{{{512, 8}, 41, 512 * 8 / 128 * 18}, kNorm}, "mainline Q1_0 F32"},
      {{{{512, 8}, 42, 512 * 8 / 64 * 18}, kNorm}, "mainline Q2_0 F32"},
      {{{{512, 8}, 42, 512 * 8 / 128 * 34}, kNorm}, "prism-legacy Q2_0_g128 F32"},
      {{{{512, 8}, 42, 512 * 8 / 256 * 42}, kNorm}, "sherry STQ1_0 F32"},
      {{{{512, 8}, 43, 512 * 8 / 256 * 42}, kNorm}, "sherry STQ1_0 F32"},
      {{{{512, 64}, 335, 64 * (4 + 512 / 64 * 16)}, kNorm}, "ik IQ2_BN_R4 F32"},
      {{{{512, 8}, 37, 512 * 8}, kNorm}, "bitnet I8_S F32"},
      {{{{512, 8}, 142, 512 * 8 / 128 * 34}, kNorm}, "prism PQ2_0 F32"},
      {{{{512, 8}, 142, 512 * 8 / 256 * 66}, kNorm}, "ik IQ2_TN F32"},
      {{{{512, 8}, 143, 512 * 8 / 128 * 28}, kNorm}, "prism PTQ1_0 F32"},
      {{{{512, 8}, 143, 8 * (2 + 512 / 64 * 13)}, kNorm}, "ik IQ1_TN F32"},
      {{{{512, 64}, 134, 64 * (2 + 512 / 64 * 13)}, kNorm}, "ik IQ1_BN F32"},
      {{{{512, 64}, 135, 64 * (4 + 512 / 64 * 16)}, kNorm}, "ik IQ2_BN F32"},
      {{{{512, 64}, 144, 64 * (4 + 512 / 256 * 136)}, kNorm}, "ik IQ4_KS F32"},
      {{{{512, 8}, 31, 512 * 8 / 32 * 18}, kNorm}, "bitnet Q4_0_4_4 F32"},
      // The contested tensor comes last: the length of the file decides.
      {{kNorm, {{512, 8}, 42, 512 * 8 / 128 * 34}}, "prism-legacy F32 Q2_0_g128"},
      {{kNorm, {{512, 8}, 42, 512 * 8 / 64 * 18}}, "mainline F32 Q2_0"},
      {{kNorm, {{1280}, 42, 1280 / 64 * 18}}, "mainline F32 Q2_0"},  // padded to 384
  };
  for (const auto& [tensors, expected] : cases)
    EXPECT_EQ(names_of(resolve(file_of(tensors))), expected);
}

TEST(GgufDialect, EveryTensorHasAVote) {
  // The first tensor has equal spans as PQ2_0 and as IQ2_TN; the second decides.
  EXPECT_EQ(names_of(resolve(file_of({{{256, 1}, 142, 68}, {{512, 64}, 143, 64 * (2 + 8 * 13)}}))),
            "ik IQ2_TN IQ1_TN");
  EXPECT_EQ(
      names_of(resolve(file_of({{{256, 1}, 142, 68}, {{512, 64}, 143, 512 / 128 * 28 * 64}}))),
      "prism PQ2_0 PTQ1_0");
}

// 128 columns: IQ1_TN takes 2 + 2 x 13 bytes a row, PTQ1_0 28. No size can tell them apart.
TEST(GgufDialect, AmbiguousFilesNameBothReadingsAndTheFlag) {
  const std::string bytes = file_of({{{128, 32}, 143, 32 * 28}, kNorm});
  const auto thrown = test::thrown_by([&] { resolve(bytes); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  EXPECT_EQ(thrown->message,
            "x.gguf: tensor 't0': type id 143 may be PTQ1_0 (PrismML) or IQ1_TN (ik_llama.cpp), "
            "and the sizes fit both; choose with --gguf-dialect prism or --gguf-dialect ik");
  EXPECT_EQ(names_of(resolve(bytes, "prism")), "prism PTQ1_0 F32");
  EXPECT_EQ(names_of(resolve(bytes, "ik")), "ik IQ1_TN F32");
}

TEST(GgufDialect, AForcedDialectMustStillFit) {
  const std::string bytes = file_of({{{512, 8}, 42, 512 * 8 / 128 * 34}, kNorm});
  EXPECT_EQ(test::message_of([&] { resolve(bytes, "mainline"); }),
            "x.gguf: tensor 't1': offset 1152 expected after the tensors before it (mainline "
            "dialect), got 1088");
  EXPECT_EQ(test::message_of([&] { resolve(bytes, "ik"); }),
            "x.gguf: tensor 't0': type id 42 (of another dialect) is not a type of the "
            "ik_llama.cpp dialect");
}

// One size, three orders of the codes: only the flag can say another than the common one.
TEST(GgufDialect, TheOrdersOfI2SAreTakenByTheFlagAlone) {
  const std::string bytes = file_of({{{512, 8}, 36, 512 * 8 / 4 + 32}, kNorm});
  const auto codec_of = [&](std::string_view flag) {
    return codec::get(resolve(bytes, flag).types[0]->codec.value()).name;
  };
  EXPECT_EQ(codec_of(""), "I2_S");
  EXPECT_EQ(codec_of("bitnet"), "I2_S");
  EXPECT_EQ(codec_of("bitnet-rows4"), "I2_S_ROWS4");
  EXPECT_EQ(codec_of("bitnet-arm"), "I2_S_ARM");
  EXPECT_EQ(find_type(codec::Id::i2_s_rows4), nullptr) << "written, it would be read as I2_S";
}

TEST(GgufDialect, UnknownFlag) {
  const auto thrown = test::thrown_by([] { resolve(file_of({kNorm}), "bitnett"); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::usage);
  EXPECT_EQ(thrown->message,
            "--gguf-dialect: one of mainline, bitnet, prism, prism-legacy, ik, sherry, "
            "mainline-2024, bitnet-rows4, bitnet-arm expected, got 'bitnett'");
}

TEST(GgufDialect, TheErrorIsOfTheDialectThatGotFurthest) {
  const std::string cut = file_of({{{512, 8}, 36, 512 * 8 / 4 + 32}, kNorm}, 1);
  EXPECT_EQ(test::message_of([&] { resolve(cut); }),
            "x.gguf: tensor 't1': 256 bytes of F32 expected at byte 1184, file ends after 1439");
}

TEST(GgufDialect, ASetIsDecidedAsAWhole) {
  const std::string first = file_of({{{128, 32}, 143, 32 * 28}, kNorm});
  const std::string second = file_of({{{512, 8}, 142, 512 * 8 / 256 * 66}, kNorm});
  std::vector<Header> files;
  files.push_back(parse_header(test::bytes_of(first), "1.gguf"));
  files.push_back(parse_header(test::bytes_of(second), "2.gguf"));
  EXPECT_EQ(names_of(resolve_dialect(files, "")), "ik IQ1_TN F32 IQ2_TN F32");
}

TEST(GgufTypes, NoIdHasTwoReadingsInOneDialect) {
  for (const DialectRow& dialect : dialects()) {
    std::set<uint32_t> seen;
    for (const TypeRow& type : types())
      if ((type.dialects >> static_cast<uint32_t>(dialect.dialect) & 1) != 0) {
        EXPECT_TRUE(seen.insert(type.id).second) << dialect.flag << " " << type.id;
      }
  }
}

// The codec table states the same ids and sizes for itself.
TEST(GgufTypes, AgreeWithTheCodecTable) {
  for (const codec::Codec& codec : codec::table()) {
    const TypeRow* type = find_type(codec.id);
    ASSERT_EQ(type == nullptr, codec.gguf_type < 0) << codec.name;
    if (type == nullptr) continue;
    EXPECT_EQ(static_cast<int>(type->id), codec.gguf_type) << codec.name;
    EXPECT_EQ(type->name, codec.name);
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{3, 256}, {1, 1024}, {8, 512}})
      EXPECT_EQ(tensor_bytes(*type, rows, columns), codec.tensor_bytes(rows, columns))
          << codec.name;
  }
}

}  // namespace
}  // namespace bittern::format::gguf
