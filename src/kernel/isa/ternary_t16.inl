// The bytes of T1.6: five ternary codes (weight + 1) in one byte such that six of its bits index a
// table of 64 entries, which is what vpermb looks up. With c = t0 + 3 t1 + 9 t2 + 27 t3:
//
//   c < 64     t4 * 64 + c                  bits 0..5 index kPairs, t4 lies in bits 6..7
//   c >= 64    192 + (c - 64) * 3 + t4      the escape; bits 0..5 index kEscapedPairs and kFifth
//
// A "pair byte" holds t0 to t3 in bits 2p, 2p + 1, as a byte of T2 does. Bytes from 243 on are
// never written. Included inside an unnamed namespace, by the packer and by ISA files.

constexpr int kFirstEscape = 192;
constexpr int64_t kDenseColumns = 80;  // columns of a block of a strip: 4 lines, 5 in T2
constexpr int64_t kDenseBytes = 256;

struct DenseTables {
  uint8_t pairs[64], escaped_pairs[64], fifth[64];  // `fifth`: t4 * 64
};

constexpr uint8_t pair_byte(int c) {
  return static_cast<uint8_t>(c % 3 | c / 3 % 3 << 2 | c / 9 % 3 << 4 | c / 27 % 3 << 6);
}

constexpr DenseTables make_dense_tables() {
  DenseTables tables = {};
  for (int i = 0; i < 64; ++i) {
    tables.pairs[i] = pair_byte(i);
    tables.escaped_pairs[i] = pair_byte(64 + i / 3);
    tables.fifth[i] = static_cast<uint8_t>(i % 3 * 64);
  }
  return tables;
}

constexpr DenseTables kDenseTables = make_dense_tables();
