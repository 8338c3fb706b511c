#include "format/gguf/header.h"

#include <bit>
#include <unordered_set>

#include "base/checked_math.h"
#include "base/error.h"
#include "format/limits.h"

namespace bittern::format::gguf {
namespace {

constexpr uint64_t kKeyBytesMin = 8 + 1 + 4 + 1;   // name of one byte, type, value of one
constexpr uint64_t kInfoBytesMin = 8 + 4 + 4 + 8;  // empty name, scalar
constexpr uint64_t kStringBytesMin = 8;            // its length alone

uint32_t read_version(ByteReader& reader) {
  const auto version = reader.read<uint32_t>("version");
  if (version != 0 && (version & 0xffffu) == 0)
    fail(ErrorKind::unsupported, "{}: a big-endian GGUF file; only little-endian is supported",
         reader.file_name());
  if (version == 1)
    fail(ErrorKind::unsupported, "{}: GGUF version 1 is not supported; 2 and 3 are",
         reader.file_name());
  if (version != 2 && version != 3)
    bad_input("{}: GGUF version: 2 or 3 expected, got {}", reader.file_name(), version);
  return version;
}

// A count of things that take at least `bytes_each` bytes of what is left.
uint64_t read_count(ByteReader& reader, std::string_view what, uint64_t bytes_each) {
  const auto count = reader.read<int64_t>(what);
  // A negative count is past every limit as an unsigned one.
  if (static_cast<uint64_t>(count) > reader.remaining() / bytes_each)
    bad_input("{}: {}: at most {} fit into the {} bytes left, got {}", reader.file_name(), what,
              reader.remaining() / bytes_each, reader.remaining(), count);
  return static_cast<uint64_t>(count);
}

std::string read_string(ByteReader& reader, std::string_view what) {
  const auto length = reader.read<uint64_t>(what);
  if (length > kStringBytesMax)
    bad_input("{}: {}: a string of at most {} bytes expected, got {}", reader.file_name(), what,
              kStringBytesMax, length);
  return std::string(as_text(reader.take(length, what)));
}

ValueType read_value_type(ByteReader& reader, const std::string& key) {
  const auto type = reader.read<uint32_t>(key);
  if (type > static_cast<uint32_t>(ValueType::f64))
    bad_input("{}: {}: a value type of 0 to 12 expected, got {}", reader.file_name(), key, type);
  return static_cast<ValueType>(type);
}

void read_array(ByteReader& reader, const std::string& key, MetadataValue& value) {
  value.element_type = read_value_type(reader, key);
  if (value.element_type == ValueType::array)
    bad_input("{}: {}: an array of arrays is not allowed", reader.file_name(), key);
  const auto count = reader.read<uint64_t>(key);
  const bool strings = value.element_type == ValueType::string;
  const uint64_t width =
      strings ? kStringBytesMin : static_cast<uint64_t>(value_bytes(value.element_type));
  if (count > reader.remaining() / width)
    bad_input("{}: {}: at most {} elements fit into the {} bytes left, got {}", reader.file_name(),
              key, reader.remaining() / width, reader.remaining(), count);
  if (count > kArrayElementsMax)
    bad_input("{}: {}: an array of at most {} elements expected, got {}", reader.file_name(), key,
              kArrayElementsMax, count);
  value.count = static_cast<int64_t>(count);
  if (!strings) {
    const Bytes bytes = reader.take(count * width, key);
    value.raw.assign(bytes.begin(), bytes.end());
    return;
  }
  value.strings.reserve(count);
  for (uint64_t i = 0; i < count; ++i) value.strings.push_back(read_string(reader, key));
}

MetadataValue read_value(ByteReader& reader, const std::string& key) {
  MetadataValue value;
  value.type = read_value_type(reader, key);
  if (value.type == ValueType::array) {
    read_array(reader, key, value);
  } else if (value.type == ValueType::string) {
    value.strings.push_back(read_string(reader, key));
  } else {
    const Bytes bytes = reader.take(static_cast<uint64_t>(value_bytes(value.type)), key);
    value.raw.assign(bytes.begin(), bytes.end());
  }
  return value;
}

void read_metadata(ByteReader& reader, uint64_t count, Metadata& metadata) {
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = read_string(reader, "metadata key");
    if (key.empty()) bad_input("{}: metadata key {}: it is empty", reader.file_name(), i);
    const std::string shown = printable(key);
    if (metadata.find(key) != nullptr)
      bad_input("{}: {}: a unique key expected, got it twice", reader.file_name(), shown);
    metadata.set(std::move(key), read_value(reader, shown));
  }
}

TensorInfo read_info(ByteReader& reader) {
  TensorInfo info;
  info.name = read_string(reader, "tensor name");
  const std::string shown = printable(info.name);
  const std::string& file = reader.file_name();
  if (info.name.size() > kTensorNameBytesMax)
    bad_input("{}: tensor '{}': a name of at most {} bytes expected, got {}", file, shown,
              kTensorNameBytesMax, info.name.size());
  const std::string what = fmt::format("tensor '{}'", shown);
  const auto dimension_count = reader.read<uint32_t>(what);
  if (dimension_count > kDimensionsMax)
    bad_input("{}: {}: at most {} dimensions expected, got {}", file, what, kDimensionsMax,
              dimension_count);
  info.shape.resize(dimension_count);
  for (uint32_t i = dimension_count; i > 0; --i) {
    info.shape[i - 1] = reader.read<int64_t>(what);
    if (info.shape[i - 1] < 0)
      bad_input("{}: {}: dimensions of at least 0 expected, got {}", file, what, info.shape[i - 1]);
  }
  if (!checked_product(info.shape))
    bad_input("{}: {}: shape [{}] has more than 2^63 elements", file, what,
              fmt::join(info.shape, ", "));
  info.type = reader.read<uint32_t>(what);
  info.offset = reader.read<uint64_t>(what);
  return info;
}

}  // namespace

int64_t alignment_of(const Metadata& metadata) {
  const MetadataValue* value = metadata.find(kAlignmentKey);
  if (value == nullptr) return kDefaultAlignment;
  if (value->type != ValueType::u32)
    bad_input("{}: {}: a u32 expected", metadata.file_name, kAlignmentKey);
  const auto alignment = load<uint32_t>(value->raw.data());
  if (!std::has_single_bit(alignment))
    bad_input("{}: {}: a power of two expected, got {}", metadata.file_name, kAlignmentKey,
              alignment);
  return alignment;
}

Header parse_header(Bytes file, std::string file_name) {
  Header header;
  header.file_name = std::move(file_name);
  header.metadata.file_name = header.file_name;
  ByteReader reader(file, header.file_name);
  const std::string_view magic = as_text(reader.take(kMagic.size(), "magic"));
  if (magic != kMagic)
    bad_input("{}: magic: '{}' expected, got '{}'", header.file_name, kMagic, printable(magic));
  header.version = read_version(reader);
  const uint64_t tensor_count = read_count(reader, "tensor count", kInfoBytesMin);
  const uint64_t key_count = read_count(reader, "key count", kKeyBytesMin);
  read_metadata(reader, key_count, header.metadata);
  header.alignment = alignment_of(header.metadata);

  std::unordered_set<std::string> names;
  for (uint64_t i = 0; i < tensor_count; ++i) {
    TensorInfo info = read_info(reader);
    if (!names.insert(info.name).second)
      bad_input("{}: tensor '{}': a unique name expected, got it twice", header.file_name,
                printable(info.name));
    header.tensors.push_back(std::move(info));
  }
  const auto alignment = static_cast<uint64_t>(header.alignment);
  header.data_start = (reader.position() + alignment - 1) / alignment * alignment;
  header.data = file.subspan(std::min<uint64_t>(header.data_start, file.size()));
  return header;
}

}  // namespace bittern::format::gguf
