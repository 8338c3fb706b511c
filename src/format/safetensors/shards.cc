#include "format/safetensors/shards.h"

#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/json.h"

namespace bittern::format::safetensors {
namespace {

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace

ShardIndex parse_index(std::string_view text, std::string file_name) {
  const auto document = json::Document::parse(text, std::move(file_name));
  const std::string& file = document->file_name();
  const auto map = document->root().find("weight_map");
  if (!map) bad_input("{}: weight_map: an object expected, got none", file);
  ShardIndex index;
  std::unordered_map<std::string_view, size_t> positions;
  std::unordered_set<std::string_view> names;
  for (const auto& [name, value] : map->members("weight_map")) {
    const std::string field = fmt::format("weight_map '{}'", printable(name));
    const std::string_view shard = value.as_string(field);
    if (!is_plain_file_name(shard))
      bad_input("{}: {}: a file name without a path expected, got '{}'", file, field,
                printable(shard));
    if (!names.insert(name).second)
      bad_input("{}: {}: a unique name expected, got it twice", file, field);
    const auto [position, added] = positions.try_emplace(shard, index.files.size());
    if (added) index.files.emplace_back(shard);
    index.tensors.emplace_back(name, position->second);
  }
  return index;
}

}  // namespace bittern::format::safetensors
