// The folder where packed weights are kept (--cache):
//
//   CONTENT.pack     packed weights (pack_file.h); CONTENT is 32 digits of the SHA-256 of the
//                    checkpoint's files' SHA-256, so that copies of a model share one
//   STAMP.of         a link to the CONTENT.pack of the files with these stamps (device, inode,
//   size,
//                    times): what is looked up at load, as reading a file to name it takes too long
//   *.part           being written, or left by a program that was killed
//   lock             held by the one who writes or takes away
//
// A pack appears by one rename. All packs together take at most a limit; those go first that were
// not used for the longest time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/pack_file.h"

namespace bittern::backend {

class PackFolder {
 public:
  explicit PackFolder(std::filesystem::path path) : path_(std::move(path)) {}
  const std::filesystem::path& path() const { return path_; }

  // The pack of files with these stamps, if it is there.
  std::optional<std::filesystem::path> find(std::span<const FileStamp> stamps) const;
  // The name that a pack of these files has.
  std::filesystem::path pack_of(std::span<const PackSource> sources) const;
  // From now on find(stamps) gives `pack`. The lock is held.
  void link(std::span<const FileStamp> stamps, const std::filesystem::path& pack) const;
  // Notes the use of a pack.
  static void touch(const std::filesystem::path& pack);

  // Takes away unfinished packs, those least recently used until `bytes` more fit into `limit`
  // (never `but`), and links to nothing. The lock is held.
  void make_room(int64_t bytes, int64_t limit, const std::filesystem::path& but) const;

  struct Pack {
    std::filesystem::path path;
    int64_t bytes = 0;
    std::filesystem::file_time_type used;
  };
  // The least recently used first.
  std::vector<Pack> list() const;
  // Takes away the packs of which every source is among these SHA-256 (hexadecimal); all packs
  // where `sha256` is null. The bytes set free. Needs no lock: who has a pack mapped keeps it.
  int64_t remove(const std::vector<std::string>* sha256) const;

 private:
  std::filesystem::path path_;

  void remove_dangling_links() const;
};

// The lock of a folder, which is made if need be; held as long as this lives.
class PackLock {
 public:
  // Throws Error{resources} where the folder cannot be written.
  explicit PackLock(const std::filesystem::path& folder);
  PackLock(const PackLock&) = delete;
  PackLock& operator=(const PackLock&) = delete;
  ~PackLock();
  // False: another program has it.
  bool held() const { return held_; }

 private:
  int descriptor_ = -1;
  bool held_ = false;
};

}  // namespace bittern::backend
