#include "base/zip.h"

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace bittern {

std::vector<std::byte> MemorySource::read(int64_t offset, int64_t length) {
  const Bytes part = bytes_.subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
  return {part.begin(), part.end()};
}

namespace zip {
namespace {

constexpr uint32_t kEndMark = 0x06054b50, kEntryMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr uint32_t kEnd64Mark = 0x06064b50, kLocator64Mark = 0x07064b50;
constexpr int64_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56, kLocalBytes = 30;
constexpr int64_t kEntryBytes = 46;
constexpr int64_t kCommentBytesMax = 65535;
constexpr uint32_t kSeeZip64 = 0xffffffff;  // the true value stands in the zip64 field
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kEncrypted = 1;
// A wheel's directory is some kilobytes, that of the largest archives some tens of megabytes.
constexpr int64_t kDirectoryBytesMax = int64_t{256} << 20;

struct Directory {
  int64_t offset = 0, bytes = 0;
  uint64_t count = 0;
};

// A size or an offset from the archive: at most that of the archive itself.
int64_t inside(const RangeSource& source, uint64_t value, std::string_view what) {
  if (value > static_cast<uint64_t>(source.size()))
    bad_input("{}: zip: {}: at most {} expected, got {}", source.name(), what, source.size(),
              value);
  return static_cast<int64_t>(value);
}

void require_range(const RangeSource& source, int64_t offset, int64_t length,
                   std::string_view what) {
  if (length > source.size() - offset)
    bad_input("{}: zip: {}: {} bytes expected at {}, the archive ends at {}", source.name(), what,
              length, offset, source.size());
}

Bytes checked_read(RangeSource& source, int64_t offset, int64_t length, std::string_view what,
                   std::vector<std::byte>& buffer) {
  require_range(source, offset, length, what);
  buffer = source.read(offset, length);
  return buffer;
}

void expect_mark(ByteReader& reader, uint32_t mark, std::string_view what) {
  const auto found = reader.read<uint32_t>(what);
  if (found != mark)
    bad_input("{}: zip: {}: signature {:08x} expected, got {:08x}", reader.file_name(), what, mark,
              found);
}

// The end record of a large archive, where its locator stands before the ordinary one.
std::optional<Directory> read_end64(RangeSource& source, int64_t end_offset) {
  if (end_offset < kLocatorBytes) return std::nullopt;
  std::vector<std::byte> buffer = source.read(end_offset - kLocatorBytes, kLocatorBytes);
  if (load<uint32_t>(buffer.data()) != kLocator64Mark) return std::nullopt;
  const int64_t offset =
      inside(source, load<uint64_t>(buffer.data() + 8), "offset of the zip64 end record");
  ByteReader reader(checked_read(source, offset, kEnd64Bytes, "zip64 end record", buffer),
                    source.name());
  expect_mark(reader, kEnd64Mark, "zip64 end record");
  reader.take(8 + 2 + 2 + 4 + 4 + 8,
              "zip64 end record");  // its size, versions, disks, entries here
  Directory directory;
  directory.count = reader.read<uint64_t>("entry count");
  directory.bytes = inside(source, reader.read<uint64_t>("directory size"), "directory size");
  directory.offset = inside(source, reader.read<uint64_t>("directory offset"), "directory offset");
  return directory;
}

Directory find_directory(RangeSource& source) {
  if (source.size() < kEndBytes)
    bad_input("{}: zip: at least {} bytes expected, got {}", source.name(), kEndBytes,
              source.size());
  const int64_t tail = std::min(source.size(), kEndBytes + kCommentBytesMax);
  const int64_t tail_offset = source.size() - tail;
  const std::vector<std::byte> bytes = source.read(tail_offset, tail);
  for (int64_t at = tail - kEndBytes; at >= 0; --at) {
    const std::byte* end = bytes.data() + at;
    // The comment must fill the rest exactly, so that a mark inside it is not taken for the end.
    if (load<uint32_t>(end) != kEndMark || load<uint16_t>(end + 20) != tail - kEndBytes - at)
      continue;
    if (load<uint16_t>(end + 4) != 0 || load<uint16_t>(end + 6) != 0)
      fail(ErrorKind::unsupported, "{}: zip: an archive over several disks", source.name());
    if (const auto large = read_end64(source, tail_offset + at)) return *large;
    Directory directory;
    directory.count = load<uint16_t>(end + 10);
    directory.bytes = inside(source, load<uint32_t>(end + 12), "directory size");
    directory.offset = inside(source, load<uint32_t>(end + 16), "directory offset");
    return directory;
  }
  bad_input("{}: zip: an end record expected in the last {} bytes, got none", source.name(), tail);
}

// Replaces the fields that are too large for 32 bits, in the order in which the extra field has
// them: size, packed size, offset.
void read_zip64_extra(ByteReader extra, uint64_t& bytes, uint64_t& packed, uint64_t& offset) {
  while (extra.remaining() >= 4) {
    const auto id = extra.read<uint16_t>("extra field");
    const auto length = extra.read<uint16_t>("extra field");
    ByteReader field(extra.take(length, "extra field"), extra.file_name());
    if (id != kZip64Extra) continue;
    for (uint64_t* value : {&bytes, &packed, &offset})
      if (*value == kSeeZip64) *value = field.read<uint64_t>("zip64 field");
    return;
  }
}

Method read_method(const RangeSource& source, const std::string& name, uint16_t flags,
                   uint16_t method) {
  if ((flags & kEncrypted) != 0)
    fail(ErrorKind::unsupported, "{}: zip: member '{}' is encrypted", source.name(),
         printable(name));
  if (method != static_cast<uint16_t>(Method::stored) &&
      method != static_cast<uint16_t>(Method::deflated))
    fail(ErrorKind::unsupported, "{}: zip: member '{}': method {}; stored and deflated can be read",
         source.name(), printable(name), method);
  return static_cast<Method>(method);
}

Entry read_entry(const RangeSource& source, ByteReader& reader) {
  expect_mark(reader, kEntryMark, "directory entry");
  reader.take(4, "versions");
  const auto flags = reader.read<uint16_t>("flags");
  const auto method = reader.read<uint16_t>("method");
  reader.take(4, "time");
  Entry entry;
  entry.crc32 = reader.read<uint32_t>("crc-32");
  uint64_t packed = reader.read<uint32_t>("packed size");
  uint64_t bytes = reader.read<uint32_t>("size");
  const auto name_bytes = reader.read<uint16_t>("name length");
  const auto extra_bytes = reader.read<uint16_t>("extra length");
  const auto comment_bytes = reader.read<uint16_t>("comment length");
  reader.take(2 + 2 + 4, "disk, attributes");
  uint64_t offset = reader.read<uint32_t>("local header offset");
  entry.name = as_text(reader.take(name_bytes, "name"));
  read_zip64_extra(ByteReader(reader.take(extra_bytes, "extra field"), reader.file_name()), bytes,
                   packed, offset);
  reader.take(comment_bytes, "comment");
  entry.method = read_method(source, entry.name, flags, method);
  entry.packed_bytes = inside(source, packed, "packed size");
  entry.header_offset = inside(source, offset, "local header offset");
  // Deflate makes at most 1032 bytes of one; a larger claim is a lie.
  constexpr uint64_t kDeflateRatioMax = 1032;
  const uint64_t most = entry.method == Method::stored ? packed : packed * kDeflateRatioMax;
  if (bytes > most)
    bad_input("{}: zip: member '{}': at most {} bytes fit into {} packed ones, got {}",
              source.name(), printable(entry.name), most, packed, bytes);
  entry.bytes = static_cast<int64_t>(bytes);
  return entry;
}

}  // namespace

std::vector<Entry> read_directory(RangeSource& source) {
  const Directory directory = find_directory(source);
  if (directory.bytes > kDirectoryBytesMax ||
      directory.count > static_cast<uint64_t>(directory.bytes / kEntryBytes))
    bad_input("{}: zip: {} entries in a directory of {} bytes", source.name(), directory.count,
              directory.bytes);
  std::vector<std::byte> buffer;
  ByteReader reader(
      checked_read(source, directory.offset, directory.bytes, "central directory", buffer),
      source.name());
  std::vector<Entry> entries;
  entries.reserve(directory.count);
  for (uint64_t i = 0; i < directory.count; ++i) entries.push_back(read_entry(source, reader));
  return entries;
}

int64_t data_offset(RangeSource& source, const Entry& entry) {
  std::vector<std::byte> buffer;
  ByteReader reader(checked_read(source, entry.header_offset, kLocalBytes, "local header", buffer),
                    source.name());
  expect_mark(reader, kLocalMark, "local header");
  reader.take(2 + 2 + 2 + 4 + 4 + 4 + 4, "local header");
  const int64_t name_bytes = reader.read<uint16_t>("name length");
  const int64_t extra_bytes = reader.read<uint16_t>("extra length");
  const int64_t offset = entry.header_offset + kLocalBytes + name_bytes + extra_bytes;
  require_range(source, offset, entry.packed_bytes, "member data");
  return offset;
}

}  // namespace zip
}  // namespace bittern
