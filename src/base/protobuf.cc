#include "base/protobuf.h"

#include <bit>

#include "base/error.h"

namespace bittern {
namespace {

using Field = ProtobufReader::Field;

constexpr uint32_t kNumberMax = (1u << 29) - 1;

[[noreturn]] void wrong_type(const ProtobufReader& reader, std::string_view what) {
  bad_input("{}: {}: a field of another wire type expected", reader.file_name(), what);
}

}  // namespace

uint64_t ProtobufReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = reader_.read<uint8_t>("varint");
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  bad_input("{}: a varint of at most 10 bytes expected at {}", file_name(), reader_.position());
}

std::optional<Field> ProtobufReader::next() {
  if (reader_.remaining() == 0) return std::nullopt;
  const uint64_t tag = varint();
  const uint64_t number = tag >> 3;
  if (number == 0 || number > kNumberMax)
    bad_input("{}: a protobuf field number of 1 to {} expected at {}, got {}", file_name(),
              kNumberMax, reader_.position(), number);
  Field field{.number = static_cast<uint32_t>(number),
              .type = Field::Type::varint,
              .value = 0,
              .bytes = {}};
  switch (tag & 7) {
    case 0:
      field.value = varint();
      return field;
    case 1:
      field.type = Field::Type::fixed64;
      field.value = reader_.read<uint64_t>("protobuf field of 8 bytes");
      return field;
    case 2:
      field.type = Field::Type::bytes;
      field.bytes = reader_.take(varint(), "protobuf field");
      return field;
    case 5:
      field.type = Field::Type::fixed32;
      field.value = reader_.read<uint32_t>("protobuf field of 4 bytes");
      return field;
    default:
      bad_input("{}: a protobuf wire type of 0, 1, 2 or 5 expected at {}, got {}", file_name(),
                reader_.position(), tag & 7);
  }
}

int64_t as_integer(const ProtobufReader& reader, const Field& field, std::string_view what) {
  if (field.type != Field::Type::varint) wrong_type(reader, what);
  return static_cast<int64_t>(field.value);
}

float as_float(const ProtobufReader& reader, const Field& field, std::string_view what) {
  if (field.type != Field::Type::fixed32) wrong_type(reader, what);
  return std::bit_cast<float>(static_cast<uint32_t>(field.value));
}

Bytes as_bytes(const ProtobufReader& reader, const Field& field, std::string_view what) {
  if (field.type != Field::Type::bytes) wrong_type(reader, what);
  return field.bytes;
}

}  // namespace bittern
