// Which dialect of GGUF a file speaks. Forks of llama.cpp gave the same type ids to different
// layouts, and neither the id nor general.file_type tells them apart; the tensor directory does.
// Its offsets must be the running sum of the tensors' padded sizes, so a dialect is right only
// if its sizes explain the offset of every tensor and the data lies inside the file.
//
// Where several dialects fit and give different readings, one that explains the file's length to
// the byte wins; otherwise the file is ambiguous and the user decides (--gguf-dialect). Dialects
// that differ in the order inside a tensor alone (I2_S of other bitnet.cpp builds) are taken by
// the flag only.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "format/gguf/header.h"
#include "format/gguf/types.h"

namespace bittern::format::gguf {

struct Resolution {
  Dialect dialect = Dialect::mainline;
  // The reading of every tensor: the files' tensors one after the other.
  std::vector<const TypeRow*> types;
};

// Decides for all files of a split set at once. `forced` is a flag of dialects(), or empty.
// Throws Error{usage} for an unknown flag, bad_input where no dialect explains the offsets or
// two do (naming both readings), Error{unsupported} where a type id is of no known dialect.
Resolution resolve_dialect(std::span<const Header> files, std::string_view forced);

}  // namespace bittern::format::gguf
