// The directory of a zip archive, read by ranges, so that one member of a remote archive costs its
// own bytes and no more.
//
//   local header, data | ... | central directory | [zip64 end, locator] | end record, comment
//
// The end record is found from the back; every size and offset is held against the archive's own
// size before it is used. Encrypted and multi-disk archives are refused. Source: PKWARE
// APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3 (zip64).
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace bittern {

// Bytes that can be read in any order, here or far away.
class RangeSource {
 public:
  virtual ~RangeSource() = default;
  virtual int64_t size() const = 0;
  // Exactly `length` bytes from `offset`, a range inside the source. Throws Error.
  virtual std::vector<std::byte> read(int64_t offset, int64_t length) = 0;
  virtual const std::string& name() const = 0;
};

// A source in memory (a mapped file).
class MemorySource final : public RangeSource {
 public:
  MemorySource(Bytes bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  std::vector<std::byte> read(int64_t offset, int64_t length) override;
  const std::string& name() const override { return name_; }

 private:
  Bytes bytes_;
  std::string name_;
};

namespace zip {

enum class Method : uint16_t { stored = 0, deflated = 8 };

struct Entry {
  std::string name;  // as written: not yet safe to use as a path
  Method method = Method::stored;
  int64_t packed_bytes = 0, bytes = 0;
  uint32_t crc32 = 0;
  int64_t header_offset = 0;  // of its local header
};

// Members in the order of the directory. Throws bad_input naming the source, the field, expected
// and got; Error{unsupported} for encryption and for methods other than the two.
std::vector<Entry> read_directory(RangeSource& source);

// Where the member's packed bytes begin (they all lie inside the source).
int64_t data_offset(RangeSource& source, const Entry& entry);

}  // namespace zip
}  // namespace bittern
