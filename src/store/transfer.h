// Brings one file here: from one place, or put together from members of several archives, each
// unpacked as it arrives. What is done so far stands in TARGET.partial, how far that is in
// TARGET.partial.json; an interrupted transfer goes on from there, after a crash too. The file
// gets its name only when it is whole and its digest is the expected one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "store/http.h"

namespace bittern::model_store {

// A run of bytes of the target.
struct Piece {
  std::string url;
  std::string token;
  int64_t offset = 0;             // in the resource
  std::optional<int64_t> length;  // bytes there; nothing: the whole resource
  bool deflated = false;          // needs `length`
  std::optional<int64_t> bytes;   // of the target; nothing: unknown
  std::optional<uint32_t> crc32;  // of those
};

struct Transfer {
  std::filesystem::path target;
  std::string label;  // in messages and on the progress bar
  std::vector<Piece> pieces;
  std::optional<int64_t> bytes;  // of the target
  std::string sha256;            // in hexadecimal; empty: unknown
  std::string git_sha1;          // git's blob id, where there is no sha256; empty: unknown
};

struct Arrived {
  int64_t bytes = 0;
  std::string sha256;
};

// Bytes of the target that an earlier, interrupted transfer has left.
int64_t bytes_already_here(const Transfer& transfer);

// The caller holds the lock of the target's folder. Throws Error: refusals of the server, a
// digest that differs (what arrived is removed), a full disk, Ctrl-C (what arrived is kept).
Arrived run_transfer(Http& http, const Transfer& transfer, Progress& progress, const Log& log);

}  // namespace bittern::model_store
