#include "chat/grammar/schema_json.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/json_write.h"
#include "chat/grammar/decimal.h"
#include "chat/grammar/limits.h"

namespace bittern::chat::grammar {
namespace {

// The numbers of a valid JSON text, in order.
std::vector<std::string_view> numbers_of(std::string_view text) {
  std::vector<std::string_view> found;
  bool in_string = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c != '-' && (c < '0' || c > '9')) continue;
    const size_t end = std::min(text.find_first_not_of("0123456789.eE+-", at), text.size());
    found.push_back(text.substr(at, end - at));
    at = end - 1;
  }
  return found;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& name)
      : numbers_(numbers_of(text)), name_(name) {}

  void read(const json::Value& value, JsonNode& node) {
    switch (value.kind()) {
      case json::Kind::null:
        return;
      case json::Kind::boolean:
        node.kind = JsonNode::Kind::boolean;
        node.boolean = value.as_boolean("");
        return;
      case json::Kind::integer:
      case json::Kind::number:
        node.kind = JsonNode::Kind::number;
        node.text = numbers_[next_number_++];
        return;
      case json::Kind::string:
        node.kind = JsonNode::Kind::string;
        node.text = value.as_string("");
        return;
      case json::Kind::array:
        node.kind = JsonNode::Kind::array;
        for (const json::Value& item : value.elements("")) {
          JsonNode& made = node.items.emplace_back();
          made.pointer = fmt::format("{}/{}", node.pointer, node.items.size() - 1);
          read(item, made);
        }
        return;
      case json::Kind::object:
        read_members(value, node);
        return;
    }
  }

 private:
  void read_members(const json::Value& value, JsonNode& node) {
    node.kind = JsonNode::Kind::object;
    std::set<std::string_view> keys;
    for (const auto& [key, member] : value.members("")) {
      if (!keys.insert(key).second)
        bad_input("{}: {}: the key \"{}\" stands there twice", name_, printable(node.pointer, 400),
                  printable(key));
      JsonNode& made = node.members.emplace_back(std::string(key), JsonNode{}).second;
      made.pointer = node.pointer + "/" + pointer_token(key);
      read(member, made);
    }
  }

  std::vector<std::string_view> numbers_;
  size_t next_number_ = 0;
  const std::string& name_;
};

}  // namespace

JsonNode::JsonNode() = default;
JsonNode::~JsonNode() = default;
JsonNode::JsonNode(JsonNode&& other) noexcept = default;
JsonNode& JsonNode::operator=(JsonNode&& other) noexcept = default;

const JsonNode* JsonNode::find(std::string_view key) const {
  for (const auto& [name, value] : members)
    if (name == key) return &value;
  return nullptr;
}

std::string JsonNode::canonical() const {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return boolean ? "true" : "false";
    case Kind::number:
      return decimal(text, pointer).text();
    case Kind::string:
      return to_text(text);
    case Kind::array: {
      std::string out = "[";
      for (const JsonNode& item : items) out += item.canonical() + ",";
      return out + "]";
    }
    case Kind::object: {
      std::vector<std::string> parts;
      for (const auto& [key, value] : members)
        parts.push_back(to_text(key) + ":" + value.canonical() + ",");
      std::ranges::sort(parts);
      std::string out = "{";
      for (const std::string& part : parts) out += part;
      return out + "}";
    }
  }
  return "";
}

std::string pointer_token(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::unique_ptr<JsonNode> read_json(std::string_view text, const std::string& name) {
  if (text.size() > kSourceBytesMax)
    bad_input("{}: longer than {} bytes, the limit", name, kSourceBytesMax);
  const auto document = json::Document::parse(text, name);
  auto root = std::make_unique<JsonNode>();
  Reader(text, name).read(document->root(), *root);
  return root;
}

}  // namespace bittern::chat::grammar
