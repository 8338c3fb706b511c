// Packs outlive the program that wrote them, so their version must change with the meaning of any
// layout. Here is what every packer makes of fixed bytes. If this fails, a layout has changed:
// raise kPackVersion (src/backend/cpu/pack_file.h), then replace the rows by those that are
// printed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "backend/cpu/pack_file.h"
#include "base/random.h"
#include "kernel/bf16_pack.h"
#include "kernel/block_pack.h"
#include "kernel/head.h"
#include "kernel/pack.h"

namespace bittern::test {
namespace {

constexpr uint32_t kVersion = 2;
const std::map<std::string, uint64_t> kSums = {
    {"head8", 0x655fe67efcd041},    {"BF16 pairs", 0x63fdb56167aa87e6},
    {"IQ4_NL", 0x4788d13bb3636242}, {"IQ4_XS", 0xd54bdb9804b729df},
    {"MXFP4", 0x35c4384862015674},  {"NVFP4", 0x54d5b16d7f68fea8},
    {"PQ2_0", 0xb37080ac88ab6703},  {"PTQ1_0", 0x1d542d9196633d22},
    {"Q1_0", 0x8902106e98338a6},    {"Q2_0", 0x81e927619fd8c74f},
    {"Q2_K", 0xfe4cec8cae5396cc},   {"Q3_K", 0xbe83f86598fbcfc6},
    {"Q4_0", 0x85b0767e09ec8aef},   {"Q4_1", 0x4c72fe222671238b},
    {"Q4_K", 0x20d3e3e8275534ac},   {"Q5_0", 0x318eb48a2baf0da7},
    {"Q5_1", 0xe8eccb910c462c8c},   {"Q5_K", 0x36b141b59543718},
    {"Q6_K", 0x4388a954ad33aec},    {"Q8_0", 0x107939897f6a5fd3},
    {"STQ1_0", 0x7359ce0a7debd2ab}, {"T1.6", 0x7d465d9f4207c06d},
    {"T2", 0xcbc22758cab747c3},     {"TQ1_0", 0xcfd87ae2f9c0cedd},
    {"TQ2_0", 0xfa076767c6b39ce0},  {"IQ1_M", 0xcb0469ddb38a1d69},
    {"IQ1_S", 0xa8c05ec2143430de},  {"IQ2_S", 0x487c2544267cb7f8},
    {"IQ2_XS", 0xeb638f402af2b2c7}, {"IQ2_XXS", 0xbaf447e4fd6ce0b6},
    {"IQ3_S", 0xb9ecc6c7b4f4a9bd},  {"IQ3_XXS", 0x7df56756e48db211},
};

constexpr int64_t kRows = 13, kColumns = 512;

uint64_t sum_of(const std::vector<uint8_t>& strip) {
  return backend::pack_checksum(std::as_bytes(std::span(strip)));
}

// Bytes below 64 make finite numbers of any float format, and codes of every format.
std::vector<std::byte> fixed_bytes(int64_t count) {
  random::Sequence draw(11);
  std::vector<std::byte> bytes(static_cast<size_t>(count));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(draw.uniform() * 64);
  return bytes;
}

std::map<std::string, uint64_t> sums_of_today() {
  std::map<std::string, uint64_t> sums;
  random::Sequence draw(12);
  std::vector<int8_t> codes(static_cast<size_t>(kRows * kColumns));
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(draw.uniform() * 3) - 1);
  std::vector<uint8_t> strip(static_cast<size_t>(kernel::t2_strip_bytes(kColumns)));
  kernel::t2_pack_strip(codes.data(), kRows, kColumns, strip.data());
  sums["T2"] = sum_of(strip);
  strip.assign(static_cast<size_t>(kernel::t16_strip_bytes(kColumns)), 0);
  kernel::t16_pack_strip(codes.data(), kRows, kColumns, strip.data());
  sums["T1.6"] = sum_of(strip);

  const auto halves = fixed_bytes(kRows * kColumns * 2);
  std::vector<const std::byte*> lines;
  for (int64_t row = 0; row < kRows; ++row) lines.push_back(halves.data() + row * kColumns * 2);
  strip.assign(static_cast<size_t>(kernel::bf16_strip_bytes(kColumns)), 0);
  kernel::pack_bf16_strip(lines, kColumns, strip.data());
  sums["BF16 pairs"] = sum_of(strip);

  std::vector<float> floats(codes.begin(), codes.end());
  for (size_t i = 0; i < floats.size(); ++i) floats[i] += static_cast<float>(i % 9) / 16.0f;
  strip.assign(static_cast<size_t>(kernel::head_strip_bytes(kColumns)), 0);
  kernel::pack_head_strip(floats.data(), kRows, kColumns, kColumns, strip.data());
  sums[kernel::kHeadLayout.name] = sum_of(strip);

  std::vector<int64_t> rows(kRows);
  for (int64_t row = 0; row < kRows; ++row) rows[static_cast<size_t>(row)] = row;
  for (const codec::Codec& codec : codec::table()) {
    const kernel::BlockLayout* layout = kernel::block_layout(codec.id);
    if (layout == nullptr) continue;
    const auto bytes = fixed_bytes(codec.tensor_bytes(kRows, kColumns).value());
    TensorView tensor;
    tensor.name = codec.name;
    tensor.codec = codec.id;
    tensor.shape = {kRows, kColumns};
    tensor.bytes = bytes;
    strip.assign(static_cast<size_t>(kernel::block_strip_bytes(*layout, kColumns)), 0);
    kernel::pack_block_strip(tensor, rows, strip.data());
    sums[std::string(codec.name)] = sum_of(strip);
  }
  return sums;
}

TEST(PackVersion, ChangesWithEveryLayout) {
  const auto today = sums_of_today();
  std::string rows;
  for (const auto& [name, sum] : today) rows += fmt::format("    {{\"{}\", {:#x}}},\n", name, sum);
  EXPECT_TRUE(kVersion == backend::kPackVersion && today == kSums) << rows;
}

}  // namespace
}  // namespace bittern::test
