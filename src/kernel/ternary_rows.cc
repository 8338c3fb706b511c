// The readers of TernaryRows, one for each format; the pictures of the formats are in src/codec/.
//
// Formats of 2-bit fields are, in pieces of 16 bytes, the same square of 4 x 4 fields that a word
// of T2 is, turned: field n of byte 4 p + i belongs to column 16 n + 4 p + i, and has to become
// field p of byte i of word n. Two rounds of exchanges of bits turn 64 codes at once. Formats of
// base-3 digits become bytes first, by vector arithmetic or a table of bytes, and then words.
#include "kernel/ternary_rows.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/half.h"
#include "kernel/block_formats.h"
#include "kernel/pack.h"
#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

using Source = TernaryRows::Source;

constexpr uint64_t kFieldsLow = 0x5555555555555555;  // the low bit of every 2-bit field
constexpr uint32_t kZeroWord = 0x55555555;           // code 1 sixteen times
constexpr int64_t kWordColumns = 16;

// Not 0 where a field of `fields` is 3.
uint64_t code_3(uint64_t fields) { return fields & fields >> 1 & kFieldsLow; }

void put(uint32_t* words, int64_t line, uint64_t word) {
  words[kWordStride * line] = static_cast<uint32_t>(word);
}

// Four words, the first two in `low`.
struct Square {
  uint64_t low, high;
  uint64_t bad() const { return code_3(low) | code_3(high); }
};

// A 16-byte piece: dword p of it has, in field n of byte i, what word n has in field p of byte i.
Square turn(const std::byte* piece) {
  Square square = {load<uint64_t>(piece), load<uint64_t>(piece + 8)};
  const uint64_t nibbles = (square.low >> 4 ^ square.high) & 0x0f0f0f0f0f0f0f0f;
  square.high ^= nibbles;
  square.low ^= nibbles << 4;
  for (uint64_t* pair : {&square.low, &square.high}) {
    const uint64_t fields = (*pair ^ *pair >> 30) & 0xcccccccc;
    *pair ^= fields ^ fields << 30;
  }
  return square;
}

// A word from sixteen codes, a byte each, the first eight in `low`.
uint64_t word_of(uint64_t low, uint64_t high) {
  const uint64_t pairs = low | high << 4;  // dword p of the codes in fields p and p + 2
  return pairs | pairs >> 30;
}

void put_codes(const uint8_t* codes, int64_t columns, uint32_t* words) {
  const auto* bytes = reinterpret_cast<const std::byte*>(codes);
  for (int64_t line = 0; line < columns / kWordColumns; ++line, bytes += kWordColumns)
    put(words, line, word_of(load<uint64_t>(bytes), load<uint64_t>(bytes + 8)));
}

// Pieces of a row of 64 columns each, the first column in the lowest bits or in the highest.
template <bool kHighFirst>
bool read_pieces(const std::byte* piece, int64_t columns, uint32_t* words) {
  uint64_t bad = 0;
  for (int64_t line = 0; line < columns / kWordColumns; line += 4, piece += 16) {
    const Square square = turn(piece);
    bad |= square.bad();
    put(words, line + (kHighFirst ? 3 : 0), square.low);
    put(words, line + (kHighFirst ? 2 : 1), square.low >> 32);
    put(words, line + (kHighFirst ? 1 : 2), square.high);
    put(words, line + (kHighFirst ? 0 : 3), square.high >> 32);
  }
  return bad == 0;
}

// 128 columns in 32 bytes, of which byte m has columns m, 32 + m, 64 + m, 96 + m. What is not 0
// where a code is 3.
template <bool kHighFirst>
uint64_t read_128(const std::byte* bytes, uint32_t* words) {
  uint64_t bad = 0;
  for (int64_t half = 0; half < 2; ++half) {
    const Square square = turn(bytes + 16 * half);
    bad |= square.bad();
    put(words, half + (kHighFirst ? 6 : 0), square.low);
    put(words, half + (kHighFirst ? 4 : 2), square.low >> 32);
    put(words, half + (kHighFirst ? 2 : 4), square.high);
    put(words, half + (kHighFirst ? 0 : 6), square.high >> 32);
  }
  return bad;
}

constexpr int64_t kTq2Bytes = 66, kTq2Scale = 64;

bool is_zero_block(const std::byte* tq2_0) {
  return load<uint16_t>(tq2_0 + kTq2Scale) == 0 &&
         std::all_of(tq2_0, tq2_0 + kTq2Scale,
                     [](std::byte byte) { return byte == std::byte{kZeroWord & 255}; });
}

bool read_tq2_0(const Source& source, int64_t row, uint32_t* words) {
  const std::byte* block = source.data + row * source.row_bytes;
  uint64_t bad = 0;
  for (int64_t first = 0; first < source.columns; first += 256, block += kTq2Bytes) {
    bad |= read_128<false>(block, words);
    bad |= read_128<false>(block + 32, words + 8 * kWordStride);
    words += 16 * kWordStride;
    if (load<uint16_t>(block + kTq2Scale) != source.block_scale && !is_zero_block(block))
      return false;
  }
  return bad == 0;
}

bool read_i2_s(const Source& source, int64_t row, uint32_t* words) {
  const std::byte* bytes = source.data + row * source.row_bytes;
  uint64_t bad = 0;
  for (int64_t first = 0; first < source.columns; first += 128, bytes += 32) {
    bad |= read_128<true>(bytes, words);
    words += 8 * kWordStride;
  }
  return bad == 0;
}

bool read_i2_s_arm(const Source& source, int64_t row, uint32_t* words) {
  return read_pieces<true>(source.data + row * source.row_bytes, source.columns, words);
}

constexpr int64_t kIq2BnHead = sizeof(float), kIq1BnHead = sizeof(uint16_t);

bool is_plain(float scale) { return scale > 0.0f && std::isfinite(scale); }

bool read_iq2_bn(const Source& source, int64_t row, uint32_t* words) {
  const std::byte* head = source.data + row * source.row_bytes;
  return is_plain(load<float>(head)) &&
         read_pieces<false>(head + kIq2BnHead, source.columns, words);
}

// The digits of a byte of IQ1_BN as codes, a byte each, the first in the lowest.
constexpr std::array<uint64_t, 256> make_digits() {
  std::array<uint64_t, 256> digits = {};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned power = 81;
    for (int digit = 0; digit < 5; ++digit, power /= 3)
      digits[byte] |= uint64_t{(byte * power & 255) * 3 >> 8} << 8 * digit;
  }
  return digits;
}
constexpr std::array<uint64_t, 256> kDigits = make_digits();

bool read_iq1_bn(const Source& source, int64_t row, uint32_t* words) {
  const std::byte* block = source.data + row * source.row_bytes;
  if (!is_plain(f16_to_f32(load<uint16_t>(block)))) return false;
  block += kIq1BnHead;
  for (int64_t line = 0; line < source.columns / kWordColumns; line += 4, block += 13) {
    const auto digits = [&](int64_t byte) { return kDigits[load<uint8_t>(block + byte)]; };
    const uint64_t sixteenth = digits(12);
    for (int64_t run = 0; run < 4; ++run) {
      const uint64_t second = digits(3 * run + 1);
      const uint64_t low = digits(3 * run) | second << 40;
      const uint64_t high = second >> 24 | digits(3 * run + 2) << 16 | sixteenth >> 8 * run << 56;
      put(words, line + run, word_of(low, high));
    }
  }
  return true;
}

// Blocks of base-3 digits; scales as in TQ2_0, but for the blocks of zeros, which those who write
// these formats give the digits of zero too.
template <int64_t kColumns, int64_t kBytes, int64_t kScale>
bool read_digit_blocks(const Source& source, int64_t row, uint32_t* words,
                       void (*read)(const std::byte*, int64_t, BlockRow&)) {
  const std::byte* block = source.data + row * source.row_bytes;
  BlockRow codes;
  for (int64_t first = 0; first < source.columns; first += kColumns, block += kBytes) {
    const auto scale = load<uint16_t>(block + kScale);
    read(block, 0, codes);
    if (scale != source.block_scale) {
      const bool zeros =
          std::all_of(codes.codes, codes.codes + kColumns, [](uint8_t code) { return code == 1; });
      if (scale != 0 || !zeros) return false;
    }
    put_codes(codes.codes, kColumns, words);
    words += kColumns / kWordColumns * kWordStride;
  }
  return true;
}

bool read_tq1_0(const Source& source, int64_t row, uint32_t* words) {
  return read_digit_blocks<256, 54, 52>(source, row, words, read_tq1_0_block);
}

bool read_ptq1_0(const Source& source, int64_t row, uint32_t* words) {
  return read_digit_blocks<128, 28, 26>(source, row, words, read_ptq1_0_block);
}

// Byte c has the code of column c in the field at `shift`.
bool read_field(const std::byte* bytes, int shift, int64_t columns, uint32_t* words) {
  constexpr uint64_t kMask = 0x0303030303030303;
  uint64_t bad = 0;
  const auto word = [&](const std::byte* from) {
    const uint64_t low = load<uint64_t>(from) >> shift & kMask;
    const uint64_t high = load<uint64_t>(from + 8) >> shift & kMask;
    bad |= code_3(low) | code_3(high);
    return word_of(low, high);
  };
  int64_t line = 0;
  for (; line < columns / kWordColumns; ++line, bytes += kWordColumns)
    put(words, line, word(bytes));
  if (columns % kWordColumns != 0) {
    std::byte last[kWordColumns];
    std::fill_n(last, kWordColumns, static_cast<std::byte>(1 << shift));
    std::copy_n(bytes, columns % kWordColumns, last);
    put(words, line++, word(last));
  }
  for (; line < t2_columns(columns) / kWordColumns; ++line) put(words, line, kZeroWord);
  return bad == 0;
}

bool read_i2_s_rows4(const Source& source, int64_t row, uint32_t* words) {
  return read_field(source.data + row / 4 * source.columns, static_cast<int>(6 - 2 * (row % 4)),
                    source.columns, words);
}

bool read_hf_ternary(const Source& source, int64_t row, uint32_t* words) {
  const int64_t stripe = (source.rows + 3) / 4;
  return read_field(source.data + row % stripe * source.columns,
                    static_cast<int>(2 * (row / stripe)), source.columns, words);
}

enum class Scale : uint8_t {
  block,   // f16 in every block
  tensor,  // f32 behind the codes
  row,     // in front of every row
  view     // TensorView::scale
};

struct Format {
  codec::Id id;
  int64_t multiple;  // of which the columns must be
  Scale scale;
  TernaryRows::Read read;
  int64_t scale_offset = 0;  // in a block
};

constexpr Format kFormats[] = {
    {codec::Id::tq2_0, 256, Scale::block, read_tq2_0, kTq2Scale},
    {codec::Id::tq1_0, 256, Scale::block, read_tq1_0, 52},
    {codec::Id::ptq1_0, 128, Scale::block, read_ptq1_0, 26},
    {codec::Id::i2_s, 128, Scale::tensor, read_i2_s},
    {codec::Id::i2_s_arm, 64, Scale::tensor, read_i2_s_arm},
    {codec::Id::i2_s_rows4, 1, Scale::tensor, read_i2_s_rows4},
    {codec::Id::iq2_bn, 64, Scale::row, read_iq2_bn},
    {codec::Id::iq1_bn, 64, Scale::row, read_iq1_bn},
    {codec::Id::hf_ternary, 1, Scale::view, read_hf_ternary},
};

}  // namespace

std::optional<TernaryRows> TernaryRows::of(const TensorView& tensor) {
  const auto* format = std::ranges::find(kFormats, tensor.codec, &Format::id);
  if (format == std::end(kFormats) || tensor.elements() == 0) return std::nullopt;
  if (tensor.columns() % format->multiple != 0) return std::nullopt;
  if (format->scale != Scale::view && tensor.scale != 1.0f) return std::nullopt;
  TernaryRows rows;
  rows.read_ = format->read;
  rows.codec_ = tensor.codec;
  rows.source_ = {tensor.bytes.data(), tensor.rows(), tensor.columns(),
                  format->scale == Scale::tensor
                      ? tensor.columns() / 4
                      : codec::get(tensor.codec).tensor_bytes(1, tensor.columns()).value_or(0)};
  switch (format->scale) {
    case Scale::block:
      rows.source_.block_scale = load<uint16_t>(tensor.bytes.data() + format->scale_offset);
      rows.scale_ = f16_to_f32(rows.source_.block_scale);
      break;
    case Scale::tensor:
      rows.scale_ = load<float>(tensor.bytes.data() + tensor.elements() / 4);
      break;
    case Scale::row:
      return rows;
    case Scale::view:
      rows.scale_ = tensor.scale;
      break;
  }
  return is_plain(rows.scale_) ? std::optional(rows) : std::nullopt;
}

float TernaryRows::scale(int64_t row) const {
  const std::byte* head = source_.data + row * source_.row_bytes;
  if (codec_ == codec::Id::iq2_bn) return load<float>(head);
  if (codec_ == codec::Id::iq1_bn) return f16_to_f32(load<uint16_t>(head));
  return scale_;
}

}  // namespace bittern::kernel
