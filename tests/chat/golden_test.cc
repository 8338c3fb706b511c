// Templates of ours against what jinja2 made of them (tests/data/chat/cases.json): every filter,
// test and method, random expressions and statements, and two chat templates over conversations.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_map.h"
#include "base/json.h"
#include "chat/fixed_moment.h"
#include "chat/template.h"

namespace bittern::test {
namespace {

using chat::Template;
using chat::Value;

struct Outcome {
  std::string text, error;
};

Outcome outcome(std::string_view source, const Value& variables) {
  const std::tm now = fixed_moment();
  try {
    return {Template::parse(source, "case").render(*variables.dict(), {.now = &now}).text, ""};
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input) << error.message();
    EXPECT_EQ(error.message().find('\n'), std::string::npos) << error.message();
    return {"", error.message()};
  }
}

std::unique_ptr<json::Document> cases() {
  const std::string path = std::string(BITTERN_TEST_DATA) + "/chat/cases.json";
  return json::Document::parse(read_text_file(path, 16 << 20), path);
}

// `expected` null: the reference raises.
void expect_same(std::string_view source, const Value& variables, const json::Value& expected) {
  const Outcome got = outcome(source, variables);
  if (expected.is(json::Kind::null)) {
    EXPECT_NE(got.error, "") << source << "\nmade " << got.text;
  } else {
    EXPECT_EQ(got.error, "") << source;
    EXPECT_EQ(got.text, expected.as_string("text")) << source;
  }
}

// What is left out by design, and says so; and slices of numbers written out in the template,
// which jinja2 folds to undefined before it runs.
bool is_refused(const std::string& error) {
  return error.find("cannot be sliced") != std::string::npos ||
         error.find("not supported") != std::string::npos ||
         error.find("64 bits") != std::string::npos || error.find("2^63") != std::string::npos;
}

TEST(ChatGolden, SmallTemplates) {
  const auto document = cases();
  const Value variables = Value::from_json(*document->root().find("variables"));
  int count = 0, refused = 0;
  for (const json::Value& entry : document->root().find("small")->elements("small")) {
    const auto parts = entry.elements("case");
    const std::string_view source = parts[0].as_string("template");
    ++count;
    if (!parts[1].is(json::Kind::null) && is_refused(outcome(source, variables).error))
      ++refused;
    else
      expect_same(source, variables, parts[1]);
  }
  EXPECT_GT(count, 900);
  EXPECT_LT(refused, count / 50);
}

TEST(ChatGolden, Conversations) {
  const auto document = cases();
  const auto templates = document->root().find("templates")->elements("templates");
  for (const json::Value& entry : document->root().find("chat")->elements("chat")) {
    const auto parts = entry.elements("case");
    const auto index = static_cast<size_t>(parts[0].as_integer("template"));
    expect_same(templates[index].as_string("template"), Value::from_json(parts[1]), parts[2]);
  }
}

}  // namespace
}  // namespace bittern::test
