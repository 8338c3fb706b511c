// Packing of bf16 weights into the strips of bf16.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernel/bf16.h"

namespace bittern::kernel {

// Columns of a packed strip, bytes of one and of a packed [rows, columns] matrix.
int64_t bf16_columns(int64_t columns);
int64_t bf16_strip_bytes(int64_t columns);
int64_t bf16_bytes(int64_t rows, int64_t columns);

// Rows [rows.size() <= 16] of `columns` bf16 values each (bytes as in a file, any alignment) into
// bf16_strip_bytes() bytes; missing rows and columns are zeros.
void pack_bf16_strip(std::span<const std::byte* const> rows, int64_t columns, uint8_t* strip);
// The inverse: all 16 rows of bf16_columns() values.
void unpack_bf16_strip(const uint8_t* strip, int64_t columns, uint16_t* values);

}  // namespace bittern::kernel
