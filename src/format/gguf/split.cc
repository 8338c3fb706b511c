#include "format/gguf/split.h"

#include "base/error.h"

namespace bittern::format::gguf {

std::string split_suffix(int64_t index, int64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", index + 1, count);
}

std::optional<Split> split_of(const Metadata& metadata) {
  const auto count = metadata.get_integer(kSplitCountKey);
  if (!count || *count <= 1) return std::nullopt;
  if (*count > kSplitCountMax)
    bad_input("{}: split.count: at most {} expected, got {}", metadata.file_name, kSplitCountMax,
              *count);
  const auto index = metadata.get_integer(kSplitIndexKey);
  if (!index) bad_input("{}: split.no: missing in a file with split.count", metadata.file_name);
  if (*index < 0 || *index >= *count)
    bad_input("{}: split.no: 0 to {} expected, got {}", metadata.file_name, *count - 1, *index);
  return Split{*index, *count};
}

std::filesystem::path split_path(const std::filesystem::path& path, const Split& split,
                                 int64_t wanted) {
  const std::string name = path.filename().string();
  const std::string own = split_suffix(split.index, split.count);
  if (!name.ends_with(own))
    bad_input("{}: part {} of {}: a file name ending in '{}' expected", path.string(),
              split.index + 1, split.count, own);
  const std::string prefix = name.substr(0, name.size() - own.size());
  return path.parent_path() / (prefix + split_suffix(wanted, split.count));
}

}  // namespace bittern::format::gguf
