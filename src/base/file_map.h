// A file mapped read-only. The map outlives the descriptor; spans taken from it live as long as the
// FileMap.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace bittern {

// What the system says of a file without its bytes. A program that writes to the file changes the
// stamp, except within one tick of the clock (`settled`) and through a shared writable map whose
// pages it had touched before.
struct FileStamp {
  uint64_t device = 0, inode = 0;
  int64_t bytes = 0;
  int64_t modified_ns = 0, changed_ns = 0;  // since 1970
  // The last change is so long ago that the next one will show.
  bool settled = false;

  bool is_same(const FileStamp& other) const {
    return device == other.device && inode == other.inode && bytes == other.bytes &&
           modified_ns == other.modified_ns && changed_ns == other.changed_ns;
  }
};

class FileMap {
 public:
  // Maps a regular file. Throws Error{bad_input}: no such file, a directory, no permission.
  static FileMap open(const std::filesystem::path& path);

  FileMap() = default;
  FileMap(FileMap&&) noexcept = default;
  FileMap& operator=(FileMap&&) noexcept = default;
  FileMap(const FileMap&) = delete;
  FileMap& operator=(const FileMap&) = delete;

  Bytes bytes() const { return {data_.get(), data_ == nullptr ? 0 : size_}; }
  // For who may still be at the bytes when the FileMap goes: what is locked keeps them mapped.
  std::weak_ptr<const void> mapping() const { return data_; }
  const std::string& name() const { return name_; }
  // Of the moment when the file was opened.
  const FileStamp& stamp() const { return stamp_; }

  // The stamp of a regular file; nothing where there is none.
  static std::optional<FileStamp> stamp_of(const std::filesystem::path& path);
  // Advises the kernel that a part of the map is no longer needed (its packed copy is).
  static void release(Bytes part);
  // Whether the first and the last page of a part of the map are in memory, mapped or not.
  static bool is_resident(Bytes part);
  // Asks for a part of the map to be read from the disk, where it is not resident. The reading goes
  // on meanwhile, but asking takes time too (base/read_ahead.h).
  static void read_ahead(Bytes part);
  // Brings a part of the map into memory at once and not page by page.
  static void populate(Bytes part);
  // Where the file system has huge pages, reading the file shall use them.
  void prefer_huge_pages();

 private:
  std::shared_ptr<const std::byte> data_;  // unmaps
  size_t size_ = 0;
  FileStamp stamp_;
  std::string name_;
};

// Whole small text file (configuration); throws bad_input when larger than `limit_bytes`.
std::string read_text_file(const std::filesystem::path& path, int64_t limit_bytes);

// Writes a file so that it appears complete or not at all: a temporary beside it, synced, then
// renamed over `path`. Left unfinished (an exception, a crash), only the temporary remains, and
// the destructor removes that.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  void write(Bytes bytes);
  void write(std::string_view text);
  int64_t bytes_written() const { return bytes_written_; }
  // After the last byte: everything is on disk and the descriptor closed, under the temporary
  // name still. For sets of files, which are written one after another and appear together.
  void seal();
  // Seals if that has not been done, and renames.
  void commit();
  // commit() without waiting for the disk: after a crash of the system the file may be there with
  // other bytes. For files whose damage is noticed.
  void commit_unsynced();

 private:
  void discard();
  void rename_to_path();
  [[noreturn]] void fail_finishing(int error);

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;  // -1 once sealed
  bool temporary_ours_ = false;
  int64_t bytes_written_ = 0;
};

}  // namespace bittern
