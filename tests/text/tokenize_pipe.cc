// Encodes and decodes over pipes, for the heavy comparison with other programs
// (tests/oracles/test_tokenizers.py).
//   tokenize_pipe TOKENIZER.JSON
// reads one JSON object a line and writes one line for each:
//   {"text": "...", "parse_special": bool, "add_special": bool} -> [id, ...]
//   {"ids": [id, ...], "skip_special": bool}                    -> "text"
//   {"repeat": "...", "mebibytes": n}                           -> megabytes per CPU second,
//   encoding
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json_support.h"

namespace bittern::text {
namespace {

double encoding_speed(const Tokenizer& tokenizer, std::string_view unit, int64_t mebibytes) {
  std::string text;
  while (static_cast<int64_t>(text.size()) < mebibytes << 20) text += unit;
  const std::clock_t start = std::clock();
  const size_t count = tokenizer.encode(text).size();
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return count == 0 ? 0 : static_cast<double>(text.size()) / 1e6 / seconds;
}

std::string answer(const Tokenizer& tokenizer, const json::Value& request) {
  if (const auto text = request.get_string("text")) {
    const EncodeOptions options{
        .add_special = request.get_boolean("add_special").value_or(true),
        .parse_special = request.get_boolean("parse_special").value_or(true)};
    return to_text(JsonBuilder(tokenizer.encode(*text, options)));
  }
  if (const auto unit = request.get_string("repeat")) {
    const int64_t mebibytes = request.get_integer("mebibytes").value_or(1);
    return to_text(JsonBuilder(encoding_speed(tokenizer, *unit, mebibytes)));
  }
  std::vector<int32_t> ids;
  for (const json::Value& id : request.find("ids")->elements("ids")) {
    ids.push_back(static_cast<int32_t>(id.as_integer("id")));
  }
  const bool skip = request.get_boolean("skip_special").value_or(true);
  return to_text(JsonBuilder(tokenizer.decode(ids, {.skip_special = skip})));
}

int serve(const char* path) {
  const auto tokenizer = Tokenizer::build(read_tokenizer_json(path));
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto request = json::Document::parse(line, "stdin");
    std::cout << answer(*tokenizer, request->root()) << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace bittern::text

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: tokenize_pipe TOKENIZER.JSON < requests\n");
    return 2;
  }
  try {
    return bittern::text::serve(argv[1]);
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return static_cast<int>(error.kind());
  }
}
