// Bytes of files: little-endian loads and stores, and a cursor that checks every length
// against what is really there before anything is allocated.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace bittern {

static_assert(std::endian::native == std::endian::little,
              "file formats here are little-endian and are read in place");

using Bytes = std::span<const std::byte>;

// Unaligned little-endian load and store of a trivially copyable value.
template <typename T>
T load(const std::byte* source) {
  T value;
  std::memcpy(&value, source, sizeof value);
  return value;
}
template <typename T>
void store(std::byte* target, T value) {
  std::memcpy(target, &value, sizeof value);
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A cursor over the bytes of a file. Every read throws bad_input naming the file, what was
// being read, the bytes wanted and the bytes left.
class ByteReader {
 public:
  ByteReader(Bytes bytes, std::string file_name)
      : bytes_(bytes), file_name_(std::move(file_name)) {}

  template <typename T>
  T read(std::string_view what) {
    return load<T>(take(sizeof(T), what).data());
  }
  // `count` bytes, in place.
  Bytes take(uint64_t count, std::string_view what);

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }
  const std::string& file_name() const { return file_name_; }

 private:
  Bytes bytes_;
  std::string file_name_;
  uint64_t position_ = 0;
};

}  // namespace bittern
