// Ternary formats straight into T2 words, against their values: the same strips and scales as
// packing what the codec decodes, and a refusal wherever the bytes are not plain.
#include "kernel/ternary_rows.h"

#include <cmath>
#include <limits>

#include "base/half.h"
#include "codec/ternary.h"
#include "kernel/kernel_support.h"
#include "kernel/pack.h"
#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

constexpr codec::Id kCodecs[] = {codec::Id::tq2_0,  codec::Id::tq1_0,    codec::Id::ptq1_0,
                                 codec::Id::i2_s,   codec::Id::i2_s_arm, codec::Id::i2_s_rows4,
                                 codec::Id::iq2_bn, codec::Id::iq1_bn,   codec::Id::hf_ternary};

// A tensor of random ternary values, its last byte before a guard page.
struct Ternary {
  Ternary(codec::Id id, int64_t rows, int64_t columns, uint64_t seed)
      : bytes(codec::get(id).tensor_bytes(rows, columns).value()) {
    random::Sequence draw(seed);
    const float scale = id == codec::Id::hf_ternary ? 1.0f : 0.75f;
    std::vector<float> values(static_cast<size_t>(rows * columns));
    for (float& value : values)
      value = static_cast<float>(static_cast<int>(draw.below(3)) - 1) * scale;
    // Rows of a scale of their own, and no row or block that is all zeros.
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; column += 64)
        values[static_cast<size_t>(row * columns + column)] = row % 2 == 0 ? scale : -scale;
    codec::get(id).encode(values.data(), rows, columns, bytes.data());
    view.name = "weight";
    view.codec = id;
    view.shape = {rows, columns};
    view.bytes = {bytes.data(), static_cast<size_t>(bytes.size())};
    if (id == codec::Id::hf_ternary) view.scale = 0.25f;
  }
  Guarded<std::byte> bytes;
  TensorView view;
};

// All rows of a tensor as strips of T2; false where a row is not plain.
bool read_strips(const TensorView& tensor, std::vector<uint8_t>& strips) {
  const auto rows = TernaryRows::of(tensor);
  if (!rows) return false;
  const int64_t strip_bytes = t2_strip_bytes(tensor.columns());
  strips.assign(static_cast<size_t>(t2_bytes(tensor.rows(), tensor.columns())), kT2ZeroByte);
  bool plain = true;
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    uint8_t* lines = strips.data() + row / kStripRows * strip_bytes;
    plain &= rows->read(row, reinterpret_cast<uint32_t*>(lines) + row % kStripRows);
  }
  return plain;
}

std::vector<uint8_t> strips_of_values(const TensorView& tensor) {
  const codec::TernarySource source(tensor);
  const int64_t columns = tensor.columns(), strip_bytes = t2_strip_bytes(columns);
  std::vector<uint8_t> strips(static_cast<size_t>(t2_bytes(tensor.rows(), columns)));
  std::vector<int8_t> codes(static_cast<size_t>(kStripRows * columns));
  for (int64_t first = 0; first < tensor.rows(); first += kStripRows) {
    const int64_t count = std::min(kStripRows, tensor.rows() - first);
    for (int64_t row = 0; row < count; ++row)
      source.codes(first + row, codes.data() + row * columns);
    t2_pack_strip(codes.data(), count, columns, strips.data() + first / kStripRows * strip_bytes);
  }
  return strips;
}

TEST(TernaryRows, WordsAreThoseOfTheValues) {
  for (const codec::Id id : kCodecs) {
    for (const int64_t rows : {1, 4, 16, 20}) {
      for (const int64_t columns : {1, 20, 64, 128, 192, 256, 512, 640, 2304}) {
        if (!codec::get(id).tensor_bytes(rows, columns)) continue;
        SCOPED_TRACE(testing::Message()
                     << codec::get(id).name << ", " << rows << " x " << columns << ", seed 71");
        const Ternary tensor(id, rows, columns, 71);
        const codec::TernarySource source(tensor.view);
        std::vector<uint8_t> strips;
        // I2_S runs across the ends of rows that are no multiple of its groups.
        const bool direct = id != codec::Id::i2_s || columns % 128 == 0;
        const bool arm = id != codec::Id::i2_s_arm || columns % 64 == 0;
        ASSERT_EQ(read_strips(tensor.view, strips), direct && arm);
        if (!direct || !arm) continue;
        ASSERT_EQ(strips, strips_of_values(tensor.view));
        for (int64_t row = 0; row < rows; ++row)
          ASSERT_EQ(TernaryRows::of(tensor.view)->scale(row), source.row_scale(row));
      }
    }
  }
}

// Any two bits, any digits: what is not refused is what the codec says.
TEST(TernaryRows, RandomBytesAreReadRightOrRefused) {
  int read = 0, refused = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    for (const codec::Id id : kCodecs) {
      SCOPED_TRACE(testing::Message() << codec::get(id).name << ", seed " << seed);
      Ternary tensor(id, 4, 256, seed);
      random::Sequence draw(seed);
      // A few bytes changed, scales among them.
      for (uint64_t i = 0; i <= seed % 3; ++i)
        tensor.bytes[static_cast<int64_t>(draw.below(static_cast<uint64_t>(tensor.bytes.size())))] =
            static_cast<std::byte>(draw.below(256));
      std::vector<uint8_t> strips;
      if (!read_strips(tensor.view, strips)) {
        ++refused;
        continue;
      }
      ++read;
      const codec::TernarySource source(tensor.view);
      ASSERT_TRUE(source.exact());
      ASSERT_EQ(strips, strips_of_values(tensor.view));
      for (int64_t row = 0; row < 4; ++row)
        ASSERT_EQ(TernaryRows::of(tensor.view)->scale(row), source.row_scale(row));
    }
  }
  EXPECT_GT(read, 500);
  EXPECT_GT(refused, 500);
}

// Whether all rows are read after `change`.
template <typename Change>
bool reads_after(codec::Id id, const Change& change) {
  Ternary tensor(id, 20, 512, 72);
  change(tensor);
  std::vector<uint8_t> strips;
  return read_strips(tensor.view, strips);
}

TEST(TernaryRows, Code3IsRefusedWhereverItIs) {
  for (const codec::Id id : {codec::Id::tq2_0, codec::Id::i2_s, codec::Id::i2_s_arm,
                             codec::Id::i2_s_rows4, codec::Id::iq2_bn, codec::Id::hf_ternary}) {
    const int64_t head = id == codec::Id::iq2_bn ? 4 : 0;
    for (int64_t byte = 0; byte < 64; ++byte) {
      for (int shift = 0; shift < 8; shift += 2) {
        EXPECT_FALSE(reads_after(id,
                                 [&](Ternary& tensor) {
                                   tensor.bytes[head + byte] |= static_cast<std::byte>(3 << shift);
                                 }))
            << codec::get(id).name << ", byte " << byte << ", bit " << shift;
      }
    }
  }
}

TEST(TernaryRows, ScalesThatAreNotPlainAreRefused) {
  const auto with_half = [](int64_t at, uint16_t scale) {
    return [=](Ternary& tensor) { store(tensor.bytes.data() + at, scale); };
  };
  for (const int bits : {0x8000, 0xba00, 0x7c00, 0x7e00, 0x3a01}) {
    const auto scale = static_cast<uint16_t>(bits);
    // The second block differs, then the first.
    EXPECT_FALSE(reads_after(codec::Id::tq2_0, with_half(66 + 64, scale))) << scale;
    EXPECT_FALSE(reads_after(codec::Id::tq2_0, with_half(64, scale))) << scale;
    EXPECT_FALSE(reads_after(codec::Id::tq1_0, with_half(54 + 52, scale))) << scale;
    EXPECT_FALSE(reads_after(codec::Id::ptq1_0, with_half(28 + 26, scale))) << scale;
  }
  for (const float scale : {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    const auto with_float = [&](int64_t at) {
      return [=](Ternary& tensor) { store(tensor.bytes.data() + at, scale); };
    };
    EXPECT_FALSE(reads_after(codec::Id::i2_s, with_float(20 * 512 / 4))) << scale;
    EXPECT_FALSE(reads_after(codec::Id::iq2_bn, with_float(4 + 128))) << scale;
    EXPECT_FALSE(reads_after(codec::Id::iq1_bn, with_half(2 + 104, f32_to_f16(scale)))) << scale;
    EXPECT_FALSE(reads_after(codec::Id::hf_ternary, [&](Ternary& tensor) {
      tensor.view.scale = scale;
    })) << scale;
  }
  // A scale beside the codec's own.
  EXPECT_FALSE(reads_after(codec::Id::tq2_0, [](Ternary& tensor) { tensor.view.scale = 2.0f; }));
  EXPECT_FALSE(TernaryRows::of(Ternary(codec::Id::q4_0, 16, 64, 1).view));
}

// Who writes TQ2_0 and TQ1_0 gives blocks of zeros the scale 0.
TEST(TernaryRows, ABlockOfZerosMayHaveScaleZero) {
  for (const codec::Id id : {codec::Id::tq2_0, codec::Id::tq1_0, codec::Id::ptq1_0}) {
    const codec::Codec& codec = codec::get(id);
    SCOPED_TRACE(codec.name);
    Ternary tensor(id, 2, 512, 73);
    const std::vector<float> zeros(static_cast<size_t>(codec.block_elements));
    codec.encode(zeros.data(), 1, codec.block_elements, tensor.bytes.data() + codec.block_bytes);
    std::vector<uint8_t> strips;
    ASSERT_TRUE(read_strips(tensor.view, strips));
    EXPECT_EQ(strips, strips_of_values(tensor.view));
    tensor.bytes[codec.block_bytes + 3] = std::byte{0};  // codes that are not zero
    EXPECT_FALSE(read_strips(tensor.view, strips));
  }
}

}  // namespace
}  // namespace bittern::kernel
