#include "base/file_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace bittern {
namespace {

// Closes a descriptor on every way out.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

std::string reason(int code) {
  return code == ENOENT ? "no such file" : std::generic_category().message(code);
}

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

int64_t nanoseconds(const struct timespec& time) {
  return int64_t{time.tv_sec} * kNanosecondsPerSecond + time.tv_nsec;
}

// A file system stamps with the tick of the coarse clock, so a change after `now` shows if the last
// one was before it. (Linux: current_time() in fs/inode.c.) Where stamps are whole milliseconds the
// file system keeps no finer ones (FAT: two seconds), and the clock may be another machine's.
bool is_settled(int64_t changed_ns, int64_t now_ns) {
  constexpr int64_t kFineNs = 1'000'000;
  constexpr int64_t kCoarseStampNs = 3 * kNanosecondsPerSecond;
  return changed_ns % kFineNs == 0 ? changed_ns + kCoarseStampNs < now_ns : changed_ns < now_ns;
}

int64_t tick_now_ns() {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now);
}

// `now_ns` was read before the facts were: what is written after them has a later stamp than what
// came before it.
FileStamp make_stamp(const struct stat& facts, int64_t now_ns) {
  FileStamp stamp{.device = facts.st_dev,
                  .inode = facts.st_ino,
                  .bytes = facts.st_size,
                  .modified_ns = nanoseconds(facts.st_mtim),
                  .changed_ns = nanoseconds(facts.st_ctim)};
  stamp.settled = is_settled(stamp.changed_ns, now_ns) && is_settled(stamp.modified_ns, now_ns);
  return stamp;
}

struct Unmap {
  size_t size;
  void operator()(const std::byte* data) const { ::munmap(const_cast<std::byte*>(data), size); }
};

// Calls advise(address, bytes) for the pages that overlap a part.
template <typename Advise>
void for_pages_around(Bytes part, const Advise& advise) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(part.data()) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(part.data()) + part.size();
  if (begin < end) advise(reinterpret_cast<void*>(begin), end - begin);
}

}  // namespace

FileMap FileMap::open(const std::filesystem::path& path) {
  FileMap map;
  map.name_ = path.string();
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) bad_input("{}: {}", map.name_, reason(errno));
  const int64_t now_ns = tick_now_ns();
  struct stat facts {};
  if (::fstat(file.value, &facts) != 0) bad_input("{}: {}", map.name_, reason(errno));
  if (!S_ISREG(facts.st_mode)) bad_input("{}: not a regular file", map.name_);
  map.stamp_ = make_stamp(facts, now_ns);
  map.size_ = static_cast<size_t>(facts.st_size);
  if (map.size_ == 0) return map;
  void* address = ::mmap(nullptr, map.size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) {
    fail(ErrorKind::resources, "{}: cannot map {} bytes: {}", map.name_, facts.st_size,
         reason(errno));
  }
  map.data_ = {static_cast<const std::byte*>(address), Unmap{map.size_}};
  return map;
}

std::optional<FileStamp> FileMap::stamp_of(const std::filesystem::path& path) {
  const int64_t now_ns = tick_now_ns();
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  return make_stamp(facts, now_ns);
}

void FileMap::populate(Bytes part) {
  for_pages_around(part, [](void* address, size_t size) {
#ifdef MADV_POPULATE_READ
    if (::madvise(address, size, MADV_POPULATE_READ) == 0) return;
#endif
    ::madvise(address, size, MADV_WILLNEED);
  });
}

// Looking for pages that are there already takes as long as mapping them, so the first and the last
// one speak for all.
bool FileMap::is_resident(Bytes part) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  unsigned char first_there = 1, last_there = 1;
  for_pages_around(part, [&](void* address, size_t size) {
    auto* last = static_cast<std::byte*>(address) + (size - 1) / page * page;
    ::mincore(address, 1, &first_there);
    ::mincore(last, 1, &last_there);
  });
  return (first_there & last_there & 1) != 0;
}

void FileMap::read_ahead(Bytes part) {
  if (is_resident(part)) return;
  for_pages_around(part,
                   [](void* address, size_t size) { ::madvise(address, size, MADV_WILLNEED); });
}

void FileMap::prefer_huge_pages() {
  for_pages_around(bytes(), [](void* address, size_t size) {
    ::madvise(address, size, MADV_HUGEPAGE);  // a hint: refusal is fine
  });
}

void FileMap::release(Bytes part) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::string read_text_file(const std::filesystem::path& path, int64_t limit_bytes) {
  const FileMap map = FileMap::open(path);
  if (static_cast<int64_t>(map.bytes().size()) > limit_bytes)
    bad_input("{}: {} bytes, at most {} expected", map.name(), map.bytes().size(), limit_bytes);
  return std::string(as_text(map.bytes()));
}

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".part") {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    fail(ErrorKind::resources, "{}: cannot write: {}", temporary_.string(), reason(errno));
  temporary_ours_ = true;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  discard();
}

void AtomicFile::discard() {
  if (std::exchange(temporary_ours_, false)) ::unlink(temporary_.c_str());
}

void AtomicFile::write(Bytes bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      fail(ErrorKind::resources, "{}: cannot write: {}", temporary_.string(), reason(errno));
    done += static_cast<size_t>(count);
  }
  bytes_written_ += static_cast<int64_t>(bytes.size());
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::fail_finishing(int error) {
  discard();
  fail(ErrorKind::resources, "{}: cannot finish writing: {}", path_.string(), reason(error));
}

void AtomicFile::seal() {
  if (descriptor_ < 0) return;
  const int descriptor = std::exchange(descriptor_, -1);
  const int sync_error = ::fsync(descriptor) == 0 ? 0 : errno;
  const int close_error = ::close(descriptor) == 0 ? 0 : errno;
  if (sync_error != 0) fail_finishing(sync_error);
  if (close_error != 0) fail_finishing(close_error);
}

void AtomicFile::commit() {
  seal();
  rename_to_path();
}

void AtomicFile::commit_unsynced() {
  if (descriptor_ >= 0 && ::close(std::exchange(descriptor_, -1)) != 0) fail_finishing(errno);
  rename_to_path();
}

void AtomicFile::rename_to_path() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_finishing(errno);
  temporary_ours_ = false;
}

}  // namespace bittern
