// Anonymous memory straight from the system; see region.h.
#include "backend/cpu/region.h"

#include <sys/mman.h>

#include <utility>

#include "base/error.h"
#include "base/memory.h"

namespace bittern::backend {

void check_available(int64_t bytes, std::string_view what) {
  const int64_t available = memory::available_bytes();
  if (bytes <= available) return;
  fail(ErrorKind::resources, "{} needs {} bytes of memory, {} are available", what, bytes,
       available);
}

Region::Region(int64_t bytes, std::string_view what) : bytes_(bytes) {
  if (bytes == 0) return;
  check_available(bytes, what);
  void* mapped = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    fail(ErrorKind::resources, "{} needs {} bytes of memory: the system refused", what, bytes);
  data_ = static_cast<std::byte*>(mapped);
  madvise(mapped, static_cast<size_t>(bytes), MADV_HUGEPAGE);  // a hint: refusal is fine
}

Region::~Region() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(bytes_));
}

Region::Region(Region&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace bittern::backend
