// GGUF files put together byte by byte, so that tests can write what no correct writer would.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace bittern::test {

// Bytes appended in little-endian order.
class RawBytes {
 public:
  template <typename T>
  RawBytes& put(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof value);
    return *this;
  }
  RawBytes& raw(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  RawBytes& string(std::string_view text) { return put<uint64_t>(text.size()).raw(text); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A key-value pair of any type, its value given as raw bytes.
inline std::string raw_key(std::string_view name, uint32_t type, std::string_view value) {
  return RawBytes().string(name).put(type).raw(value).bytes();
}
template <typename T>
  requires std::is_arithmetic_v<T>
std::string raw_key(std::string_view name, uint32_t type, T value) {
  return RawBytes().string(name).put(type).put(value).bytes();
}
inline std::string string_key(std::string_view name, std::string_view value) {
  return RawBytes().string(name).put<uint32_t>(8).string(value).bytes();
}

struct RawTensor {
  std::string name;
  std::vector<int64_t> ne;  // innermost first
  uint32_t type = 0;
  uint64_t offset = 0;

  std::string bytes() const {
    RawBytes out;
    out.string(name).put(static_cast<uint32_t>(ne.size()));
    for (const int64_t size : ne) out.put(size);
    return out.put(type).put(offset).bytes();
  }
};

struct RawGguf {
  std::string magic = "GGUF";
  uint32_t version = 3;
  int64_t tensor_count = -1;  // -1: as many as there are
  int64_t key_count = -1;
  std::vector<std::string> keys;
  std::vector<RawTensor> tensors;
  uint64_t data_bytes = 0;
  uint64_t alignment = 32;

  std::string bytes() const {
    RawBytes out;
    out.raw(magic).put(version);
    out.put(tensor_count >= 0 ? tensor_count : static_cast<int64_t>(tensors.size()));
    out.put(key_count >= 0 ? key_count : static_cast<int64_t>(keys.size()));
    for (const std::string& key : keys) out.raw(key);
    for (const RawTensor& tensor : tensors) out.raw(tensor.bytes());
    const size_t padding = (alignment - out.bytes().size() % alignment) % alignment;
    return out.bytes() + std::string(padding, '\0') + std::string(data_bytes, '\x11');
  }
};

}  // namespace bittern::test
