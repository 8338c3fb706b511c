#include "engine/prefix_folder.h"

#include <algorithm>
#include <vector>

#include "backend/backend.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file_map.h"

namespace bittern::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "BTNPAGE1";
constexpr size_t kTokenBytes = static_cast<size_t>(backend::kPageTokens) * sizeof(int32_t);
constexpr size_t kHeaderBytes = 16 + kTokenBytes;
constexpr std::string_view kEnding = ".page";

// Everything before the page.
std::vector<std::byte> header(std::span<const int32_t> tokens, size_t page_bytes) {
  std::vector<std::byte> bytes(kHeaderBytes);
  std::ranges::copy(std::as_bytes(std::span(kMagic)), bytes.begin());
  store(bytes.data() + 8, uint64_t{page_bytes});
  std::ranges::copy(std::as_bytes(tokens), bytes.begin() + 16);
  return bytes;
}

std::string checksum(Bytes head, Bytes page) {
  Digest digest(Digest::Kind::sha256);
  digest.update(head);
  digest.update(page);
  return digest.hex();
}

struct Kept {
  fs::path path;
  int64_t bytes = 0;
  fs::file_time_type used;
};

// Pages of the folder; those that vanish meanwhile are none.
std::vector<Kept> pages_in(const fs::path& folder) {
  std::vector<Kept> pages;
  std::error_code gone;
  for (fs::directory_iterator entry(folder, gone), end; !gone && entry != end;
       entry.increment(gone)) {
    if (entry->path().extension() != kEnding) continue;
    std::error_code error;
    const auto bytes = static_cast<int64_t>(entry->file_size(error));
    const auto used = error ? fs::file_time_type() : entry->last_write_time(error);
    if (!error) pages.push_back({entry->path(), bytes, used});
  }
  return pages;
}

}  // namespace

PrefixFolder::PrefixFolder(fs::path folder, std::string identity, int64_t most_bytes)
    : folder_(std::move(folder)), identity_(std::move(identity)), most_bytes_(most_bytes) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!error) fs::permissions(folder_, fs::perms::owner_all, error);
  if (error)
    fail(ErrorKind::resources, "{}: cannot be made: {}", folder_.string(), error.message());
}

fs::path PrefixFolder::path_of(const std::string& name) const {
  return folder_ / (name + std::string(kEnding));
}

// Lengths stand before texts of any length, so that no two inputs read the same.
std::string PrefixFolder::name(std::string_view salt, std::string_view parent,
                               std::span<const int32_t> page_tokens) const {
  Digest digest(Digest::Kind::sha256);
  if (parent.empty()) digest.update(fmt::format("{} {} ", identity_.size(), salt.size()));
  if (parent.empty()) digest.update(identity_ + std::string(salt));
  digest.update(parent);
  digest.update(std::as_bytes(page_tokens));
  return digest.hex();
}

bool PrefixFolder::has(const std::string& name) const {
  std::error_code error;
  return fs::exists(path_of(name), error);
}

bool PrefixFolder::load(const std::string& name, std::span<const int32_t> page_tokens,
                        std::span<std::byte> page) {
  const fs::path path = path_of(name);
  if (!has(name)) return false;
  std::error_code error;
  try {
    const FileMap map = FileMap::open(path);
    const Bytes bytes = map.bytes();
    if (bytes.size() == kHeaderBytes + page.size() + kSha256HexLength) {
      const Bytes head = bytes.first(kHeaderBytes);
      const Bytes data = bytes.subspan(kHeaderBytes, page.size());
      if (std::ranges::equal(head, header(page_tokens, page.size())) &&
          as_text(bytes.last(kSha256HexLength)) == checksum(head, data)) {
        std::ranges::copy(data, page.begin());
        whole_.insert(name);
        fs::last_write_time(path, fs::file_time_type::clock::now(), error);
        return true;
      }
    }
  } catch (const Error&) {
    return false;  // gone meanwhile
  }
  fs::remove(path, error);
  return false;
}

bool PrefixFolder::save(const std::string& name, std::span<const int32_t> page_tokens, Bytes page) {
  if (whole_.contains(name) && has(name)) return true;
  const int64_t bytes = file_bytes(std::ssize(page));
  if (bytes > most_bytes_) return false;
  make_room(bytes);
  const std::vector<std::byte> head = header(page_tokens, page.size());
  AtomicFile file(path_of(name));
  file.write(head);
  file.write(page);
  file.write(checksum(head, page));
  file.commit();
  whole_.insert(name);
  return true;
}

int64_t PrefixFolder::file_bytes(int64_t page_bytes) {
  return page_bytes + static_cast<int64_t>(kHeaderBytes + kSha256HexLength);
}

int64_t PrefixFolder::bytes() const {
  int64_t bytes = 0;
  for (const Kept& page : pages_in(folder_)) bytes += page.bytes;
  return bytes;
}

void PrefixFolder::make_room(int64_t bytes) {
  std::vector<Kept> pages = pages_in(folder_);
  for (const Kept& page : pages) bytes += page.bytes;
  std::ranges::sort(pages, {}, &Kept::used);
  for (const Kept& page : pages) {
    if (bytes <= most_bytes_) return;
    std::error_code error;
    fs::remove(page.path, error);
    bytes -= page.bytes;
  }
}

}  // namespace bittern::engine
