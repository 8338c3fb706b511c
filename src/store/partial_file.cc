#include "store/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file_map.h"
#include "base/json.h"
#include "base/json_write.h"
#include "store/limits.h"

namespace bittern::model_store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = size_t{1} << 20;

fs::path with_suffix(const fs::path& path, std::string_view suffix) {
  return path.string() + std::string(suffix);
}

[[noreturn]] void cannot_write(const fs::path& path, int code) {
  fail(ErrorKind::resources, "{}: cannot write: {}", path.string(),
       code == ENOSPC ? "the disk is full" : std::strerror(code));
}

// A note that cannot be read is no note; a hostile one can at most cost a transfer from the start,
// as the digest is computed from the bytes themselves.
Place parse_note(std::string_view text, const std::string& source, const fs::path& path) {
  try {
    const auto document = json::Document::parse(text, path.string());
    const json::Value root = document->root();
    if (root.get_string("source") != source) return {};
    const auto number = [&](std::string_view key) {
      const int64_t value = root.get_integer(key).value_or(0);
      if (value < 0) bad_input("{}: {}", path.string(), key);
      return value;
    };
    Place place;
    place.piece = static_cast<size_t>(number("piece"));
    place.piece_start = number("piece_start");
    place.point = {number("in"), number("out"), static_cast<int>(number("bits") % 8),
                   static_cast<uint8_t>(number("byte") % 256)};
    place.etag = root.get_string("etag").value_or("");
    return place;
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

Place PartialFile::noted_place(const fs::path& target, const std::string& source) {
  const fs::path note = with_suffix(target, ".partial.json");
  const fs::path file = with_suffix(target, ".partial");
  std::error_code error;
  if (!fs::is_regular_file(note, error)) return {};
  Place place;
  try {
    place = parse_note(read_text_file(note, kManifestBytesMax), source, note);
  } catch (const Error&) {
    return {};
  }
  const auto present = fs::file_size(file, error);
  if (error || place.piece_start > static_cast<int64_t>(present) ||
      place.point.out > static_cast<int64_t>(present) - place.piece_start)
    return {};
  return place;
}

PartialFile::PartialFile(const fs::path& target, std::string source)
    : target_(target),
      file_(with_suffix(target, ".partial")),
      note_(with_suffix(target, ".partial.json")),
      source_(std::move(source)) {
  start_ = noted_place(target, source_);
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) cannot_write(file_, errno);
  cut(start_.bytes());
}

PartialFile::~PartialFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void PartialFile::write(Bytes bytes) {
  digest_.update(bytes);
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), bytes_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) cannot_write(file_, errno);
    bytes_ += count;
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

// Everything from `offset` to the end.
void PartialFile::each_block(int64_t offset, const std::function<void(Bytes)>& take) const {
  std::vector<std::byte> block(kBlockBytes);
  for (int64_t at = offset; at < bytes_;) {
    const auto wanted = std::min<int64_t>(bytes_ - at, static_cast<int64_t>(block.size()));
    const ssize_t count = ::pread(descriptor_, block.data(), static_cast<size_t>(wanted), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      fail(ErrorKind::resources, "{}: cannot read back: {}", file_.string(),
           count == 0 ? "it became shorter" : std::strerror(errno));
    take(Bytes(block).first(static_cast<size_t>(count)));
    at += count;
  }
}

std::vector<std::byte> PartialFile::tail(int64_t offset, int64_t count) const {
  count = std::min(count, offset);
  std::vector<std::byte> bytes(static_cast<size_t>(count));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(descriptor_, bytes.data() + done, bytes.size() - done,
                                offset - count + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(ErrorKind::resources, "{}: cannot read back", file_.string());
    done += static_cast<size_t>(got);
  }
  return bytes;
}

void PartialFile::cut(int64_t bytes) {
  if (::ftruncate(descriptor_, bytes) != 0) cannot_write(file_, errno);
  bytes_ = bytes;
  digest_ = Digest(Digest::Kind::sha256);
  each_block(0, [this](Bytes block) { digest_.update(block); });
}

void PartialFile::note(const Place& place) {
  if (discarded_) return;
  if (::fdatasync(descriptor_) != 0) cannot_write(file_, errno);
  const JsonBuilder document = {{"source", source_},        {"etag", place.etag},
                                {"piece", place.piece},     {"piece_start", place.piece_start},
                                {"in", place.point.in},     {"out", place.point.out},
                                {"bits", place.point.bits}, {"byte", place.point.byte}};
  AtomicFile file(note_);
  file.write(to_text(document) + "\n");
  file.commit();
}

std::string PartialFile::sha256() { return digest_.hex(); }

std::string PartialFile::git_sha1() const {
  Digest digest(Digest::Kind::sha1);
  digest.update(fmt::format("blob {}", bytes_));
  digest.update(std::string_view("\0", 1));
  each_block(0, [&](Bytes block) { digest.update(block); });
  return digest.hex();
}

uint32_t PartialFile::crc32_from(int64_t offset) const {
  uint32_t crc = 0;
  each_block(offset, [&](Bytes block) { crc = crc32(crc, block); });
  return crc;
}

void PartialFile::commit() {
  if (::fsync(descriptor_) != 0 || ::rename(file_.c_str(), target_.c_str()) != 0)
    cannot_write(target_, errno);
  ::unlink(note_.c_str());
}

void PartialFile::discard() {
  discarded_ = true;
  ::unlink(file_.c_str());
  ::unlink(note_.c_str());
}

}  // namespace bittern::model_store
