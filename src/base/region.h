// A large zeroed block of memory, taken from the system page by page as it is touched. From 2 MiB
// on it begins at a multiple of 2 MiB and is marked for huge pages, so that all of it but a part
// at the end can lie in them; a smaller one begins at a page. Asking for more than is there throws
// before anything is taken, naming the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bittern {

// Throws resources, naming `what` and the bytes, where they are more than is available.
void check_available(int64_t bytes, std::string_view what);

class Region {
 public:
  Region() = default;
  // `what` names the owner in the message: "KV cache".
  Region(int64_t bytes, std::string_view what);
  ~Region();
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace bittern
