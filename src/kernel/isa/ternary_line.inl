// The plain product of a line of T2 (pack.h).

// Adds row n's 4 bytes of pairs: columns i, 4 + i, 8 + i, 12 + i of `codes` for i < 4.
void add_line(const uint8_t* line, const int8_t* codes, int32_t* total) {
  for (int64_t n = 0; n < kStripRows; ++n) {
    for (int64_t i = 0; i < 4; ++i) {
      const int32_t four = line[4 * n + i];
      for (int64_t p = 0; p < 4; ++p) total[n] += (four >> 2 * p & 3) * codes[4 * p + i];
    }
  }
}
