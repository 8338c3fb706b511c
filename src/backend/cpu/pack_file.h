// A file of packed weights: what the packers made of a model's tensors, in the layouts that kernels
// read, so that the next load maps it. Little-endian; every part is checked before it is used.
//
//   0    "BITTERNP" | u32 version | u32 sources | u32 entries | u32 zero
//   24   u64 bytes of the file | u64 checksum of all before the payload (itself as 0)
//   40   sources, 48 bytes each: SHA-256 | u64 bytes | u64 checksum of samples
//   ..   entries, 64 bytes each, in the order in which a load asks for them: key[16] | layout[16],
//        zeros behind the name | u64 offset | u64 bytes | u64 checksum | f32 scale | u32 zero
//   ..   payload: the entries in their order, each at the next multiple of 4096
//
// A key says which bytes of which source were packed, and how (pack_cache.cc). The version changes
// with the meaning of any layout.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_map.h"

namespace bittern::backend {

inline constexpr uint32_t kPackVersion = 2;
inline constexpr int64_t kPackAlignment = 4096;
inline constexpr size_t kLayoutNameMax = 16;

using PackKey = std::array<std::byte, 16>;
using Sha256 = std::array<std::byte, 32>;

// A checkpoint's file that the weights come from.
struct PackSource {
  Sha256 sha256 = {};
  int64_t bytes = 0;
  uint64_t samples = 0;  // sample_checksum()

  bool operator==(const PackSource&) const = default;
};

struct PackEntry {
  PackKey key = {};
  std::string layout;
  float scale = 1.0f;     // of the tensor, where the layout has one
  uint64_t checksum = 0;  // pack_checksum() of the data
  Bytes data;             // in the mapped file, or what is to be written
};

struct PackDirectory {
  std::vector<PackSource> sources;
  std::vector<PackEntry> entries;
  std::map<PackKey, size_t> by_key;  // into entries; filled by parse_pack

  const PackEntry* find(const PackKey& key) const;
};

// Throws bad_input naming the field where the file is not a pack of this version, is cut or
// inconsistent. The payload is not looked at.
PackDirectory parse_pack(Bytes file, std::string file_name);

// Bytes that writing these entries takes.
int64_t pack_bytes(const PackDirectory& directory);
// Writes a whole pack; the entries get their checksums here. Throws Error{resources};
// Error{interrupted} as soon as `stopped` says so.
void write_pack(AtomicFile& file, PackDirectory directory, const std::function<bool()>& stopped);

// 64 bits, to notice damage. Data is cut into pieces, so that several threads can share the work:
// the checksum is that of the pieces' checksums in order.
inline constexpr int64_t kChecksumPiece = int64_t{1} << 20;
uint64_t piece_checksum(Bytes piece);
uint64_t pack_checksum(Bytes data);

// Of pages spread over a file: what would show that it was exchanged for another one behind the
// back of its stamp.
uint64_t sample_checksum(Bytes file);

}  // namespace bittern::backend
