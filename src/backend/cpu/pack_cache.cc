// Looking up, checking and writing packed weights; see pack_cache.h.
//
// The key of an entry is the SHA-256, cut to 16 bytes, of everything that decides what a packer
// makes: which file, offset and bytes of the tensor in it, codec, shape and scale of the view, the
// order of rows, the layout. Names are not in it: bytes are what is packed.
#include "backend/cpu/pack_cache.h"

#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <fstream>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"

namespace bittern::backend {
namespace {

namespace fs = std::filesystem;

// Some tenth of a processor that others want, too: the writer must not wait for the end.
constexpr int kLowPriority = 10;
constexpr size_t kHashPiece = size_t{1} << 20;

std::string size_text(int64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

template <size_t Size>
std::array<std::byte, Size> leading_bytes(Digest& digest) {
  const std::string hex = digest.hex();
  std::array<std::byte, Size> bytes;
  for (size_t i = 0; i < Size; ++i)
    bytes[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return bytes;
}

bool is_within(Bytes part, Bytes whole) {
  return part.data() >= whole.data() && part.size() <= whole.size() &&
         static_cast<size_t>(part.data() - whole.data()) <= whole.size() - part.size();
}

bool is_sound(const PackEntry& entry, ThreadPool& pool) {
  const auto size = static_cast<int64_t>(entry.data.size());
  std::vector<uint64_t> sums(static_cast<size_t>((size + kChecksumPiece - 1) / kChecksumPiece));
  pool.run(static_cast<int64_t>(sums.size()), [&](int64_t piece, int) {
    const int64_t first = piece * kChecksumPiece;
    const Bytes part = entry.data.subspan(
        static_cast<size_t>(first), static_cast<size_t>(std::min(kChecksumPiece, size - first)));
    FileMap::populate(part);
    sums[static_cast<size_t>(piece)] = piece_checksum(part);
  });
  return piece_checksum(std::as_bytes(std::span(sums))) == entry.checksum;
}

}  // namespace

PackCache::PackCache(PackCacheOptions options, std::span<const FileMap> files, const Log& log)
    : options_(std::move(options)), folder_(options_.folder), log_(log) {
  for (const FileMap& file : files)
    files_.push_back({file.name(), file.bytes(), file.stamp(), sample_checksum(file.bytes())});
  usable_ = !files_.empty() && std::ranges::all_of(files_, [](const File& file) {
    return file.stamp.settled && file.stamp.bytes > 0;
  });
  if (usable_) open();
}

PackCache::~PackCache() {
  if (!writer_.joinable()) return;
  double left = 0;
  if (!is_written_within(options_.silent_wait)) {
    left = seconds_left();
    const bool soon = left < std::chrono::duration<double>(options_.longest_wait).count();
    if (soon) log_.info("keeping the packed weights for the next load ...");
    given_up_ = !soon || !is_written_within(options_.longest_wait);
  }
  wait();
  if (given_up_ && !complete_)
    log_.info("packed weights are not kept: that would take {:.0f} s more", left);
}

bool PackCache::is_written_within(std::chrono::milliseconds time) {
  return when_written_.wait_for(time) == std::future_status::ready;
}

double PackCache::seconds_left() const {
  const auto done = static_cast<double>(hashed_bytes_ + written_bytes_);
  if (done == 0) return 0;
  return (monotonic_seconds() - started_) * (static_cast<double>(work_bytes_) / done - 1);
}

void PackCache::wait() {
  if (writer_.joinable()) writer_.join();
}

std::vector<FileStamp> PackCache::stamps() const {
  std::vector<FileStamp> stamps;
  for (const File& file : files_) stamps.push_back(file.stamp);
  return stamps;
}

void PackCache::open() {
  const auto path = folder_.find(stamps());
  if (!path) return;
  try {
    auto pack = std::make_shared<Pack>();
    pack->map = FileMap::open(*path);
    pack->map.prefer_huge_pages();
    pack->directory = parse_pack(pack->map.bytes(), path->string());
    const auto& sources = pack->directory.sources;
    bool same = sources.size() == files_.size();
    for (size_t i = 0; same && i < files_.size(); ++i)
      same = sources[i].bytes == files_[i].stamp.bytes && sources[i].samples == files_[i].samples;
    if (!same) bad_input("{}: made of other files than its link says", path->string());
    PackFolder::touch(*path);
    pack_ = std::move(pack);
  } catch (const Error& error) {
    log_.warning("{}; packing the weights anew", error.message());
  }
}

// What was found so far stays in use; it has been checked.
void PackCache::drop(std::string_view reason) {
  log_.warning("{}: {}; packing the weights anew", pack_->map.name(), reason);
  pack_.reset();
}

std::optional<PackKey> PackCache::key_of(const PackRequest& request) const {
  const TensorView& weight = *request.weight;
  const auto file = std::ranges::find_if(
      files_, [&](const File& candidate) { return is_within(weight.bytes, candidate.bytes); });
  if (file == files_.end()) return std::nullopt;
  Digest digest(Digest::Kind::sha256);
  digest.update(fmt::format("file {} offset {} bytes {} codec {} shape {} scale {:08x} layout {}\n",
                            file - files_.begin(), weight.bytes.data() - file->bytes.data(),
                            weight.bytes.size(), codec::get(weight.codec).name,
                            fmt::join(weight.shape, " "), std::bit_cast<uint32_t>(weight.scale),
                            request.layout));
  digest.update(std::as_bytes(request.row_order));
  return leading_bytes<std::tuple_size_v<PackKey>>(digest);
}

Packed PackCache::find(const PackRequest& request, ThreadPool& pool, float& scale) {
  if (!pack_) return {};
  const auto key = key_of(request);
  const PackEntry* entry = key ? pack_->directory.find(*key) : nullptr;
  if (entry == nullptr) return {};
  if (entry->layout != request.layout ||
      static_cast<int64_t>(entry->data.size()) != request.bytes) {
    drop(fmt::format("{} bytes of {} expected, got {} of {}", request.bytes, request.layout,
                     entry->data.size(), printable(entry->layout)));
    return {};
  }
  if (!is_sound(*entry, pool)) {
    drop("damaged");
    return {};
  }
  scale = entry->scale;
  const Packed packed(entry->data, pack_);
  found_bytes_ += packed.bytes();
  if (kept_keys_.insert(*key).second) kept_.push_back({*entry, packed});
  return packed;
}

void PackCache::keep(const PackRequest& request, const Packed& packed, float scale) {
  BITTERN_CHECK(request.layout.size() <= kLayoutNameMax, "layout {}", request.layout);
  packed_bytes_ += packed.bytes();
  if (!usable_ || packed.bytes() == 0) return;
  const auto key = key_of(request);
  if (!key || !kept_keys_.insert(*key).second) return;
  has_new_ = true;
  PackEntry entry;
  entry.key = *key;
  entry.layout = request.layout;
  entry.scale = scale;
  entry.data = packed.span();
  kept_.push_back({std::move(entry), packed});
}

void PackCache::finish() {
  if (!has_new_ || writer_.joinable()) return;
  if (kept_bytes() < options_.least_bytes || kept_bytes() > options_.limit_bytes) return;
  started_ = monotonic_seconds();
  work_bytes_ = kept_bytes();
  for (const File& file : files_) work_bytes_ += pack_ ? 0 : file.stamp.bytes;
  writer_ = std::thread([this] { write(); });
}

int64_t PackCache::kept_bytes() const {
  int64_t bytes = 0;
  for (const Kept& kept : kept_) bytes += kept.packed.bytes();
  return bytes;
}

std::string_view PackCache::state() const {
  if (found_bytes_ == 0) return packed_bytes_ == 0 ? "none" : "packed";
  return packed_bytes_ == 0 ? "mapped" : "mapped in part";
}

std::string PackCache::summary() const {
  if (!usable_) return "not kept: the model's files have just changed, or it has none";
  return fmt::format("{}; {} from {}, {} packed", state(), size_text(found_bytes_),
                     folder_.path().string(), size_text(packed_bytes_));
}

bool PackCache::stopped() const { return given_up_ || interrupt::requested(); }

void PackCache::write() {
  ::setpriority(PRIO_PROCESS, 0, kLowPriority);  // of this thread; a hint
  try {
    const PackLock lock(options_.folder);
    // Who has it may well be writing the same.
    if (lock.held()) {
      write_locked();
      complete_ = true;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted)
      log_.warning("packed weights are not kept: {}", error.message());
  } catch (const std::exception& error) {
    log_.warning("packed weights are not kept: {}", error.what());
  }
  written_.set_value();
}

void PackCache::write_locked() {
  const auto available = static_cast<int64_t>(fs::space(options_.folder).available);
  if (available - kept_bytes() < options_.reserve_bytes) {
    fail(ErrorKind::resources, "{}: {} expected to be free on the disk, got {}",
         options_.folder.string(), size_text(kept_bytes() + options_.reserve_bytes),
         size_text(available));
  }
  PackDirectory directory;
  directory.sources = pack_ ? pack_->directory.sources : read_sources();
  const fs::path path = folder_.pack_of(directory.sources);
  for (const Kept& kept : kept_) directory.entries.push_back(kept.entry);

  // What is there may be of a copy of these files, or incomplete, or damaged.
  const std::shared_ptr<const Pack> former = pack_ ? pack_ : read_pack(path, directory.sources);
  if (former && holds_all(former->directory)) {
    require_unchanged();
    folder_.link(stamps(), path);
    return;
  }
  if (former) add_others(former->directory, directory);

  const int64_t bytes = pack_bytes(directory);
  folder_.make_room(bytes, options_.limit_bytes, path);
  AtomicFile file(path);
  write_pack(file, std::move(directory), [&] {
    written_bytes_ = file.bytes_written();
    return stopped();
  });
  require_unchanged();
  file.commit_unsynced();  // every byte has a checksum
  folder_.link(stamps(), path);
  log_.detail("packed weights: {} written to {}", size_text(bytes), path.string());
}

// Read and not mapped: a file that somebody cuts short must not end the program.
std::vector<PackSource> PackCache::read_sources() {
  std::vector<PackSource> sources;
  std::vector<char> piece(kHashPiece);
  for (const File& file : files_) {
    Digest digest(Digest::Kind::sha256);
    std::ifstream in(file.path, std::ios::binary);
    while (in) {
      if (stopped()) fail(ErrorKind::interrupted, "given up");
      in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
      digest.update(std::string_view(piece.data(), static_cast<size_t>(in.gcount())));
      hashed_bytes_ += in.gcount();
    }
    sources.push_back({.sha256 = leading_bytes<std::tuple_size_v<Sha256>>(digest),
                       .bytes = file.stamp.bytes,
                       .samples = file.samples});
  }
  return sources;
}

// So what was packed, and what was hashed, is what the files held under their stamps.
void PackCache::require_unchanged() const {
  for (const File& file : files_) {
    const auto stamp = FileMap::stamp_of(file.path);
    if (!stamp || !stamp->is_same(file.stamp))
      fail(ErrorKind::resources, "{}: changed since it was opened", file.path);
  }
}

std::shared_ptr<const PackCache::Pack> PackCache::read_pack(
    const fs::path& path, const std::vector<PackSource>& sources) const {
  std::error_code error;
  if (!fs::exists(path, error)) return nullptr;
  try {
    auto pack = std::make_shared<Pack>();
    pack->map = FileMap::open(path);
    pack->directory = parse_pack(pack->map.bytes(), path.string());
    if (pack->directory.sources == sources) return pack;
  } catch (const Error& damaged) {
    log_.detail("{}; written anew", damaged.message());
  }
  return nullptr;
}

bool PackCache::holds_all(const PackDirectory& directory) const {
  return std::ranges::all_of(kept_, [&](const Kept& kept) {
    const PackEntry* entry = directory.find(kept.entry.key);
    return entry != nullptr && entry->layout == kept.entry.layout &&
           std::bit_cast<uint32_t>(entry->scale) == std::bit_cast<uint32_t>(kept.entry.scale) &&
           std::ranges::equal(entry->data, kept.packed.span());
  });
}

void PackCache::add_others(const PackDirectory& former, PackDirectory& directory) const {
  for (const PackEntry& entry : former.entries) {
    if (kept_keys_.contains(entry.key)) continue;
    if (pack_checksum(entry.data) == entry.checksum) directory.entries.push_back(entry);
  }
}

}  // namespace bittern::backend
