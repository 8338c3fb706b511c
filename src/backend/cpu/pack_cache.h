// Packed weights of one checkpoint, kept in a file between loads (docs/cache.md, decision 0008):
// the backend asks for each tensor before it packs it, and hands in what it had to pack. Once the
// model is loaded, a thread of low priority writes what was not in the file.
//
// What is found is right or not found: the files must have the stamps under which they were packed
// and the same bytes at sixteen places, every entry the right size and checksum.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/cpu/pack_file.h"
#include "backend/cpu/pack_folder.h"
#include "backend/cpu/packed.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "codec/tensor_view.h"

namespace bittern::backend {

struct PackCacheOptions {
  std::filesystem::path folder;
  // Models whose packed weights are smaller get no file: packing them takes no time.
  int64_t least_bytes = int64_t{32} << 20;
  // All packs of the folder together.
  int64_t limit_bytes = int64_t{64} << 30;
  // Left free on the disk.
  int64_t reserve_bytes = int64_t{1} << 30;
  // A wait at the end for what is being written: one that is longer is explained, and one that is
  // longer still is not worth it, as packing anew costs little more than reading.
  std::chrono::milliseconds silent_wait{500};
  std::chrono::milliseconds longest_wait{5000};
};

// A tensor, and what its packed form is to be.
struct PackRequest {
  const TensorView* weight = nullptr;
  std::span<const int32_t> row_order = {};  // of the result; empty: as stored
  std::string_view layout;                  // at most kLayoutNameMax
  int64_t bytes = 0;                        // packed
};

class PackCache {
 public:
  // `files` are those of the checkpoint, in its order; tensors that lie elsewhere are not cached.
  // Never throws because of what is in the folder: that is a warning, and the cache stays empty.
  PackCache(PackCacheOptions options, std::span<const FileMap> files, const Log& log);
  PackCache(const PackCache&) = delete;
  PackCache& operator=(const PackCache&) = delete;
  // Waits until everything is written, as long as that takes a few seconds at most and Ctrl-C was
  // not pressed; else nothing is kept.
  ~PackCache();

  // The packed tensor, checked, with the scale it was kept with; empty where it is not there.
  Packed find(const PackRequest& request, ThreadPool& pool, float& scale);
  // What was packed because find() gave nothing.
  void keep(const PackRequest& request, const Packed& packed, float scale);
  // The model is loaded: writes what is new in the background.
  void finish();
  // Until that is done; for what is not to be disturbed by it.
  void wait();

  // Of what was asked for so far: "mapped" (all found), "packed", "mapped in part", or "none".
  std::string_view state() const;
  // The state with bytes and folder, for people.
  std::string summary() const;

 private:
  struct File {
    std::string path;
    Bytes bytes;  // of the map, as long as that lives
    FileStamp stamp;
    uint64_t samples = 0;
  };
  struct Pack {
    FileMap map;
    PackDirectory directory;
  };

  void open();
  void drop(std::string_view reason);
  int64_t kept_bytes() const;
  std::optional<PackKey> key_of(const PackRequest& request) const;
  bool is_written_within(std::chrono::milliseconds time);
  // Until the background thread is done, by what it has done so far.
  double seconds_left() const;
  // Of the background thread.
  void write();
  bool stopped() const;
  void write_locked();
  std::vector<PackSource> read_sources();
  std::vector<FileStamp> stamps() const;
  void require_unchanged() const;
  // The pack of this name, if it is sound and of these sources.
  std::shared_ptr<const Pack> read_pack(const std::filesystem::path& path,
                                        const std::vector<PackSource>& sources) const;
  // Whether everything that was asked for is there, byte for byte.
  bool holds_all(const PackDirectory& directory) const;
  // Entries that are not among ours and whose checksum fits.
  void add_others(const PackDirectory& former, PackDirectory& directory) const;

  PackCacheOptions options_;
  PackFolder folder_;
  Log log_;
  std::vector<File> files_;
  bool usable_ = false;  // the files' stamps can be trusted
  std::shared_ptr<const Pack> pack_;

  struct Kept {
    PackEntry entry;
    Packed packed;
  };
  std::vector<Kept> kept_;  // all that were asked for, found or packed, in order
  std::set<PackKey> kept_keys_;
  bool has_new_ = false;  // something in kept_ is not in pack_
  int64_t found_bytes_ = 0, packed_bytes_ = 0;

  std::thread writer_;
  std::promise<void> written_;
  std::future<void> when_written_ = written_.get_future();
  double started_ = 0;
  std::atomic<int64_t> hashed_bytes_ = 0, written_bytes_ = 0;
  std::atomic<int64_t> work_bytes_ = 0;  // all that is to be hashed and written
  std::atomic<bool> given_up_ = false, complete_ = false;
};

}  // namespace bittern::backend
