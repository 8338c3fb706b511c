#include "text/split_scan.h"

namespace bittern::text::scan {

Char decode_wide(Place at, Place end) {
  const uint32_t lead = *at;
  const uint32_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const auto left = static_cast<size_t>(end - at);
  if (left < length) return {0xfffd, static_cast<uint32_t>(left), 0};
  uint32_t code_point = lead & (0x7fu >> length);
  for (uint32_t i = 1; i < length; ++i) code_point = code_point << 6 | (at[i] & 0x3fu);
  if (code_point >= 0x110000) return {0xfffd, length, 0};
  const uint32_t block = table::kCategoryBlockOf[code_point / table::kBlockSize];
  const uint32_t within = code_point % table::kBlockSize;
  return {code_point, length, table::kCategories[block * table::kBlockSize + within]};
}

}  // namespace bittern::text::scan
