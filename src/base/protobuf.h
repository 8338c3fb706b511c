// The wire format of protocol buffers, read in place: a message is a sequence of numbered fields,
// each a varint, 4 or 8 bytes, or counted bytes (a text, or a message again). No schema: callers
// switch over field numbers and leave out the ones they do not know, as the format intends.
// Source: protobuf.dev, "Encoding". Groups, long out of use, are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace bittern {

class ProtobufReader {
 public:
  struct Field {
    enum class Type : uint8_t { varint, fixed64, bytes, fixed32 };
    uint32_t number;
    Type type;
    uint64_t value;  // of varint, fixed64 and fixed32
    Bytes bytes;     // of bytes
  };

  ProtobufReader(Bytes message, std::string file_name) : reader_(message, std::move(file_name)) {}

  // The next field; nothing at the end. Throws bad_input naming the file.
  std::optional<Field> next();

  const std::string& file_name() const { return reader_.file_name(); }

 private:
  uint64_t varint();
  ByteReader reader_;
};

// Conversions of a field; `what` is named in the error where the field is of another type.
int64_t as_integer(const ProtobufReader& reader, const ProtobufReader::Field& field,
                   std::string_view what);
float as_float(const ProtobufReader& reader, const ProtobufReader::Field& field,
               std::string_view what);
Bytes as_bytes(const ProtobufReader& reader, const ProtobufReader::Field& field,
               std::string_view what);

}  // namespace bittern
