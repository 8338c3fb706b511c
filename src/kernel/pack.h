// Ternary weights in the order in which VNNI and AMX tiles read them: T2 at 2 bits and, for
// machines that decode it faster than they read it, T1.6 at 1.6 bits.
//
// Sixteen output rows make a strip; a strip is columns / 16 lines of 64 bytes (columns padded to
// a multiple of 64). A line holds 16 rows x 16 columns:
//
//   byte 4n + i, bits 2p..2p+1  =  code of row n, column k0 + 4p + i     n < 16, p < 4, i < 4
//
// with code = weight + 1 (0, 1, 2). So plane p of a line, masked in place, is 16 dwords of four
// codes times 4^p: one vpdpbusd against the broadcast dword of activations k0 + 4p .. + 3.
// Padding, in rows and in columns, is code 1 (weight 0). Why this order:
// docs/decisions/0002-linear-families.md.
//
// T1.6 stores every 80 columns (five lines of T2) in four lines of 64 bytes; what is left of the
// padded columns stays T2. Byte j of line i < 4 of a block holds five codes:
//
//   t0..t3   byte j of T2 line i, its fields p = 0..3
//   t4       field p = i of byte j of T2 line 4
//
// as one of 243 bytes, isa/ternary_t16.inl.
#pragma once

#include <cstdint>

namespace bittern::kernel {

// Columns of a packed strip.
int64_t t2_columns(int64_t columns);
// Bytes of one strip, and of a whole [rows, columns] matrix.
int64_t t2_strip_bytes(int64_t columns);
int64_t t2_bytes(int64_t rows, int64_t columns);

// codes [row_count, columns], each -1, 0 or 1, row_count <= 16, into t2_strip_bytes() bytes.
void t2_pack_strip(const int8_t* codes, int64_t row_count, int64_t columns, uint8_t* strip);
// The inverse: all 16 rows and t2_columns() columns, padding as zeros.
void t2_unpack_strip(const uint8_t* strip, int64_t columns, int8_t* codes);

// The same for T1.6; its columns are padded like those of T2.
int64_t t16_strip_bytes(int64_t columns);
void t16_pack_strip(const int8_t* codes, int64_t row_count, int64_t columns, uint8_t* strip);
// From a strip of T2.
void t16_from_t2(const uint8_t* lines, int64_t columns, uint8_t* strip);
void t16_unpack_strip(const uint8_t* strip, int64_t columns, int8_t* codes);
// What missing rows of a strip of T2 hold, in every byte: code 1 four times.
inline constexpr uint8_t kT2ZeroByte = 0x55;

}  // namespace bittern::kernel
