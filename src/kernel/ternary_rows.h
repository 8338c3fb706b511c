// Rows of ternary tensors as the words of T2 lines, straight from the bytes of their formats: what
// packing at load is made of. Codes are rearranged many at a time inside 64-bit words; no weight is
// looked at alone and no value is made of it.
//
// Word L of a row is its four bytes of line L of a strip (pack.h): bits 2p of byte i are the code
// (weight + 1) of column 16 L + 4 p + i.
//
// Only what is plain is read: the codes 0, 1 and 2, and scales that are positive, finite and, where
// blocks have them, all the same but for blocks of zeros. Whoever meets anything else reads the
// tensor's values instead (codec::TernarySource), which says what such a tensor means or refuses
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "codec/tensor_view.h"

namespace bittern::kernel {

// Words of a row stand so far apart in a strip.
inline constexpr int64_t kWordStride = 16;

class TernaryRows {
 public:
  // Nothing for codecs and shapes that have no such way. The tensor must have been checked by its
  // container, and its bytes must live on.
  static std::optional<TernaryRows> of(const TensorView& tensor);

  // The words of a row into words[kWordStride * L], padded to t2_columns() with zero weights.
  // False where something is not plain; then the words mean nothing. Any thread may call it.
  bool read(int64_t row, uint32_t* words) const { return read_(source_, row, words); }

  // What multiplies the codes: one for each row, or the same for all. Positive and finite where
  // read(row) gave true.
  float scale(int64_t row) const;

  // What the readers of the formats need.
  struct Source {
    const std::byte* data = nullptr;
    int64_t rows = 0, columns = 0, row_bytes = 0;
    uint16_t block_scale = 0;  // bits of f16: that of the first block
  };
  using Read = bool (*)(const Source& source, int64_t row, uint32_t* words);

 private:
  Source source_;
  Read read_ = nullptr;
  codec::Id codec_ = codec::Id::f32;
  float scale_ = 0.0f;
};

}  // namespace bittern::kernel
