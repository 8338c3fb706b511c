// What a caller gives a template: plain JSON-like values that own themselves. Texts in it count
// as written by a user, so that nothing in them is ever read as a special token, except texts
// marked as trusted (the model's own special tokens, the names of roles).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace bittern::chat {

class Value;
using List = std::vector<Value>;
// In order of insertion. A name given twice keeps its first place and its last value.
using Dict = std::vector<std::pair<std::string, Value>>;

class Value {
 public:
  using Storage = std::variant<std::nullptr_t, bool, int64_t, double, std::string, List, Dict>;

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool value) : storage_(value) {}
  Value(int value) : storage_(int64_t{value}) {}
  Value(int64_t value) : storage_(value) {}
  Value(double value) : storage_(value) {}
  Value(std::string value) : storage_(std::move(value)) {}
  Value(std::string_view value) : storage_(std::string(value)) {}
  Value(const char* value) : storage_(std::string(value)) {}  // or it would become a bool
  Value(List value) : storage_(std::move(value)) {}
  Value(Dict value) : storage_(std::move(value)) {}

  // A text of the model's author: what it spells may become a special token.
  static Value trusted_text(std::string text);

  // Of parsed JSON. Throws bad_input for an integer outside 64 bits (Python has no such bound).
  static Value from_json(const json::Value& value);

  const Storage& storage() const { return storage_; }
  Storage& storage() { return storage_; }
  bool trusted() const { return trusted_; }

  // Null unless of that kind.
  const std::string* text() const { return std::get_if<std::string>(&storage_); }
  const List* list() const { return std::get_if<List>(&storage_); }
  const Dict* dict() const { return std::get_if<Dict>(&storage_); }
  bool is_null() const { return std::holds_alternative<std::nullptr_t>(storage_); }

  // The member with this name; null where absent or this is no dictionary.
  const Value* find(std::string_view name) const;
  // Sets a member, which is appended where it is new. This must be a dictionary.
  void set(std::string_view name, Value value);

 private:
  Storage storage_ = nullptr;
  bool trusted_ = false;
};

}  // namespace bittern::chat
