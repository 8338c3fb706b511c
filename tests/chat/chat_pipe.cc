// Renders templates over pipes, for the heavy comparison with jinja2
// (tests/oracles/test_chat_templates.py). Reads one JSON object a line and writes one for each:
//   {"template": "...", "variables": {...}} -> {"text": "...", "literal": [[begin, end], ...]}
//                                           or {"error": "..."}
// A line without "template" uses the one before. strftime_now sees 2026-03-05 14:07:09, a
// Thursday.
#include <fmt/format.h>

#include <iostream>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "chat/fixed_moment.h"
#include "chat/template.h"

namespace bittern::chat {
namespace {

JsonBuilder answer(std::optional<Template>& current, const json::Value& request) {
  try {
    if (const auto source = request.get_string("template")) {
      current.reset();
      current = Template::parse(*source, "template");
    }
    if (!current) bad_input("no template");
    const Value variables = Value::from_json(*request.find("variables"));
    const std::tm now = test::fixed_moment();
    const Rendered rendered = current->render(*variables.dict(), {.now = &now});
    JsonBuilder literal = JsonBuilder::array();
    for (const text::TextRange& range : rendered.literal)
      literal.push_back({range.begin, range.end});
    return {{"text", rendered.text}, {"literal", std::move(literal)}};
  } catch (const Error& error) {
    return {{"error", error.message()}};
  }
}

int serve() {
  std::optional<Template> current;
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto request = json::Document::parse(line, "stdin");
    std::cout << to_text(answer(current, request->root())) << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace bittern::chat

int main() {
  try {
    return bittern::chat::serve();
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return static_cast<int>(error.kind());
  }
}
