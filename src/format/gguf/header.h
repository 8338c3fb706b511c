// The header of one GGUF file: key-values and the tensor directory, as written, before anyone
// decides what the type ids mean.
//
//   "GGUF" | u32 version | i64 tensor count | i64 key count | keys | tensor infos | pad | data
//   key:    string name, u32 type, value        string: u64 length, bytes
//   info:   string name, u32 n, u64 ne[n] (innermost first), u32 type, u64 offset into data
//
// Every count is held against the bytes that are left before anything is allocated. Rules and
// limits: llama.cpp ggml/src/gguf.cpp (all of its rejections), docs/gguf.md of ggml.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "format/checkpoint.h"

namespace bittern::format::gguf {

inline constexpr std::string_view kMagic = "GGUF";
inline constexpr int64_t kDefaultAlignment = 32;
inline constexpr std::string_view kAlignmentKey = "general.alignment";

struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape;  // outermost first; the product fits int64
  uint32_t type = 0;
  uint64_t offset = 0;  // into the data section
};

struct Header {
  std::string file_name;
  uint32_t version = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // names unique
  int64_t alignment = kDefaultAlignment;
  uint64_t data_start = 0;  // of the data section, from the start of the file
  Bytes data;               // the data section, as much as the file has of it
};

// Throws bad_input naming the file, the field, expected and got; Error{unsupported} for version
// 1 and for big-endian files.
Header parse_header(Bytes file, std::string file_name);

// general.alignment, checked to be a u32 power of two; the default where absent.
int64_t alignment_of(const Metadata& metadata);

}  // namespace bittern::format::gguf
