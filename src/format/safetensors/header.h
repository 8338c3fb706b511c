// The header of one SafeTensors file.
//
//   u64 N | N bytes of JSON {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...} | data
//
// The tensors, sorted by offset, must tile the data exactly: no hole, no overlap, no byte left
// over. Stricter than the reference in two points that its README demands and its code does not
// check: the header begins with '{', and no key occurs twice.
// Source of the rules: safetensors crate, safetensors/src/tensor.rs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codec/tensor_view.h"
#include "format/safetensors/dtypes.h"

namespace bittern::format::safetensors {

struct Entry {
  std::string name;
  const Dtype* dtype = nullptr;
  std::vector<int64_t> shape;
  int64_t begin = 0;  // into the data section
  int64_t end = 0;
};

struct Header {
  std::string file_name;
  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries;  // sorted by offset, names unique
  Bytes data;
};

// Throws bad_input naming the file, the field, expected and got.
Header parse_header(Bytes file, std::string file_name);

// The entry's bytes in the file.
Bytes bytes_of(const Header& header, const Entry& entry);

}  // namespace bittern::format::safetensors
