// Cuts texts over pipes, for the heavy comparison with other programs
// (tests/oracles/test_splits.py).
//   split_pipe ROW
// reads one JSON string a line and writes the lengths of its pieces in characters:
//   "it's 12" -> [2, 2, 1, 2]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "text/split.h"

namespace bittern::text {
namespace {

std::vector<int64_t> character_counts(const Split& split, std::string_view text) {
  std::vector<int64_t> counts;
  std::array<size_t, 5> lengths{};  // few, so that going on behind a full array is tried too
  while (!text.empty()) {
    const size_t count = split.cut(text, lengths);
    for (size_t i = 0; i < count; ++i) {
      const std::string_view piece = text.substr(0, lengths[i]);
      counts.push_back(std::ranges::count_if(piece, [](char c) { return (c & 0xc0) != 0x80; }));
      text.remove_prefix(lengths[i]);
    }
  }
  return counts;
}

int serve(const char* name) {
  const Split* split = find_split(name);
  if (split == nullptr) bad_input("split \"{}\": no such row; known: {}", name, known_splits());
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto request = json::Document::parse("[" + line + "]", "stdin");
    const auto texts = request->root().elements("texts");
    std::cout << to_text(JsonBuilder(character_counts(*split, texts[0].as_string("text")))) << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace bittern::text

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: split_pipe ROW < texts\n");
    return 2;
  }
  try {
    return bittern::text::serve(argv[1]);
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return static_cast<int>(error.kind());
  }
}
