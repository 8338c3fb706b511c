// The unfinished file of a transfer and the note of how far it is:
//
//   TARGET.partial        bytes of the target, from its start
//   TARGET.partial.json   {"source": ..., "etag": ..., "piece": i, "in": ..., "out": ..., ...}
//
// The note is replaced atomically and only after the bytes it speaks of are on the disk, so it
// never promises more than there is; bytes beyond it are cut off and fetched again.
#pragma once

#include <filesystem>
#include <string>

#include "base/digest.h"
#include "base/inflate.h"

namespace bittern::model_store {

// How far a transfer is.
struct Place {
  size_t piece = 0;
  int64_t piece_start = 0;  // in the target
  InflatePoint point;       // in the piece; for one that is not packed in == out, no bits
  std::string etag;         // of the piece's resource, when its first byte came

  int64_t bytes() const { return piece_start + point.out; }
};

class PartialFile {
 public:
  // Opens what there is for `source` (a text that changes when what is fetched changes), or
  // starts anew.
  PartialFile(const std::filesystem::path& target, std::string source);
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile();

  // Where the note says the transfer is. Reads nothing but the note.
  static Place noted_place(const std::filesystem::path& target, const std::string& source);

  const Place& start() const { return start_; }
  int64_t bytes() const { return bytes_; }
  void write(Bytes bytes);
  // The last bytes before `offset`, at most `count`.
  std::vector<std::byte> tail(int64_t offset, int64_t count) const;
  // Cuts back to `bytes`; the digest is computed again from the file.
  void cut(int64_t bytes);
  // Syncs and notes the place; nothing after discard().
  void note(const Place& place);
  // Of all bytes: SHA-256 (once, at the end), and git's blob id.
  std::string sha256();
  std::string git_sha1() const;
  // CRC-32 of what stands from `offset` on.
  uint32_t crc32_from(int64_t offset) const;
  // Gives the file its name and removes the note.
  void commit();
  // Removes both.
  void discard();

 private:
  std::filesystem::path target_, file_, note_;
  std::string source_;
  int descriptor_ = -1;
  int64_t bytes_ = 0;
  Place start_;
  Digest digest_{Digest::Kind::sha256};

  bool discarded_ = false;

  void each_block(int64_t offset, const std::function<void(Bytes)>& take) const;
};

}  // namespace bittern::model_store
