// JSON Schemas as grammars: the JSON-Schema-Test-Suite (part of it; all of it in
// tests/oracles/test_json_schema.py), then each keyword by cases, refusals, limits.
#include <gtest/gtest.h>

#include "base/file_map.h"
#include "base/json.h"
#include "chat/grammar/grammar.h"
#include "chat/grammar_support.h"
#include "throws.h"

namespace bittern::test {
namespace {

using namespace chat::grammar;

// Accepted in one of its spellings.
bool any_matches(const Grammar& grammar, const std::vector<json::Value>& test) {
  const auto constraint = std::make_shared<Constraint>(grammar, byte_vocabulary());
  for (size_t at = 1; at < test.size(); ++at) {
    Matcher matcher(constraint);
    if (matcher.accept_text(test[at].as_string("text")) && matcher.is_complete()) return true;
  }
  return false;
}

// Nothing that the suite calls invalid is accepted. What is valid and not accepted, or refused, is
// known and counted: a change of these numbers is a change of what docs/constrained.md says.
TEST(GrammarSchema, TestSuite) {
  const FileMap file = FileMap::open(std::string(BITTERN_TEST_DATA) + "/chat/json_schema.json");
  const auto document = json::Document::parse(as_text(file.bytes()), "json_schema.json");
  int right = 0, narrow = 0, refused = 0;
  for (const json::Value& row : document->root().elements("cases")) {
    const auto parts = row.elements("case");
    const std::string name(parts[0].as_string("name"));
    const auto tests = parts[2].elements("tests");
    std::optional<Grammar> grammar;
    const auto thrown =
        thrown_by([&] { grammar = compile_json_schema(parts[1].as_string("schema")); });
    if (thrown && thrown->message != "grammar: no text can match") {
      EXPECT_EQ(thrown->kind, ErrorKind::unsupported) << name << ": " << thrown->message;
      EXPECT_TRUE(thrown->message.starts_with("JSON Schema: ")) << thrown->message;
      refused += static_cast<int>(tests.size());
      continue;
    }
    for (const json::Value& each : tests) {
      const auto test = each.elements("test");
      const bool valid = test[0].as_boolean("valid");
      const bool accepted = grammar && any_matches(*grammar, test);
      EXPECT_FALSE(accepted && !valid) << name << ": " << test[1].as_string("text");
      right += accepted == valid;
      narrow += valid && !accepted;
    }
  }
  EXPECT_GE(right, 1000);
  EXPECT_LE(narrow, 15);  // formats that the suite takes for annotations; one minProperties
  EXPECT_LE(refused, 130);
}

struct Case {
  std::string schema;
  std::vector<std::string> yes, no;
};

void check(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const Grammar grammar = compile_json_schema(each.schema);
    for (const std::string& text : each.yes)
      EXPECT_TRUE(matches(grammar, text)) << each.schema << "\n" << text;
    for (const std::string& text : each.no)
      EXPECT_FALSE(matches(grammar, text)) << each.schema << "\n" << text;
  }
}

TEST(GrammarSchema, Types) {
  check({
      {"true", {"null", "1", "[]", "{\"a\":1}", "\"x\""}, {"", "nul", "[1,]", "{a:1}"}},
      {R"({"type":"null"})", {"null"}, {"0"}},
      {R"({"type":["boolean","null"]})", {"true", "false", "null"}, {"1"}},
      {R"({"type":"integer"})",
       {"0", "-1", "123456789012345678901234567890"},
       {"01", "+1", "1.5", "1.0", "1e3", "-", ""}},
      {R"({"type":"number"})", {"0", "-1.50", "1e3", "1E-3"}, {"1.", ".5", "1e", "\"1\""}},
      {R"({"enum":[1,"a",null,[1],{"b":2}]})",
       {"1", "\"a\"", "null", "[1]", "{\"b\":2}"},
       {"2", "\"b\"", "[]", "{}"}},
      {R"({"const":{"a":1,"b":[]}})",
       {"{\"a\":1,\"b\":[]}", "{ \"a\": 1, \"b\": [] }"},
       {"{\"b\":[],\"a\":1}", "{\"a\":1}"}},
      {R"({"const":1.50})", {"1.5", "1.500"}, {"1.05", "15"}},
  });
}

TEST(GrammarSchema, Numbers) {
  check({
      {R"({"type":"integer","minimum":-12,"maximum":105})",
       {"-12", "-9", "0", "7", "99", "100", "105"},
       {"-13", "-20", "106", "110", "1000"}},
      {R"({"exclusiveMinimum":0,"exclusiveMaximum":1,"type":"number"})",
       {"0.5", "0.001", "0.99"},
       {"0", "1", "-0.5", "0.0", "1.0", "5e-1"}},
      {R"({"minimum":2.25,"type":"number"})", {"2.25", "2.250", "2.3", "10"}, {"2.24", "2", "-3"}},
      {R"({"maximum":-2.25,"type":"number"})", {"-2.25", "-3", "-10.1"}, {"-2.2", "0", "-2"}},
      {R"({"minimum":0,"type":"integer"})", {"0", "-0", "5"}, {"-1"}},
      {R"({"multipleOf":7,"type":"integer"})", {"0", "7", "-14", "700"}, {"8", "1"}},
      {R"({"multipleOf":0.01,"type":"number"})",
       {"19.99", "0.10", "5", "4.210"},
       {"0.001", "4.215"}},
      {R"({"multipleOf":2.5,"type":"number"})", {"2.5", "5", "-7.50"}, {"1", "2", "2.55"}},
      {R"({"multipleOf":1e-8,"type":"number"})", {"12391239123.1", "0.00000001"}, {"0.000000001"}},
      {R"({"minimum":1e3,"maximum":1.1e3,"type":"integer"})", {"1000", "1100"}, {"999", "1101"}},
      {R"({"minimum":9007199254740993,"type":"integer"})",
       {"9007199254740993"},
       {"9007199254740992"}},
      {R"({"not":{"type":"integer"},"type":"number"})", {"1.5", "0.01"}, {"1", "1.0", "2.00"}},
  });
}

TEST(GrammarSchema, Strings) {
  check({
      {R"({"type":"string"})",
       {"\"\"", "\"a\\n\\u00e9\\ud83d\\ude00\"", "\"\xe2\x82\xac\""},
       {"\"\n\"", "\"\\x\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\xff\"", "\""}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {"\"ab\"", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"", "\"\\n\\n\\n\"", "\"\\ud83d\\ude00b\""},
       {"\"a\"", "\"abcd\"", "\"\""}},
      {R"({"type":"string","maxLength":1000})",
       {"\"\"", "\"" + std::string(64, 'a') + "\"", "\"" + std::string(1000, 'a') + "\""},
       {"\"" + std::string(1001, 'a') + "\""}},
      {R"({"type":"string","minLength":130,"maxLength":140})",
       {"\"" + std::string(130, 'a') + "\"", "\"" + std::string(140, 'a') + "\""},
       {"\"" + std::string(129, 'a') + "\"", "\"" + std::string(141, 'a') + "\""}},
      {R"({"type":"string","minLength":3})", {"\"abc\"", "\"abcdef\""}, {"\"ab\""}},
      {R"({"type":"string","pattern":"^a\"b\\\\c\\n$"})", {"\"a\\\"b\\\\c\\n\""}, {"\"ab\""}},
      {R"({"type":"string","pattern":"b","maxLength":2})",
       {"\"ab\"", "\"b\""},
       {"\"abc\"", "\"a\""}},
      {R"({"type":"string","pattern":"^\u0000?\u001f$"})",
       {"\"\\u0000\\u001f\"", "\"\\u001F\""},
       {}},
      {R"({"type":"string","not":{"pattern":"^a"}})", {"\"\"", "\"ba\""}, {"\"a\"", "\"ab\""}},
      {R"({"type":"string","not":{"minLength":2}})", {"\"\"", "\"b\""}, {"\"bb\""}},
      {R"({"type":"string","not":{"enum":["a","b"]}})", {"\"c\"", "\"ab\""}, {"\"a\"", "\"b\""}},
  });
}

TEST(GrammarSchema, Formats) {
  const auto text = [](const char* format) {
    return fmt::format(R"({{"type":"string","format":"{}"}})", format);
  };
  check({
      {text("date"),
       {"\"2024-02-29\"", "\"2000-02-29\"", "\"2023-12-31\""},
       {"\"2023-02-29\"", "\"1900-02-29\"", "\"2023-04-31\"", "\"2023-13-01\"", "\"23-01-01\""}},
      {text("time"),
       {"\"23:59:59Z\"", "\"00:00:00.5+23:59\"", "\"23:59:60Z\""},
       {"\"24:00:00Z\"", "\"10:00:00\"", "\"22:59:60Z\""}},
      {text("date-time"),
       {"\"2024-02-29T10:00:00Z\"", "\"2024-01-01t10:00:00.123-01:00\""},
       {"\"2024-02-30T10:00:00Z\"", "\"2024-01-01 10:00:00Z\""}},
      {text("duration"),
       {"\"P1Y2M3DT4H5M6S\"", "\"PT1S\"", "\"P2W\""},
       {"\"P\"", "\"PT\"", "\"P1S\""}},
      {text("uuid"),
       {"\"2eb8aa08-AA98-11ea-b4aa-73b441d16380\""},
       {"\"2eb8aa08aa9811eab4aa73b441d16380\""}},
      {text("ipv4"),
       {"\"127.0.0.1\"", "\"255.255.255.255\""},
       {"\"256.1.1.1\"", "\"1.2.3\"", "\"01.2.3.4\""}},
      {text("ipv6"),
       {"\"::\"", "\"::1\"", "\"1:2:3:4:5:6:7:8\"", "\"1::8\"", "\"::ffff:1.2.3.4\""},
       {"\"1:2:3:4:5:6:7\"", "\"1::2::3\"", "\"12345::\"", "\":\""}},
      {text("email"),
       {"\"joe.bloggs@example.com\"", "\"\\\"joe bloggs\\\"@example.com\""},
       {"\"joe\"", "\".joe@example.com\"", "\"joe@-x.com\""}},
      {text("hostname"),
       {"\"www.example-1.com\"", "\"a\"", "\"1host\""},
       {"\"-a\"", "\"a-\"", "\"a..b\"", "\"\"", "\"a_b\""}},
      {text("uri"),
       {"\"http://user@[::1]:80/p?q#f\"", "\"urn:isbn:1\"", "\"mailto:a@b.c\""},
       {"\"/rel\"", "\"http:// x\"", "\"http://a/<\""}},
      {text("uri-reference"), {"\"/rel\"", "\"a/b?c\"", "\"\"", "\"#f\""}, {"\"a b\""}},
      {text("json-pointer"), {"\"\"", "\"/a~1b/0\""}, {"\"a\"", "\"/a~\""}},
      {text("relative-json-pointer"), {"\"0\"", "\"1/a\"", "\"2#\""}, {"\"/a\"", "\"01\""}},
  });
}

TEST(GrammarSchema, Arrays) {
  check({
      {R"({"type":"array"})", {"[]", "[1, \"a\",[]]", "[\n  1,\n  2\n]"}, {"[", "[1 2]"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
       {"[1]", "[1,2,3]"},
       {"[]", "[1,2,3,4]", "[\"a\"]"}},
      {R"({"type":"array","items":{"type":"integer"},"maxItems":200})", {"[]", "[1]"}, {"[true]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
       {"[]", "[1]", "[1,\"a\"]"},
       {"[\"a\"]", "[1,\"a\",2]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"null"},"minItems":2})",
       {"[1,null]", "[1,null,null]"},
       {"[1]", "[1,1]"}},
      {R"({"type":"array","contains":{"const":1}})",
       {"[1]", "[2,1]", "[1,1,\"a\"]"},
       {"[]", "[2]"}},
      {R"({"type":"array","contains":{"const":1},"minContains":2,"maxContains":2})",
       {"[1,1]", "[1,2,1]"},
       {"[1]", "[1,1,1]"}},
      {R"({"type":"array","contains":{"const":1},"minContains":0,"maxContains":0})",
       {"[]", "[2]"},
       {"[1]", "[2,1]"}},
      {R"({"type":"array","items":{"enum":["a","b","c"]},"uniqueItems":true})",
       {"[]", "[\"c\",\"a\"]", "[\"a\",\"b\",\"c\"]"},
       {"[\"a\",\"a\"]"}},
      {R"({"type":"array","items":{"type":"boolean"},"uniqueItems":true,"minItems":2})",
       {"[true,false]"},
       {"[true]", "[true,true]"}},
      {R"({"type":"array","items":{"type":"string"},"uniqueItems":true,"maxItems":1})",
       {"[]", "[\"a\"]"},
       {"[\"a\",\"b\"]"}},
      {R"({"type":"array","not":{"items":{"type":"integer"}}})",
       {"[\"a\"]", "[1,\"a\",2]"},
       {"[]", "[1,2]"}},
      {R"({"type":"array","not":{"contains":{"const":1}}})", {"[]", "[2]"}, {"[1]", "[2,1]"}},
      {R"({"prefixItems":[{"const":1}],"unevaluatedItems":{"type":"null"},"type":"array"})",
       {"[1]", "[1,null]"},
       {"[2]", "[1,2]"}},
      {R"({"contains":{"type":"string"},"unevaluatedItems":{"type":"integer"},"type":"array"})",
       {"[\"a\"]", "[1,\"a\"]"},
       {"[1]", "[\"a\",null]"}},
  });
}

TEST(GrammarSchema, Objects) {
  check({
      {R"({"type":"object"})",
       {"{}", "{\"a\":1,\"b\":{}}", "{\n    \"a\": 1\n}"},
       {"{,}", "{\"a\"}"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["b"],"additionalProperties":false})",
       {"{\"b\":\"\"}", "{\"a\":1,\"b\":\"x\"}"},
       {"{}", "{\"a\":1}", "{\"b\":\"x\",\"a\":1}", "{\"b\":\"x\",\"c\":1}"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"}}})",
       {"{}", "{\"a\":1}", "{\"aa\":\"x\"}", "{\"a\":1,\"c\":null,\"d\":1}"},
       {"{\"a\":\"x\"}", "{\"c\":1,\"a\":\"x\"}", "{\"\\u0061\":\"x\"}"}},
      {R"({"type":"object","required":["x","y"]})", {"{\"x\":1,\"y\":2,\"z\":3}"}, {"{\"x\":1}"}},
      {R"({"type":"object","patternProperties":{"^i":{"type":"integer"}},"additionalProperties":{"type":"string"}})",
       {"{\"i1\":1,\"s\":\"x\"}"},
       {"{\"i1\":\"x\"}", "{\"s\":1}"}},
      {R"({"type":"object","propertyNames":{"pattern":"^[a-z]+$"}})",
       {"{\"ab\":1}"},
       {"{\"A\":1}", "{\"\":1}"}},
      {R"({"type":"object","properties":{"a":true,"b":true},"minProperties":1,"maxProperties":2})",
       {"{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"q\":1}"},
       {"{}", "{\"a\":1,\"b\":2,\"c\":3}"}},
      // A key written twice is one member.
      {R"({"type":"object","minProperties":2})",
       {"{\"a\":1,\"z\":1}"},
       {"{\"z\":1,\"z\":1}", "{\"a\":1}"}},
      {R"({"type":"object","dependentRequired":{"a":["b"]},"properties":{"a":true,"b":true}})",
       {"{}", "{\"b\":1}", "{\"a\":1,\"b\":1}"},
       {"{\"a\":1}"}},
      {R"({"type":"object","dependentSchemas":{"a":{"properties":{"b":{"type":"integer"}}}},"properties":{"a":true,"b":true}})",
       {"{\"b\":\"x\"}", "{\"a\":1,\"b\":2}"},
       {"{\"a\":1,\"b\":\"x\"}"}},
      {R"({"properties":{"a":true},"unevaluatedProperties":false,"anyOf":[{"properties":{"b":true},"required":["b"]},{"properties":{"c":true},"required":["c"]}],"type":"object"})",
       {"{\"a\":1,\"b\":1}", "{\"c\":1}", "{\"b\":1,\"c\":1}"},
       {"{\"a\":1}", "{\"a\":1,\"b\":1,\"d\":1}"}},
      {R"({"type":"object","not":{"required":["a"]}})", {"{}", "{\"b\":1}"}, {"{\"a\":1}"}},
      {R"({"type":"object","not":{"additionalProperties":{"type":"integer"}}})",
       {"{\"a\":\"x\"}"},
       {"{}", "{\"a\":1}", "{\"a\":\"x\",\"a\":1}"}},
      {R"({"type":"object","properties":{"a\"\\\n":true},"additionalProperties":false})",
       {"{\"a\\\"\\\\\\n\":1}"},
       {"{\"a\":1}"}},
  });
}

TEST(GrammarSchema, Logic) {
  check({
      {R"({"allOf":[{"type":"integer"},{"minimum":3}]})", {"3", "10"}, {"2", "\"a\"", "3.5"}},
      {R"({"anyOf":[{"type":"integer"},{"maxLength":2}],"type":["integer","string"]})",
       {"3", "\"ab\""},
       {"\"abc\"", "null"}},
      {R"({"oneOf":[{"type":"integer"},{"minimum":3}],"type":"number"})",
       {"1", "3.5"},
       {"3", "2.5"}},
      {R"({"oneOf":[{"type":"object","properties":{"k":{"const":1}},"required":["k"]},{"type":"object","properties":{"k":{"const":2},"v":{"type":"null"}},"required":["k"]}]})",
       {"{\"k\":1}", "{\"k\":2,\"v\":null}"},
       {"{\"k\":3}", "{\"k\":2,\"v\":1}"}},
      {R"({"not":{"type":"string"}})", {"1", "[]", "{}"}, {"\"a\""}},
      {R"({"not":{"not":{"type":"string"}}})", {"\"a\""}, {"1"}},
      {R"({"if":{"type":"integer"},"then":{"minimum":10},"else":{"type":"null"}})",
       {"10", "null"},
       {"9", "\"a\"", "1.5"}},
      {R"({"if":{"properties":{"k":{"const":1}},"required":["k"]},"then":{"required":["v"]},"type":"object"})",
       {"{}", "{\"k\":2}", "{\"k\":1,\"v\":0}"},
       {"{\"k\":1}"}},
      {R"({"then":{"type":"null"}})", {"1"}, {}},
  });
}

TEST(GrammarSchema, References) {
  check({
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"type":"integer"}}})", {"1"}, {"\"a\""}},
      {R"({"$ref":"#a","$defs":{"x":{"$anchor":"a","type":"null"}}})", {"null"}, {"1"}},
      {R"({"properties":{"next":{"$ref":"#"}},"additionalProperties":false,"type":"object"})",
       {"{}", "{\"next\":{\"next\":{}}}"},
       {"{\"next\":1}", "{\"next\":{\"x\":1}}"}},
      {R"({"$id":"http://x.y/a/b","$ref":"c","$defs":{"q":{"$id":"c","type":"boolean"}}})",
       {"true"},
       {"1"}},
      {R"({"definitions":{"a/b~":{"type":"null"}},"$ref":"#/definitions/a~1b~0"})",
       {"null"},
       {"1"}},
      {R"({"$id":"http://x/list","$ref":"strings","$defs":{"s":{"$id":"strings","$ref":"generic","$defs":{"t":{"$dynamicAnchor":"item","type":"string"}}},"g":{"$id":"generic","type":"array","items":{"$dynamicRef":"#item"},"$defs":{"any":{"$dynamicAnchor":"item"}}}}})",
       {"[\"a\"]"},
       {"[1]"}},
  });
}

TEST(GrammarSchema, SpacesAreThoseOfUsualLayouts) {
  const std::string schema = R"({"type":"object","properties":{"a":{"type":"array"}}})";
  const Grammar flexible = compile_json_schema(schema);
  for (const char* text : {"{\"a\":[1,2]}", "{\"a\": [1, 2]}", "{ \"a\": [ 1, 2 ] }",
                           "{\n  \"a\": [\n    1,\n    2\n  ]\n}"})
    EXPECT_TRUE(matches(flexible, text)) << text;
  for (const char* text : {"{\"a\":  [1]}", " {}", "{} ", "{\"a\" :1}", "{\n\n}"})
    EXPECT_FALSE(matches(flexible, text)) << text;
  const Grammar none = compile_json_schema(schema, {.space = JsonSpace::none});
  EXPECT_TRUE(matches(none, "{\"a\":[1,2]}"));
  EXPECT_FALSE(matches(none, "{\"a\": [1,2]}"));
  EXPECT_TRUE(matches(json_object(), "{\"a\": [1, {}]}"));
  EXPECT_FALSE(matches(json_object(), "[]"));
}

TEST(GrammarSchema, AnnotationsAreTaken) {
  check(
      {{R"({"$schema":"https://json-schema.org/draft/2020-12/schema","title":"t","description":"d",
    "default":1,"examples":[1],"$comment":"c","deprecated":true,"readOnly":true,"writeOnly":false,
    "contentMediaType":"application/json","contentEncoding":"base64","contentSchema":{"x":1},
    "x-vendor":{"any":"thing"},"type":"null"})",
        {"null"},
        {"1"}}});
}

TEST(GrammarSchema, RefusesByPointer) {
  const auto refused = [](std::string_view schema) {
    const auto thrown = thrown_by([&] { compile_json_schema(schema); });
    EXPECT_TRUE(thrown && thrown->kind == ErrorKind::unsupported) << schema;
    return thrown ? thrown->message : "";
  };
  EXPECT_EQ(refused(R"({"properties":{"a/b":{"minimun":1}}})"),
            "JSON Schema: /properties/a~1b/minimun: the keyword \"minimun\" is not supported");
  EXPECT_EQ(refused(R"({"items":{"format":"iri"}})"),
            "JSON Schema: /items/format: the format \"iri\" is not supported");
  EXPECT_EQ(refused(R"({"$ref":"http://elsewhere/x"})"),
            "JSON Schema: /$ref: \"http://elsewhere/x\" is not in this document");
  EXPECT_NE(refused(R"({"items":{"type":"string"},"uniqueItems":true})").find("/uniqueItems: "),
            std::string::npos);
  EXPECT_NE(refused(R"({"not":{"uniqueItems":true}})").find("/not/uniqueItems: "),
            std::string::npos);
  EXPECT_NE(refused(R"({"not":{"format":"time"}})").find("/not/format: "), std::string::npos);
  EXPECT_NE(refused(R"~({"pattern":"a(?=b)"})~").find("/pattern: look-ahead"), std::string::npos);
  EXPECT_NE(refused(R"({"multipleOf":123456789})").find("/multipleOf: "), std::string::npos);
  EXPECT_NE(refused(R"({"$schema":"http://json-schema.org/draft-04/schema#"})").find("dialect"),
            std::string::npos);
  EXPECT_NE(refused(R"({"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":
    {"$ref":"#","minimum":1}}})")
                .find("/properties/a/minimum: beside $ref"),
            std::string::npos);
}

TEST(GrammarSchema, WhatIsNoSchema) {
  for (const char* schema : {"",
                             "{",
                             "1",
                             "[]",
                             "\"a\"",
                             "null",
                             R"({"type":"int"})",
                             R"({"type":1})",
                             R"({"minimum":"1"})",
                             R"({"minLength":-1})",
                             R"({"minLength":1.5})",
                             R"({"items":[]})",
                             R"({"allOf":[]})",
                             R"({"allOf":{}})",
                             R"({"properties":[]})",
                             R"({"required":"a"})",
                             R"({"enum":1})",
                             R"({"multipleOf":0})",
                             R"({"$ref":1})",
                             R"({"$ref":"#/nowhere"})",
                             R"({"$ref":"#nowhere"})",
                             R"({"type":"null","type":"null"})",
                             R"({"$ref":"#"})",
                             R"({"allOf":[{"$ref":"#"}]})",
                             R"({"not":{"$ref":"#"}})",
                             R"({"pattern":"("})",
                             R"({"const":1,"enum":[2]})",
                             R"({"type":"array","items":{"$ref":"#"},"minItems":1})",
                             R"({"uniqueItems":1})",
                             R"({"$id":"a#b"})",
                             "false"}) {
    const auto thrown = thrown_by([&] { compile_json_schema(schema); });
    ASSERT_TRUE(thrown) << schema;
    EXPECT_EQ(thrown->kind, ErrorKind::bad_input) << schema << ": " << thrown->message;
  }
}

TEST(GrammarSchema, HostileSchemasEndInALimit) {
  const auto ends = [](const std::string& schema) {
    const auto thrown = thrown_by([&] { compile_json_schema(schema); });
    return thrown && thrown->message.find("limit") != std::string::npos;
  };
  // oneOf in oneOf, every branch overlapping every other.
  std::string nested = R"({"type":"integer"})";
  for (int depth = 0; depth < 4; ++depth) {
    std::string branches;
    for (int i = 0; i < 6; ++i)
      branches +=
          fmt::format(R"({}{{"properties":{{"p{}{}":{}}}}})", i == 0 ? "" : ",", depth, i, nested);
    nested = "{\"oneOf\":[" + branches + "]}";
  }
  EXPECT_TRUE(ends(nested));
  EXPECT_TRUE(ends(R"({"type":"string","pattern":"(a|b)*a(a|b){40}"})"));
  EXPECT_TRUE(ends(R"({"type":"string","minLength":900000,"pattern":"a"})"));
  EXPECT_TRUE(ends(R"({"type":"array","minItems":5000000})"));
  EXPECT_TRUE(ends("{\"minimum\":0." + std::string(450, '0') + "1}"));
  EXPECT_TRUE(ends(R"({"contains":{"const":1},"minItems":100000})"));
  std::string deep;
  for (int i = 0; i < 500; ++i) deep += "{\"items\":";
  EXPECT_TRUE(thrown_by([&] { compile_json_schema(deep + "true" + std::string(500, '}')); }));
  // A long chain of references is no recursion of ours.
  std::string chain = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 400; ++i)
    chain += fmt::format(R"("d{}":{{"properties":{{"a":{{"$ref":"#/$defs/d{}"}}}}}},)", i, i + 1);
  compile_json_schema(chain + R"("d400":{"type":"null"}}})");
}

}  // namespace
}  // namespace bittern::test
