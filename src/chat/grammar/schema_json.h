// A JSON text as a tree that keeps what a schema needs exactly: the order of members and the text
// of numbers. base/json.h does the parsing and checking; numbers are read beside it, in order.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace bittern::chat::grammar {

struct JsonNode {
  enum class Kind : uint8_t { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  std::string text;                                       // number, string
  std::vector<JsonNode> items;                            // array
  std::vector<std::pair<std::string, JsonNode>> members;  // object
  std::string pointer;                                    // from the root, as in RFC 6901

  JsonNode();
  ~JsonNode();
  JsonNode(JsonNode&& other) noexcept;
  JsonNode& operator=(JsonNode&& other) noexcept;

  const JsonNode* find(std::string_view key) const;
  bool is(Kind wanted) const { return kind == wanted; }
  // Equal values (1 and 1.0, members in any order) have equal texts.
  std::string canonical() const;
};

// Throws Error{bad_input} where the text is not JSON or has a key twice.
std::unique_ptr<JsonNode> read_json(std::string_view text, const std::string& name);

// "a/b" as a token of a JSON pointer: "a~1b".
std::string pointer_token(std::string_view key);

}  // namespace bittern::chat::grammar
