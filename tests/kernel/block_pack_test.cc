// Packing of block formats loses nothing: what a strip decodes to is what the codec decodes, bit
// for bit, for blocks of random bytes as for encoded values, in any order of rows.
#include "kernel/block_pack.h"

#include <cmath>
#include <set>

#include "base/half.h"
#include "block_codecs.h"
#include "kernel/block_affine.h"
#include "kernel/block_strip.h"
#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

using test::kBlockCodecs;

testing::AssertionResult same_or_both_nan(float a, float b) {
  if (std::isnan(a) && std::isnan(b)) return testing::AssertionSuccess();
  if (std::memcmp(&a, &b, sizeof(float)) == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << a << " vs " << b;
}

// Packs the rows of `tensor` that `rows` names and compares with the codec.
void check_packing(const TensorView& tensor, const std::vector<int64_t>& rows) {
  const BlockLayout& layout = *block_layout(tensor.codec);
  const int64_t columns = tensor.columns(), padded = block_count(columns) * kBlockColumns;
  Guarded<uint8_t> strip(block_strip_bytes(layout, columns));
  std::memset(strip.data(), 0xee, static_cast<size_t>(strip.size()));
  pack_block_strip(tensor, rows, strip.data());
  std::vector<float> unpacked(static_cast<size_t>(kBlockStripRows * padded));
  unpack_block_strip(layout, strip.data(), columns, unpacked.data());
  std::vector<float> expected(static_cast<size_t>(columns));
  for (int64_t n = 0; n < kBlockStripRows; ++n) {
    const bool there = n < static_cast<int64_t>(rows.size());
    if (there) decode_rows(tensor, rows[static_cast<size_t>(n)], 1, expected.data());
    for (int64_t k = 0; k < padded; ++k) {
      const float value = unpacked[static_cast<size_t>(n * padded + k)];
      if (there && k < columns) {
        ASSERT_TRUE(same_or_both_nan(value, expected[static_cast<size_t>(k)]))
            << "row " << n << ", column " << k;
      } else {
        ASSERT_EQ(value, 0.0f) << "padding at row " << n << ", column " << k;
      }
    }
  }
}

TensorView view_of(codec::Id id, int64_t rows, int64_t columns,
                   const std::vector<std::byte>& bytes) {
  TensorView view;
  view.name = "weight";
  view.codec = id;
  view.shape = {rows, columns};
  view.bytes = bytes;
  return view;
}

TEST(BlockPack, EveryByteOfEveryCodecDecodesAsTheCodecDoes) {
  random::Sequence draw(61);
  for (const codec::Id id : kBlockCodecs) {
    const codec::Codec& codec = codec::get(id);
    ASSERT_NE(block_layout(id), nullptr) << codec.name;
    for (const int64_t blocks : {1, 2, 3, 9}) {
      const int64_t columns = blocks * codec.block_elements, rows = 18;
      SCOPED_TRACE(testing::Message() << "seed 61: " << codec.name << ", " << columns);
      std::vector<std::byte> bytes(static_cast<size_t>(rows * blocks * codec.block_bytes));
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(draw.below(256));
      const TensorView tensor = view_of(id, rows, columns, bytes);
      check_packing(tensor, {17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
      check_packing(tensor, {16, 17});
      check_packing(tensor, {});
    }
  }
}

// Every index with every sign and scale: each pair of bytes of a block takes each of its values.
TEST(BlockPack, EveryPairOfBytesOfCodebookIndicesDecodesAsTheCodecDoes) {
  constexpr int64_t kRows = 16, kBlocks = 4096;
  for (const codec::Id id :
       {codec::Id::iq3_xxs, codec::Id::iq3_s, codec::Id::iq2_xxs, codec::Id::iq2_xs,
        codec::Id::iq2_s, codec::Id::iq1_s, codec::Id::iq1_m}) {
    const codec::Codec& codec = codec::get(id);
    SCOPED_TRACE(codec.name);
    std::vector<std::byte> bytes(static_cast<size_t>(kRows * kBlocks * codec.block_bytes));
    for (int64_t block = 0; block < kRows * kBlocks; ++block) {
      std::byte* to = bytes.data() + block * codec.block_bytes;
      for (int64_t word = 0; word < codec.block_bytes / 2; ++word) {
        // Of different words different bijections of the block's number.
        const auto value = static_cast<uint16_t>(block * (2 * word + 40503) + 7919 * word);
        std::memcpy(to + 2 * word, &value, sizeof value);
      }
    }
    std::vector<int64_t> rows(kRows);
    for (int64_t n = 0; n < kRows; ++n) rows[static_cast<size_t>(n)] = n;
    check_packing(view_of(id, kRows, kBlocks * 256, bytes), rows);
  }
}

TEST(BlockPack, EncodedValuesComeBack) {
  random::Sequence draw(62);
  for (const codec::Id id : kBlockCodecs) {
    const codec::Codec& codec = codec::get(id);
    if (codec.encode == nullptr) continue;  // IQ1 to IQ3
    const int64_t rows = 5, columns = 3 * std::max(codec.block_elements, 128);
    SCOPED_TRACE(testing::Message() << "seed 62: " << codec.name);
    const std::vector<float> values = random_floats(draw, rows * columns, 0.3f);
    std::vector<std::byte> bytes(static_cast<size_t>(*codec.tensor_bytes(rows, columns)));
    codec.encode(values.data(), rows, columns, bytes.data());
    check_packing(view_of(id, rows, columns, bytes), {4, 3, 2, 1, 0});
  }
}

TEST(BlockPack, LayoutsAreWhatTheHeaderSays) {
  std::set<std::string> names;
  for (const BlockLayout* layout : block_layouts()) {
    SCOPED_TRACE(layout->name);
    EXPECT_TRUE(names.insert(layout->name).second);
    const BlockOffsets at = block_offsets(*layout);
    EXPECT_EQ(at.bytes % 64, 0);
    EXPECT_EQ(at.scales, 16 * block_quad_bytes(*layout));
    EXPECT_EQ(layout->shared_bit ? 68 : 32 * layout->code_bits, block_quad_bytes(*layout));
    EXPECT_EQ(layout->zero & (layout->zero - 1), 0);
    EXPECT_EQ(256 % layout->sub, 0);
    EXPECT_EQ(layout->sub % 16, 0);
  }
  EXPECT_EQ(names.size(), std::size(kBlockCodecs) + affine_layouts().size());
  EXPECT_EQ(block_layout(codec::Id::f16), nullptr);
  EXPECT_EQ(block_layout(codec::Id::i2_s), nullptr);
  // Q4_K: 2048 of codes, 8 x 16 scales and minima each, 2 x 16 halves; 4.5 bits a weight.
  EXPECT_EQ(block_bytes(*block_layout(codec::Id::q4_k), 32, 512), 2 * 2 * 2368);
  EXPECT_EQ(block_bytes(*block_layout(codec::Id::q8_0), 1, 1), 4096 + 256);
}

// One column at each place of a quad, at the bytes that the header's picture gives it.
TEST(BlockPack, CodesLieWhereTheHeaderSays) {
  for (const int64_t row : {0, 3, 15}) {
    for (const int64_t column : {0, 1, 4, 9, 15, 16, 250}) {
      std::vector<float> values(16 * 256, 0.0f);
      values[static_cast<size_t>(row * 256 + column)] = 127.0f;  // Q8_0: d = 1, code 127 + 128
      std::vector<std::byte> bytes(static_cast<size_t>(16 * 8 * 34));
      codec::get(codec::Id::q8_0).encode(values.data(), 16, 256, bytes.data());
      std::vector<uint8_t> strip(4096 + 256);
      std::vector<int64_t> rows(16);
      for (int64_t n = 0; n < 16; ++n) rows[static_cast<size_t>(n)] = n;
      pack_block_strip(view_of(codec::Id::q8_0, 16, 256, bytes), rows, strip.data());
      const int64_t quad = column / 16, vector = column % 16 / 4;
      for (int64_t at = 0; at < 4096; ++at) {
        const bool here = at == 256 * quad + 64 * vector + 4 * row + column % 4;
        ASSERT_EQ(strip[static_cast<size_t>(at)], here ? 255 : 128) << row << ", " << column;
      }
    }
  }
}

TEST(BlockPack, SixBitCodesLieWhereTheHeaderSays) {
  const BlockLayout& layout = *block_layout(codec::Id::q6_k);
  for (const int64_t row : {0, 3, 15}) {
    for (const int64_t column : {0, 5, 11, 13, 16, 255}) {
      std::vector<BlockRow> rows(16);
      const int code = 0b100111;
      rows[static_cast<size_t>(row)].codes[column] = code;
      std::vector<uint8_t> block(static_cast<size_t>(block_offsets(layout).bytes));
      store_block(layout, rows.data(), block.data());
      const int64_t quad = column / 16, vector = column % 16 / 4, b = 4 * row + column % 4;
      for (int64_t at = 0; at < 192 * 16; ++at) {
        const int64_t line = at % 192 / 64;
        int expected = 0;
        if (at / 192 == quad && at % 64 == b) {
          if (line == vector) expected = code;
          if (vector == 3) expected = (code >> 2 * line & 3) << 6;
        }
        ASSERT_EQ(block[static_cast<size_t>(at)], expected) << row << ", " << column;
      }
    }
  }
}

TEST(BlockPack, AffineGroupsComeBack) {
  random::Sequence draw(63);
  for (const int bits : {2, 3, 4, 8}) {
    for (const int group : {32, 64, 128}) {
      for (const AffineScale kind : {AffineScale::f16, AffineScale::bf16}) {
        const BlockLayout* layout = affine_layout(bits, group, kind);
        ASSERT_NE(layout, nullptr);
        SCOPED_TRACE(testing::Message() << "seed 63: " << layout->name);
        const int64_t rows = 7, columns = 330;  // the last group is short
        AffineWeights weights{.columns = columns};
        const int64_t groups = weights.groups(*layout);
        std::vector<uint8_t> codes, zeros;
        std::vector<uint16_t> scales;
        for (int64_t i = 0; i < rows * columns; ++i)
          codes.push_back(static_cast<uint8_t>(draw.below(uint64_t{1} << bits)));
        for (int64_t i = 0; i < rows * groups; ++i) {
          // AutoGPTQ stores zero points less one, so that 2^bits is met.
          const uint64_t most = bits == 8 ? 255 : uint64_t{1} << bits;
          zeros.push_back(static_cast<uint8_t>(draw.below(most + 1)));
          const auto scale = static_cast<float>(draw.uniform());
          scales.push_back(kind == AffineScale::f16 ? f32_to_f16(scale) : f32_to_bf16(scale));
        }
        weights.codes = codes.data();
        weights.scales = scales.data();
        weights.zeros = zeros.data();
        std::vector<uint8_t> strip(static_cast<size_t>(block_strip_bytes(*layout, columns)));
        const std::vector<int64_t> order = {6, 0, 5, 3};
        pack_affine_strip(*layout, weights, order, strip.data());
        std::vector<float> unpacked(16 * 512);
        unpack_block_strip(*layout, strip.data(), columns, unpacked.data());
        for (size_t n = 0; n < order.size(); ++n) {
          for (int64_t k = 0; k < columns; ++k) {
            const auto at = static_cast<size_t>(order[n] * groups + k / group);
            const float scale =
                kind == AffineScale::f16 ? f16_to_f32(scales[at]) : bf16_to_f32(scales[at]);
            const int code = codes[static_cast<size_t>(order[n] * columns + k)] - zeros[at];
            ASSERT_EQ(unpacked[n * 512 + static_cast<size_t>(k)], static_cast<float>(code) * scale)
                << n << ", " << k;
          }
        }
      }
    }
  }
  EXPECT_EQ(affine_layout(5, 32, AffineScale::f16), nullptr);
  EXPECT_EQ(affine_layout(4, 256, AffineScale::f16), nullptr);
}

}  // namespace
}  // namespace bittern::kernel
