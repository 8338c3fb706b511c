// Reading, writing and checksums of files of packed weights; the format is in pack_file.h.
#include "backend/cpu/pack_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/checked_math.h"
#include "base/error.h"

namespace bittern::backend {
namespace {

constexpr std::string_view kMagic = "BITTERNP";
constexpr size_t kHeaderBytes = 40;
constexpr size_t kChecksumAt = 32;
constexpr size_t kSourceBytes = 48;
constexpr size_t kEntryBytes = 64;
// Sources are files of one checkpoint, entries its linear layers.
constexpr uint32_t kSourcesMax = 1 << 16;
constexpr uint32_t kEntriesMax = 1 << 22;

// Written at once: as large and as aligned as a huge page, so that file systems with large pages
// in their cache (ext4, XFS on a recent Linux) keep the file in such pages and maps of it have
// them.
constexpr size_t kWriteBytes = size_t{2} << 20;

constexpr size_t kSampleCount = 16;
constexpr size_t kSampleBytes = 4096;

// Appends little-endian fields.
class Fields {
 public:
  template <typename T>
  void add(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    store(bytes_.data() + at, value);
  }
  void add_bytes(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void pad_to(size_t size) { bytes_.resize(size); }
  size_t size() const { return bytes_.size(); }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

int64_t aligned(int64_t offset) {
  return (offset + kPackAlignment - 1) / kPackAlignment * kPackAlignment;
}

int64_t directory_bytes(const PackDirectory& directory) {
  return static_cast<int64_t>(kHeaderBytes + directory.sources.size() * kSourceBytes +
                              directory.entries.size() * kEntryBytes);
}

// Collects what is written into large, aligned pieces.
class PieceWriter {
 public:
  PieceWriter(AtomicFile& file, const std::function<bool()>& stopped)
      : file_(file), stopped_(stopped) {
    buffer_.reserve(kWriteBytes);
  }
  void write(Bytes bytes) {
    while (!bytes.empty()) {
      const size_t count = std::min(bytes.size(), kWriteBytes - buffer_.size());
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
      bytes = bytes.subspan(count);
      if (buffer_.size() == kWriteBytes) flush();
    }
  }
  void pad() {
    const std::vector<std::byte> zeros(static_cast<size_t>(kPackAlignment));
    const auto position = file_.bytes_written() + static_cast<int64_t>(buffer_.size());
    write(Bytes(zeros).first(static_cast<size_t>(aligned(position) - position)));
  }
  void flush() {
    if (stopped_()) fail(ErrorKind::interrupted, "writing packed weights was given up");
    file_.write(buffer_);
    buffer_.clear();
  }

 private:
  AtomicFile& file_;
  const std::function<bool()>& stopped_;
  std::vector<std::byte> buffer_;
};

// A directory as its bytes, checksum included, padded to where the payload begins.
std::vector<std::byte> encode_directory(const PackDirectory& directory) {
  Fields fields;
  fields.add_bytes(std::as_bytes(std::span(kMagic)));
  fields.add(kPackVersion);
  fields.add(static_cast<uint32_t>(directory.sources.size()));
  fields.add(static_cast<uint32_t>(directory.entries.size()));
  fields.add(uint32_t{0});
  fields.add(static_cast<uint64_t>(pack_bytes(directory)));
  fields.add(uint64_t{0});
  for (const PackSource& source : directory.sources) {
    fields.add_bytes(source.sha256);
    fields.add(static_cast<uint64_t>(source.bytes));
    fields.add(source.samples);
  }
  int64_t offset = aligned(directory_bytes(directory));
  for (const PackEntry& entry : directory.entries) {
    fields.add_bytes(entry.key);
    fields.add_bytes(std::as_bytes(std::span(entry.layout)));
    fields.pad_to(fields.size() + kLayoutNameMax - entry.layout.size());
    fields.add(static_cast<uint64_t>(offset));
    fields.add(static_cast<uint64_t>(entry.data.size()));
    fields.add(entry.checksum);
    fields.add(entry.scale);
    fields.add(uint32_t{0});
    offset = aligned(offset + static_cast<int64_t>(entry.data.size()));
  }
  store(fields.bytes().data() + kChecksumAt, pack_checksum(fields.bytes()));
  fields.pad_to(static_cast<size_t>(aligned(directory_bytes(directory))));
  return std::move(fields.bytes());
}

// The checksum of a directory, whose own field counts as 0.
uint64_t directory_checksum(Bytes directory) {
  std::vector<std::byte> copy(directory.begin(), directory.end());
  store(copy.data() + kChecksumAt, uint64_t{0});
  return pack_checksum(copy);
}

PackEntry read_entry(ByteReader& reader, Bytes file, int64_t& next_offset) {
  PackEntry entry;
  std::ranges::copy(reader.take(entry.key.size(), "key"), entry.key.begin());
  const std::string_view name = as_text(reader.take(kLayoutNameMax, "layout"));
  entry.layout = name.substr(0, name.find('\0'));
  const auto offset = reader.read<uint64_t>("offset");
  const auto bytes = reader.read<uint64_t>("bytes");
  entry.checksum = reader.read<uint64_t>("checksum");
  entry.scale = reader.read<float>("scale");
  const auto zero = reader.read<uint32_t>("entry");
  const std::string& where = reader.file_name();
  if (zero != 0) bad_input("{}: entry: 0 expected at its end, got {}", where, zero);
  if (!std::isfinite(entry.scale))
    bad_input("{}: scale: a finite number expected, got {}", where, entry.scale);
  if (offset != static_cast<uint64_t>(next_offset) || offset > file.size())
    bad_input("{}: offset: {} expected, got {}", where, next_offset, offset);
  if (bytes == 0 || bytes > file.size() - offset)
    bad_input("{}: entry: 1 to {} bytes expected, got {}", where, file.size() - offset, bytes);
  entry.data = file.subspan(offset, bytes);
  next_offset = aligned(next_offset + static_cast<int64_t>(bytes));
  return entry;
}

}  // namespace

const PackEntry* PackDirectory::find(const PackKey& key) const {
  const auto found = by_key.find(key);
  return found == by_key.end() ? nullptr : &entries[found->second];
}

PackDirectory parse_pack(Bytes file, std::string file_name) {
  ByteReader reader(file, std::move(file_name));
  const std::string& where = reader.file_name();
  const std::string_view magic = as_text(reader.take(kMagic.size(), "magic"));
  if (magic != kMagic) bad_input("{}: {} expected, got {}", where, kMagic, printable(magic));
  const auto version = reader.read<uint32_t>("version");
  if (version != kPackVersion)
    bad_input("{}: version {} expected, got {}", where, kPackVersion, version);
  const auto source_count = reader.read<uint32_t>("source count");
  const auto entry_count = reader.read<uint32_t>("entry count");
  reader.read<uint32_t>("header");
  const auto file_bytes = reader.read<uint64_t>("file bytes");
  const auto checksum = reader.read<uint64_t>("checksum");
  if (source_count < 1 || source_count > kSourcesMax || entry_count > kEntriesMax)
    bad_input("{}: 1 to {} sources and up to {} entries expected, got {} and {}", where,
              kSourcesMax, kEntriesMax, source_count, entry_count);
  const size_t head = kHeaderBytes + source_count * kSourceBytes + entry_count * kEntryBytes;
  if (file_bytes != file.size() || head > file.size())
    bad_input("{}: {} bytes expected, got {}", where, std::max<uint64_t>(file_bytes, head),
              file.size());
  if (directory_checksum(file.first(head)) != checksum)
    bad_input("{}: directory: its checksum does not fit", where);

  PackDirectory directory;
  for (uint32_t i = 0; i < source_count; ++i) {
    PackSource& source = directory.sources.emplace_back();
    std::ranges::copy(reader.take(source.sha256.size(), "digest"), source.sha256.begin());
    source.bytes = static_cast<int64_t>(reader.read<uint64_t>("source bytes"));
    source.samples = reader.read<uint64_t>("samples");
  }
  int64_t next_offset = aligned(static_cast<int64_t>(head));
  for (uint32_t i = 0; i < entry_count; ++i) {
    directory.entries.push_back(read_entry(reader, file, next_offset));
    if (!directory.by_key.emplace(directory.entries.back().key, i).second)
      bad_input("{}: entry {}: a key of its own expected", where, i);
  }
  if (directory.entries.empty() ? next_offset != static_cast<int64_t>(file.size())
                                : &directory.entries.back().data.back() != &file.back())
    bad_input("{}: {} bytes, which do not end with the last entry", where, file.size());
  return directory;
}

int64_t pack_bytes(const PackDirectory& directory) {
  int64_t offset = aligned(directory_bytes(directory));
  for (const PackEntry& entry : directory.entries)
    offset = aligned(offset) + static_cast<int64_t>(entry.data.size());
  return offset;
}

void write_pack(AtomicFile& file, PackDirectory directory, const std::function<bool()>& stopped) {
  for (PackEntry& entry : directory.entries) {
    if (stopped()) fail(ErrorKind::interrupted, "writing packed weights was given up");
    entry.checksum = pack_checksum(entry.data);
  }
  PieceWriter writer(file, stopped);
  writer.write(encode_directory(directory));
  for (const PackEntry& entry : directory.entries) {
    writer.pad();
    writer.write(entry.data);
  }
  writer.flush();
}

// Eight lanes of 64-bit words, each word folded in by a rotation and an odd factor, which are
// one-to-one: no change of a single word goes unnoticed, and no two changes cancel but by chance.
uint64_t piece_checksum(Bytes piece) {
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, odd
  constexpr size_t kLanes = 8;
  constexpr size_t kWord = sizeof(uint64_t);
  uint64_t lanes[kLanes] = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto fold = [](uint64_t lane, uint64_t word) {
    return std::rotl((lane ^ word) * kFactor, 29);
  };
  const std::byte* at = piece.data();
  size_t left = piece.size();
  for (; left >= kLanes * kWord; left -= kLanes * kWord, at += kLanes * kWord)
    for (size_t i = 0; i < kLanes; ++i) lanes[i] = fold(lanes[i], load<uint64_t>(at + i * kWord));
  std::byte tail[kLanes * kWord] = {};
  if (left > 0) std::memcpy(tail, at, left);
  uint64_t sum = piece.size();
  for (size_t i = 0; i < kLanes; ++i)
    sum = fold(sum, fold(lanes[i], load<uint64_t>(tail + i * kWord)));
  return sum ^ sum >> 32;
}

uint64_t pack_checksum(Bytes data) {
  std::vector<uint64_t> sums;
  for (size_t at = 0; at < data.size(); at += kChecksumPiece)
    sums.push_back(
        piece_checksum(data.subspan(at, std::min<size_t>(kChecksumPiece, data.size() - at))));
  return piece_checksum(std::as_bytes(std::span(sums)));
}

uint64_t sample_checksum(Bytes file) {
  std::vector<uint64_t> sums;
  for (size_t i = 0; i < kSampleCount; ++i) {
    const size_t at = file.size() / kSampleCount * i / kSampleBytes * kSampleBytes;
    sums.push_back(piece_checksum(file.subspan(at, std::min(kSampleBytes, file.size() - at))));
  }
  return piece_checksum(std::as_bytes(std::span(sums)));
}

}  // namespace bittern::backend
