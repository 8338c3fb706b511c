// The wire format: every type, every truncation, numbers out of range.
#include "base/protobuf.h"

#include <gtest/gtest.h>

#include "throws.h"

namespace bittern {
namespace {

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// 1: 150 (varint); 2: "abc"; 3: 1.0f; 4: eight bytes.
const std::string kMessage = std::string(
                                 "\x08\x96\x01\x12\x03"
                                 "abc\x1d\x00\x00\x80\x3f",
                                 13) +
                             std::string("\x21\x01\x00\x00\x00\x00\x00\x00\x80", 9);

TEST(Protobuf, EveryType) {
  ProtobufReader reader(bytes_of(kMessage), "f");
  auto field = reader.next();
  EXPECT_EQ(field->number, 1u);
  EXPECT_EQ(as_integer(reader, *field, "x"), 150);
  field = reader.next();
  EXPECT_EQ(as_text(as_bytes(reader, *field, "x")), "abc");
  EXPECT_EQ(test::message_of([&] { as_integer(reader, *field, "x"); }),
            "f: x: a field of another wire type expected");
  field = reader.next();
  EXPECT_EQ(as_float(reader, *field, "x"), 1.0f);
  field = reader.next();
  EXPECT_EQ(field->value, 0x8000000000000001u);
  EXPECT_FALSE(reader.next());
}

TEST(Protobuf, EveryTruncation) {
  for (const size_t size : {1u, 2u, 4u, 5u, 7u, 9u, 12u, 14u, 21u}) {
    ProtobufReader reader(bytes_of(std::string_view(kMessage).substr(0, size)), "f");
    const auto thrown = test::thrown_by([&] {
      while (reader.next()) {
      }
    });
    ASSERT_TRUE(thrown) << size;
    EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
    EXPECT_TRUE(thrown->message.starts_with("f: ")) << thrown->message;
  }
}

TEST(Protobuf, Rejections) {
  const auto message = [](std::string text) {
    return test::message_of([&] { ProtobufReader(bytes_of(text), "f").next(); });
  };
  EXPECT_EQ(message(std::string("\0", 1)),
            "f: a protobuf field number of 1 to 536870911 expected at 1, got 0");
  EXPECT_EQ(message("\x0b"), "f: a protobuf wire type of 0, 1, 2 or 5 expected at 1, got 3");
  EXPECT_EQ(message("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            "f: a varint of at most 10 bytes expected at 11");
}

}  // namespace
}  // namespace bittern
