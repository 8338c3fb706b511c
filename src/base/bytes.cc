#include "base/bytes.h"

#include "base/error.h"

namespace bittern {

Bytes ByteReader::take(uint64_t count, std::string_view what) {
  if (count > remaining())
    bad_input("{}: {}: {} bytes expected at byte {}, file ends after {}", file_name_, what, count,
              position_, bytes_.size());
  const Bytes taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

}  // namespace bittern
