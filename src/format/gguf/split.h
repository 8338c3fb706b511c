// A model split over several GGUF files: PREFIX-00001-of-00003.gguf and so on. Every file holds
// split.no (from 0) and split.count; the names are recomputed from any one of them.
#pragma once

#include <filesystem>
#include <optional>

#include "format/gguf/header.h"

namespace bittern::format::gguf {

struct Split {
  int64_t index = 0;  // from 0
  int64_t count = 1;
};

// What the metadata says; nothing for a file that stands alone. Throws bad_input where the keys
// contradict each other.
std::optional<Split> split_of(const Metadata& metadata);

// The path of part `wanted` of the set that `path` is a part of. Throws bad_input where the name
// of `path` is not the one its keys ask for.
std::filesystem::path split_path(const std::filesystem::path& path, const Split& split,
                                 int64_t wanted);

// What the name of part `index` (from 0) of `count` ends with: "-00001-of-00003.gguf".
std::string split_suffix(int64_t index, int64_t count);

inline constexpr int64_t kSplitCountMax = 65535;  // split.count is a u16
inline constexpr std::string_view kSplitIndexKey = "split.no";
inline constexpr std::string_view kSplitCountKey = "split.count";
inline constexpr std::string_view kSplitTensorsKey = "split.tensors.count";

}  // namespace bittern::format::gguf
