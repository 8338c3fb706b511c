#include "chat/value.h"

#include "base/check.h"

namespace bittern::chat {

Value Value::trusted_text(std::string text) {
  Value value(std::move(text));
  value.trusted_ = true;
  return value;
}

// Recursion ends at the depth to which JSON is parsed.
Value Value::from_json(const json::Value& value) {
  constexpr std::string_view kField = "value";
  switch (value.kind()) {
    case json::Kind::null:
      return nullptr;
    case json::Kind::boolean:
      return value.as_boolean(kField);
    case json::Kind::integer:
      return value.as_integer(kField);
    case json::Kind::number:
      return value.as_number(kField);
    case json::Kind::string:
      return value.as_string(kField);
    case json::Kind::array: {
      List list;
      for (const json::Value& element : value.elements(kField)) list.push_back(from_json(element));
      return list;
    }
    case json::Kind::object: {
      Dict dict;
      for (const auto& [name, member] : value.members(kField))
        dict.emplace_back(name, from_json(member));
      return dict;
    }
  }
  return nullptr;
}

const Value* Value::find(std::string_view name) const {
  const Dict* members = dict();
  if (members == nullptr) return nullptr;
  const Value* found = nullptr;
  for (const auto& [key, value] : *members)
    if (key == name) found = &value;
  return found;
}

void Value::set(std::string_view name, Value value) {
  Dict* members = std::get_if<Dict>(&storage_);
  BITTERN_CHECK(members != nullptr, "a member '{}' of a value that is no dictionary", name);
  for (auto& [key, old] : *members)
    if (key == name) {
      old = std::move(value);
      return;
    }
  members->emplace_back(std::string(name), std::move(value));
}

}  // namespace bittern::chat
