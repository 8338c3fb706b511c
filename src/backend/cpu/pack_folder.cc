// Names, links and housekeeping of the folder of packed weights; see pack_folder.h.
#include "backend/cpu/pack_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/digest.h"
#include "base/error.h"

namespace bittern::backend {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNameDigits = 32;
constexpr std::string_view kPackEnding = ".pack";
constexpr std::string_view kLinkEnding = ".of";
constexpr std::string_view kPartEnding = ".part";
constexpr std::string_view kLock = "lock";

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<int>(byte));
  return text;
}

std::string link_name(std::span<const FileStamp> stamps) {
  Digest digest(Digest::Kind::sha256);
  for (const FileStamp& stamp : stamps)
    digest.update(fmt::format("{} {} {} {} {}\n", stamp.device, stamp.inode, stamp.bytes,
                              stamp.modified_ns, stamp.changed_ns));
  return digest.hex().substr(0, kNameDigits).append(kLinkEnding);
}

bool is_pack_name(std::string_view name) {
  return name.ends_with(kPackEnding) &&
         is_hex(name.substr(0, name.size() - kPackEnding.size()), kNameDigits);
}

// Whether a pack was made of nothing but these files. A damaged one was made of nobody knows what.
bool is_made_of(const fs::path& pack, const std::vector<std::string>& sha256) {
  try {
    const FileMap map = FileMap::open(pack);
    const PackDirectory directory = parse_pack(map.bytes(), pack.string());
    return std::ranges::all_of(directory.sources, [&](const PackSource& source) {
      return std::ranges::find(sha256, hex(source.sha256)) != sha256.end();
    });
  } catch (const Error&) {
    return false;
  }
}

int64_t remove_file(const fs::path& path, int64_t bytes) {
  std::error_code error;
  return fs::remove(path, error) ? bytes : 0;
}

}  // namespace

std::optional<fs::path> PackFolder::find(std::span<const FileStamp> stamps) const {
  std::error_code error;
  const fs::path name = fs::read_symlink(path_ / link_name(stamps), error);
  if (error || !is_pack_name(name.native())) return std::nullopt;
  const fs::path pack = path_ / name;
  return fs::is_regular_file(pack, error) ? std::optional(pack) : std::nullopt;
}

fs::path PackFolder::pack_of(std::span<const PackSource> sources) const {
  Digest digest(Digest::Kind::sha256);
  for (const PackSource& source : sources) digest.update(source.sha256);
  return path_ / digest.hex().substr(0, kNameDigits).append(kPackEnding);
}

void PackFolder::link(std::span<const FileStamp> stamps, const fs::path& pack) const {
  const fs::path link = path_ / link_name(stamps);
  std::error_code error;
  fs::remove(link, error);
  fs::create_symlink(pack.filename(), link, error);
  if (error) fail(ErrorKind::resources, "{}: cannot make it: {}", link.string(), error.message());
}

void PackFolder::touch(const fs::path& pack) {
  std::error_code error;
  fs::last_write_time(pack, fs::file_time_type::clock::now(), error);
}

std::vector<PackFolder::Pack> PackFolder::list() const {
  std::vector<Pack> packs;
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (!is_pack_name(at->path().filename().native()) || !at->is_regular_file(gone)) continue;
    const auto bytes = at->file_size(gone);
    const auto used = at->last_write_time(gone);
    if (!gone) packs.push_back({at->path(), static_cast<int64_t>(bytes), used});
  }
  std::ranges::sort(packs, [](const Pack& a, const Pack& b) {
    return a.used != b.used ? a.used < b.used : a.path < b.path;
  });
  return packs;
}

void PackFolder::make_room(int64_t bytes, int64_t limit, const fs::path& but) const {
  std::error_code error;
  std::vector<fs::path> unfinished;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error))
    if (at->path().native().ends_with(kPartEnding)) unfinished.push_back(at->path());
  for (const fs::path& path : unfinished) fs::remove(path, error);

  const std::vector<Pack> packs = list();
  int64_t total = bytes;
  for (const Pack& pack : packs)
    if (pack.path != but) total += pack.bytes;
  for (const Pack& pack : packs)
    if (total > limit && pack.path != but) total -= remove_file(pack.path, pack.bytes);
  remove_dangling_links();
}

int64_t PackFolder::remove(const std::vector<std::string>* sha256) const {
  std::error_code error;
  if (!fs::is_directory(path_, error)) return 0;
  int64_t bytes = 0;
  for (const Pack& pack : list())
    if (sha256 == nullptr || is_made_of(pack.path, *sha256))
      bytes += remove_file(pack.path, pack.bytes);
  remove_dangling_links();
  return bytes;
}

void PackFolder::remove_dangling_links() const {
  std::error_code error;
  std::vector<fs::path> dangling;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (at->path().native().ends_with(kLinkEnding) && at->is_symlink(gone) &&
        !fs::exists(at->path(), gone))
      dangling.push_back(at->path());
  }
  for (const fs::path& path : dangling) fs::remove(path, error);
}

PackLock::PackLock(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path path = folder / kLock;
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    fail(ErrorKind::resources, "{}: cannot write: {}", path.string(),
         std::generic_category().message(errno));
  }
  held_ = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
}

PackLock::~PackLock() { ::close(descriptor_); }

}  // namespace bittern::backend
