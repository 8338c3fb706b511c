#include "format/safetensors/header.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "base/checked_math.h"
#include "base/error.h"
#include "base/json.h"
#include "format/limits.h"

namespace bittern::format::safetensors {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";
using Members = std::vector<std::pair<std::string_view, json::Value>>;

void refuse_duplicates(const Members& members, const std::string& file, std::string_view where) {
  std::unordered_set<std::string_view> seen;
  for (const auto& [key, value] : members)
    if (!seen.insert(key).second)
      bad_input("{}: {}: a unique key expected, got '{}' twice", file, where, printable(key));
}

// Numbers past int64 cannot be sizes of anything in a file; they are an overflow like any other.
int64_t read_size(const json::Value& value, const std::string& field) {
  const uint64_t size = value.as_unsigned(field);
  if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    bad_input("{}: {}: a size below 2^63 expected, got {}", value.file_name(), field, size);
  return static_cast<int64_t>(size);
}

json::Value member(const json::Value& object, std::string_view key, const std::string& field) {
  const auto value = object.find(key);
  if (!value) bad_input("{}: {}: '{}' expected, got none", object.file_name(), field, key);
  return *value;
}

void check_size(const Entry& entry, const std::string& file, const std::string& field) {
  const auto elements = checked_product(entry.shape);
  const auto bits = elements ? checked_multiply(*elements, entry.dtype->bits) : std::nullopt;
  if (!bits)
    bad_input("{}: {}: shape [{}] has more than 2^63 bits", file, field,
              fmt::join(entry.shape, ", "));
  if (*bits % 8 != 0)
    bad_input("{}: {}: shape [{}] of {} does not fill whole bytes", file, field,
              fmt::join(entry.shape, ", "), entry.dtype->name);
  if (entry.end - entry.begin != *bits / 8)
    bad_input("{}: {}: {} bytes expected for shape [{}] of {}, got {}", file, field, *bits / 8,
              fmt::join(entry.shape, ", "), entry.dtype->name, entry.end - entry.begin);
}

Entry read_entry(std::string_view name, const json::Value& value, const std::string& file) {
  Entry entry;
  entry.name = name;
  const std::string field = fmt::format("tensor '{}'", printable(name));
  refuse_duplicates(value.members(field), file, field);
  const std::string_view dtype = member(value, "dtype", field).as_string(field + " dtype");
  entry.dtype = find_dtype(dtype);
  if (entry.dtype == nullptr)
    bad_input("{}: {}: a dtype of the format expected, got '{}'", file, field, printable(dtype));
  const std::string shape_field = field + " shape";
  for (const json::Value& size : member(value, "shape", field).elements(shape_field))
    entry.shape.push_back(read_size(size, shape_field));
  const std::string offsets_field = field + " data_offsets";
  const auto offsets = member(value, "data_offsets", field).elements(offsets_field);
  if (offsets.size() != 2)
    bad_input("{}: {}: two numbers expected, got {}", file, offsets_field, offsets.size());
  entry.begin = read_size(offsets[0], offsets_field);
  entry.end = read_size(offsets[1], offsets_field);
  if (entry.end < entry.begin)
    bad_input("{}: {}: begin at most end expected, got [{}, {}]", file, offsets_field, entry.begin,
              entry.end);
  check_size(entry, file, field);
  return entry;
}

void read_metadata(const json::Value& value, Header& header) {
  if (value.is(json::Kind::null)) return;
  const Members members = value.members(kMetadataKey);
  refuse_duplicates(members, header.file_name, kMetadataKey);
  for (const auto& [key, text] : members)
    header.metadata.emplace(key,
                            text.as_string(fmt::format("{} '{}'", kMetadataKey, printable(key))));
}

// Sorted by offset, the tensors must tile the data.
void check_tiling(Header& header) {
  std::sort(header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t position = 0;
  for (const Entry& entry : header.entries) {
    if (entry.begin != position)
      bad_input(
          "{}: tensor '{}' data_offsets: begin {} expected after the tensor before it, got {}",
          header.file_name, printable(entry.name), position, entry.begin);
    position = entry.end;
  }
  if (static_cast<uint64_t>(position) != header.data.size())
    bad_input("{}: data: {} bytes expected by the header, got {}", header.file_name, position,
              header.data.size());
}

}  // namespace

Header parse_header(Bytes file, std::string file_name) {
  Header header;
  header.file_name = std::move(file_name);
  ByteReader reader(file, header.file_name);
  const auto length = reader.read<uint64_t>("header length");
  if (length > kSafetensorsHeaderMax)
    bad_input("{}: header length: at most {} expected, got {}", header.file_name,
              kSafetensorsHeaderMax, length);
  const std::string_view text = as_text(reader.take(length, "header"));
  header.data = reader.take(reader.remaining(), "data");
  if (!text.starts_with('{'))
    bad_input("{}: header: JSON that begins with '{{' expected, got '{}'", header.file_name,
              printable(text.substr(0, 1)));
  const auto document = json::Document::parse(text, header.file_name);
  const Members members = document->root().members("header");
  refuse_duplicates(members, header.file_name, "header");
  for (const auto& [name, value] : members) {
    if (name == kMetadataKey) {
      read_metadata(value, header);
    } else {
      header.entries.push_back(read_entry(name, value, header.file_name));
    }
  }
  check_tiling(header);
  return header;
}

Bytes bytes_of(const Header& header, const Entry& entry) {
  return header.data.subspan(static_cast<size_t>(entry.begin),
                             static_cast<size_t>(entry.end - entry.begin));
}

}  // namespace bittern::format::safetensors
