// Anonymous memory straight from the system; see region.h.
#include "base/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "base/error.h"
#include "base/memory.h"

namespace bittern {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

// As the system hands it out and takes it back: whole pages.
int64_t in_pages(int64_t bytes) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}

std::byte* map_pages(int64_t bytes) {
  void* mapped = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

void unmap(std::byte* from, int64_t bytes) {
  if (bytes > 0) munmap(from, static_cast<size_t>(bytes));
}

// Whole pages from a multiple of kHugePage on: more is mapped, and what stands over given back.
std::byte* map_aligned(int64_t bytes) {
  std::byte* mapped = map_pages(bytes + kHugePage);
  if (mapped == nullptr) return nullptr;
  const auto over = static_cast<int64_t>(reinterpret_cast<uintptr_t>(mapped) % kHugePage);
  const int64_t before = over == 0 ? 0 : kHugePage - over;
  unmap(mapped, before);
  unmap(mapped + before + bytes, kHugePage - before);
  return mapped + before;
}

}  // namespace

void check_available(int64_t bytes, std::string_view what) {
  const int64_t available = memory::available_bytes();
  if (bytes <= available) return;
  fail(ErrorKind::resources, "{} needs {} bytes of memory, {} are available", what, bytes,
       available);
}

Region::Region(int64_t bytes, std::string_view what) : bytes_(bytes) {
  if (bytes == 0) return;
  check_available(bytes, what);
  const int64_t whole = in_pages(bytes);
  data_ = bytes < kHugePage ? map_pages(whole) : map_aligned(whole);
  if (data_ == nullptr)
    fail(ErrorKind::resources, "{} needs {} bytes of memory: the system refused", what, bytes);
  madvise(data_, static_cast<size_t>(bytes), MADV_HUGEPAGE);  // a hint: refusal is fine
}

Region::~Region() {
  if (data_ != nullptr) unmap(data_, in_pages(bytes_));
}

Region::Region(Region&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace bittern
