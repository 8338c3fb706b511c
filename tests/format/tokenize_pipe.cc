// Encodes and decodes over pipes, for the heavy comparison with other programs
// (tests/oracles/test_tokenizers.py).
//   tokenize_pipe VOCABULARY
// with any file or folder that `bittern tokenize` takes, reads one JSON object a line and writes
// one line for each:
//   {"text": "...", "parse_special": bool, "add_special": bool} -> [id, ...]
//   {"text": "...", "pair": "..."}                              -> [id, ...]
//   {"ids": [id, ...], "skip_special": bool}                    -> "text"
//   {"ids": [id, ...], "stream": true}                          -> "text", token by token
//   {"repeat": "...", "mebibytes": n}                           -> megabytes per CPU second,
//   encoding
//   {"time": ["...", ...]}    -> CPU seconds to encode each text once, without special tokens added
//   {"load": n}               -> CPU seconds of each of n times that the vocabulary is read
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "format/vocab.h"
#include "text/tokenizer.h"

namespace bittern::format {
namespace {

using text::EncodeOptions;
using text::Tokenizer;

double encoding_speed(const Tokenizer& tokenizer, std::string_view unit, int64_t mebibytes) {
  std::string text;
  while (static_cast<int64_t>(text.size()) < mebibytes << 20) text += unit;
  const std::clock_t start = std::clock();
  const size_t count = tokenizer.encode(text).size();
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return count == 0 ? 0 : static_cast<double>(text.size()) / 1e6 / seconds;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double encoding_seconds(const Tokenizer& tokenizer, const json::Value& list) {
  std::vector<std::string_view> texts;
  for (const json::Value& text : list.elements("time")) texts.push_back(text.as_string("time"));
  const double start = cpu_seconds();
  for (const std::string_view text : texts) tokenizer.encode(text, {.add_special = false});
  return cpu_seconds() - start;
}

std::unique_ptr<Tokenizer> load(const std::string& path) {
  if (auto spec = read_vocab_file(path)) return Tokenizer::build(*std::move(spec));
  return Tokenizer::build(read_vocab(open_checkpoint(path)));
}

std::vector<double> loading_seconds(const std::string& path, int64_t count) {
  std::vector<double> seconds;
  for (int64_t i = 0; i < count; ++i) {
    const double start = cpu_seconds();
    const auto tokenizer = load(path);
    seconds.push_back(cpu_seconds() - start);
  }
  return seconds;
}

std::string answer(const std::string& path, const Tokenizer& tokenizer,
                   const json::Value& request) {
  if (const auto texts = request.find("time"))
    return to_text(JsonBuilder(encoding_seconds(tokenizer, *texts)));
  if (const auto count = request.get_integer("load"))
    return to_text(JsonBuilder(loading_seconds(path, *count)));
  if (const auto text = request.get_string("text")) {
    const EncodeOptions options{
        .add_special = request.get_boolean("add_special").value_or(true),
        .parse_special = request.get_boolean("parse_special").value_or(true)};
    if (const auto pair = request.get_string("pair"))
      return to_text(JsonBuilder(tokenizer.encode_pair(*text, *pair, options)));
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
  if (request.get_boolean("stream").value_or(false)) {
    const auto stream = tokenizer.stream({.skip_special = skip});
    std::string out;
    for (const int32_t id : ids) out += stream->push(id);
    return to_text(JsonBuilder(out + stream->finish()));
  }
  return to_text(JsonBuilder(tokenizer.decode(ids, {.skip_special = skip})));
}

int serve(const char* path) {
  const auto tokenizer = load(path);
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto request = json::Document::parse(line, "stdin");
    std::cout << answer(path, *tokenizer, request->root()) << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace bittern::format

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: tokenize_pipe VOCABULARY < requests\n");
    return 2;
  }
  try {
    return bittern::format::serve(argv[1]);
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return static_cast<int>(error.kind());
  }
}
