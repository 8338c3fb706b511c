// Tensors of block formats into strips: a strip's rows block by block, each block of the codec put
// where the layout wants it. block_formats.cc reads the codecs, block_strip.cc writes the strip.
#include "kernel/block_pack.h"

#include <algorithm>

#include "base/check.h"
#include "kernel/block_affine.h"
#include "kernel/block_formats.h"

namespace bittern::kernel {
namespace {

const BlockFormat* find_format(codec::Id id) {
  for (const BlockFormat& format : block_formats()) {
    if (format.id == id) return &format;
  }
  return nullptr;
}

}  // namespace

std::vector<const BlockLayout*> block_layouts() {
  std::vector<const BlockLayout*> layouts;
  for (const BlockFormat& format : block_formats()) layouts.push_back(&format.layout);
  for (const BlockLayout& layout : affine_layouts()) layouts.push_back(&layout);
  return layouts;
}

const BlockLayout* block_layout(codec::Id id) {
  const BlockFormat* format = find_format(id);
  return format == nullptr ? nullptr : &format->layout;
}

int64_t block_count(int64_t columns) { return (columns + kBlockColumns - 1) / kBlockColumns; }

int64_t block_strip_bytes(const BlockLayout& layout, int64_t columns) {
  return block_count(columns) * block_offsets(layout).bytes;
}

int64_t block_bytes(const BlockLayout& layout, int64_t rows, int64_t columns) {
  return (rows + kBlockStripRows - 1) / kBlockStripRows * block_strip_bytes(layout, columns);
}

void pack_block_strip(const TensorView& tensor, std::span<const int64_t> rows, uint8_t* strip) {
  const BlockFormat* format = find_format(tensor.codec);
  const codec::Codec& codec = codec::get(tensor.codec);
  BITTERN_CHECK(format != nullptr, "{}: {} has no block layout", printable(tensor.name),
                codec.name);
  const int64_t columns = tensor.columns();
  const int64_t elements = codec.block_elements;
  const int64_t row_bytes = columns / elements * codec.block_bytes;
  const int64_t block_bytes = block_offsets(format->layout).bytes;
  for (int64_t first = 0; first < columns; first += kBlockColumns) {
    BlockRow block[kBlockStripRows];
    const int64_t count = std::min(kBlockColumns, columns - first);
    for (size_t n = 0; n < kBlockStripRows; ++n) {
      clear_block_row(format->layout, block[n]);
      if (n >= rows.size()) continue;
      const std::byte* bytes =
          tensor.bytes.data() + rows[n] * row_bytes + first / elements * codec.block_bytes;
      for (int64_t at = 0; at < count; at += elements, bytes += codec.block_bytes)
        format->read(bytes, at, block[n]);
    }
    store_block(format->layout, block, strip);
    strip += block_bytes;
  }
}

void unpack_block_strip(const BlockLayout& layout, const uint8_t* strip, int64_t columns,
                        float* values) {
  const int64_t blocks = block_count(columns);
  for (int64_t b = 0; b < blocks; ++b, strip += block_offsets(layout).bytes) {
    BlockRow rows[kBlockStripRows];
    load_block(layout, strip, rows);
    for (int64_t n = 0; n < kBlockStripRows; ++n)
      decode_block_row(layout, rows[n], values + (n * blocks + b) * kBlockColumns);
  }
}

}  // namespace bittern::kernel
