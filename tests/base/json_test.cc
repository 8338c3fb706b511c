// JSON that came from outside: what is accepted, and the exact message where it is not.

#include "base/json.h"

#include <gtest/gtest.h>

#include "base/json_write.h"
#include "throws.h"

namespace bittern::json {
namespace {

using test::message_of;
using test::thrown_by;

std::string parse_message(std::string_view text) {
  return message_of([&] { Document::parse(text, "c.json"); });
}

TEST(Json, ReadsEveryKind) {
  const auto document = Document::parse(
      R"({"s":"a\u00e9","i":-3,"u":18446744073709551615,"n":1.5,"e":1e3,"b":true,"z":null,
          "a":[1,2],"o":{}})",
      "c.json");
  const Value root = document->root();
  EXPECT_EQ(root.kind(), Kind::object);
  EXPECT_EQ(root.find("s")->as_string("s"), "a\xc3\xa9");
  EXPECT_EQ(root.find("i")->as_integer("i"), -3);
  EXPECT_EQ(root.find("u")->as_unsigned("u"), 18446744073709551615u);
  EXPECT_EQ(root.find("n")->as_number("n"), 1.5);
  EXPECT_EQ(root.find("i")->as_number("i"), -3.0) << "an integer is a number";
  EXPECT_EQ(root.find("e")->as_integer("e"), 1000) << "an integral float is an integer";
  EXPECT_TRUE(root.find("b")->as_boolean("b"));
  EXPECT_EQ(root.find("z")->kind(), Kind::null);
  EXPECT_EQ(root.find("a")->elements("a").size(), 2u);
  EXPECT_TRUE(root.find("o")->members("o").empty());
  EXPECT_FALSE(root.find("absent"));
  EXPECT_FALSE(root.find("a")->find("x")) << "find on something else than an object";
}

TEST(Json, WrongKindsNameFileFieldExpectedAndGot) {
  const auto document = Document::parse(
      R"({"s":"a","i":-3,"n":1.5,"big":1e17,"a":[],"z":null,"u":18446744073709551615})", "c.json");
  const Value root = document->root();
  const auto at = [&](std::string_view key) { return *root.find(key); };
  EXPECT_EQ(message_of([&] { at("i").as_string("i"); }), "c.json: i: string expected, got -3");
  EXPECT_EQ(message_of([&] { at("n").as_integer("n"); }),
            "c.json: n: integer expected, got number");
  EXPECT_EQ(message_of([&] { at("big").as_integer("big"); }),
            "c.json: big: integer expected, got number");
  EXPECT_EQ(message_of([&] { at("u").as_integer("u"); }),
            "c.json: u: integer below 2^63 expected, got 18446744073709551615");
  EXPECT_EQ(message_of([&] { at("i").as_unsigned("i"); }),
            "c.json: i: integer of at least 0 expected, got -3");
  EXPECT_EQ(message_of([&] { at("s").as_number("s"); }), "c.json: s: number expected, got string");
  EXPECT_EQ(message_of([&] { at("z").as_boolean("z"); }), "c.json: z: boolean expected, got null");
  EXPECT_EQ(message_of([&] { at("s").members("s"); }), "c.json: s: object expected, got string");
  EXPECT_EQ(message_of([&] { root.elements("root"); }), "c.json: root: array expected, got object");
  EXPECT_EQ(message_of([&] { at("s").as_number("a\x1b[2J"); }),
            "c.json: a\\x1b[2J: number expected, got string")
      << "a field name may come from the file";
}

TEST(Json, ShorthandsTakeNullForAbsent) {
  const auto document = Document::parse(R"({"s":"a","i":7,"n":0.5,"b":false,"z":null})", "c.json");
  const Value root = document->root();
  EXPECT_EQ(root.get_string("s"), "a");
  EXPECT_EQ(root.get_integer("i"), 7);
  EXPECT_EQ(root.get_number("n"), 0.5);
  EXPECT_EQ(root.get_boolean("b"), false);
  EXPECT_FALSE(root.get("z"));
  EXPECT_FALSE(root.get_integer("z"));
  EXPECT_FALSE(root.get_boolean("absent"));
  EXPECT_EQ(message_of([&] { root.get_integer("s"); }), "c.json: s: integer expected, got string");
}

TEST(Json, DuplicateKeysAreKeptInOrder) {
  const auto document = Document::parse(R"({"b":1,"a":2,"b":3})", "c.json");
  std::string seen;
  for (const auto& [key, value] : document->root().members("root"))
    seen += fmt::format("{}={} ", key, value.as_integer(key));
  EXPECT_EQ(seen, "b=1 a=2 b=3 ");
  EXPECT_EQ(document->root().get_integer("b"), 1) << "find gives the first";
}

std::string nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, DepthIsLimitedTo128) {
  EXPECT_EQ(parse_message(nested(128)), "(nothing thrown)");
  EXPECT_EQ(parse_message(nested(129)), "c.json: not valid JSON: nested deeper than 128 levels");
  EXPECT_EQ(thrown_by([] { Document::parse(nested(100000), "c.json"); })->kind,
            ErrorKind::bad_input);
}

TEST(Json, RefusesWhatIsNotJson) {
  const std::string_view invalid[] = {
      "",       " ",         "{",       "}",   "[1,]",  "{\"a\":}",   "{\"a\" 1}",
      "nul",    "01",        "1.",      "+1",  "[1] 2", "'a'",        "\"\\x\"",
      "\"\n\"", "\"\\ud8\"", "// c\n1", "NaN", "{a:1}", "\"unclosed", "[1 2]",
  };
  for (const std::string_view text : invalid) {
    const auto thrown = thrown_by([&] { Document::parse(text, "c.json"); });
    ASSERT_TRUE(thrown) << text;
    EXPECT_EQ(thrown->kind, ErrorKind::bad_input) << text;
    EXPECT_TRUE(thrown->message.starts_with("c.json: not valid JSON: ")) << thrown->message;
    EXPECT_EQ(thrown->message.find('\n'), std::string::npos) << thrown->message;
  }
}

TEST(Json, RefusesInvalidUtf8) {
  for (const std::string_view text :
       {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xe2\x82\""})
    EXPECT_TRUE(parse_message(text).starts_with("c.json: not valid JSON: "))
        << testing::PrintToString(text);
}

TEST(Json, EveryTruncationIsAnErrorAndNothingElse) {
  const std::string_view text =
      R"({"name":"caf\u00e9 \"x\"","list":[1,-2.5e3,true,null,{"k":[]}],"z":0})";
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_TRUE(thrown_by([&] { Document::parse(text.substr(0, size), "c.json"); })) << size;
  EXPECT_EQ(parse_message(text), "(nothing thrown)");
}

TEST(JsonBuilder, KeepsOrderAndReplacesInvalidText) {
  JsonBuilder object;
  object["z"] = 1;
  object["a"] = "x\xff";
  EXPECT_EQ(to_text(object), "{\"z\":1,\"a\":\"x\xef\xbf\xbd\"}");
  EXPECT_EQ(to_text(JsonBuilder::array({1, 2}), 1), "[\n 1,\n 2\n]");
}

// transformers writes 10^30 for "no limit"; a number that fits nowhere else is a floating-point
// one.
TEST(Json, IntegersPast64BitsAreNumbers) {
  const auto document = json::Document::parse(
      R"({"max": 1000000000000000019884624838656, "text": "\"1000000000000000019884624838656", "n": -7})",
      "f");
  EXPECT_EQ(document->root().find("max")->as_number("max"), 1e30);
  EXPECT_EQ(document->root().find("text")->as_string("text"), "\"1000000000000000019884624838656");
  EXPECT_EQ(document->root().find("n")->as_integer("n"), -7);
}

}  // namespace
}  // namespace bittern::json
