#include "base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"

namespace bittern::json {
namespace {

constexpr size_t kDepthLimit = 128;
using Dom = simdjson::dom::element;

}  // namespace

struct Document::Parsed {
  simdjson::dom::parser parser;
  Dom root;
};

namespace {

// Integers of more than 18 digits get an exponent, which makes them floating-point numbers: the
// parser refuses integers past 64 bits, but tokenizer_config.json has 10^30 for "no limit".
std::string with_large_integers_as_floats(std::string_view text) {
  constexpr size_t kDigits = 18;
  std::string out;
  out.reserve(text.size() + 16);
  bool in_string = false;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const bool digit = c >= '0' && c <= '9';
    if (in_string || !digit) {
      if (in_string && c == '\\' && at + 1 < text.size()) out += text[at++];
      if (c == '"') in_string = !in_string;
      out += text[at++];
      continue;
    }
    const size_t end = std::min(text.find_first_not_of("0123456789.eE+-", at), text.size());
    const std::string_view number = text.substr(at, end - at);
    out += number;
    if (number.size() > kDigits && number.find_first_of(".eE") == std::string_view::npos)
      out += "e0";
    at = end;
  }
  return out;
}

template <typename Element>
Dom unwrap(const Element& element) {
  static_assert(sizeof(Dom) == sizeof(Element) && std::is_trivially_copyable_v<Dom>);
  return std::bit_cast<Dom>(element);
}

}  // namespace

template <typename T>
Value Value::wrap(const Document* owner, T element) {
  return Value(owner, std::bit_cast<Element>(element));
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "boolean";
    case Kind::integer:
      return "integer";
    case Kind::number:
      return "number";
    case Kind::string:
      return "string";
    case Kind::array:
      return "array";
    case Kind::object:
      return "object";
  }
  return "unknown";
}

Kind Value::kind() const {
  using simdjson::dom::element_type;
  switch (unwrap(element_).type()) {
    case element_type::ARRAY:
      return Kind::array;
    case element_type::OBJECT:
      return Kind::object;
    case element_type::INT64:
    case element_type::UINT64:
      return Kind::integer;
    case element_type::DOUBLE:
      return Kind::number;
    case element_type::STRING:
      return Kind::string;
    case element_type::BOOL:
      return Kind::boolean;
    case element_type::NULL_VALUE:
      return Kind::null;
  }
  return Kind::null;
}

void Value::mismatch(std::string_view field, std::string_view expected) const {
  // A number of the right kind and the wrong size is shown itself.
  const std::string got =
      is(Kind::integer) ? simdjson::minify(unwrap(element_)) : std::string(kind_name(kind()));
  bad_input("{}: {}: {} expected, got {}", file_name(), printable(field), expected, got);
}

std::optional<Value> Value::find(std::string_view key) const {
  Dom found;
  if (!is(Kind::object) || unwrap(element_).at_key(key).get(found) != simdjson::SUCCESS)
    return std::nullopt;
  return wrap(owner_, found);
}

std::vector<std::pair<std::string_view, Value>> Value::members(std::string_view field) const {
  simdjson::dom::object object;
  if (unwrap(element_).get(object) != simdjson::SUCCESS) mismatch(field, "object");
  std::vector<std::pair<std::string_view, Value>> result;
  result.reserve(object.size());
  for (const auto member : object) result.emplace_back(member.key, wrap(owner_, member.value));
  return result;
}

std::vector<Value> Value::elements(std::string_view field) const {
  simdjson::dom::array array;
  if (unwrap(element_).get(array) != simdjson::SUCCESS) mismatch(field, "array");
  std::vector<Value> result;
  result.reserve(array.size());
  for (const Dom element : array) result.push_back(wrap(owner_, element));
  return result;
}

void Value::each_element(std::string_view field,
                         const std::function<void(const Value&)>& visit) const {
  simdjson::dom::array array;
  if (unwrap(element_).get(array) != simdjson::SUCCESS) mismatch(field, "array");
  for (const Dom element : array) visit(wrap(owner_, element));
}

std::optional<std::pair<Value, Value>> Value::as_pair() const {
  simdjson::dom::array array;
  if (unwrap(element_).get(array) != simdjson::SUCCESS || array.size() != 2) return std::nullopt;
  auto it = array.begin();
  const Dom first = *it;
  return std::pair(wrap(owner_, first), wrap(owner_, *++it));
}

std::string_view Value::as_string(std::string_view field) const {
  std::string_view text;
  if (unwrap(element_).get(text) != simdjson::SUCCESS) mismatch(field, "string");
  return text;
}

int64_t Value::as_integer(std::string_view field) const {
  int64_t integer = 0;
  if (unwrap(element_).get(integer) == simdjson::SUCCESS) return integer;
  double number = 0;
  if (unwrap(element_).get(number) == simdjson::SUCCESS && std::nearbyint(number) == number &&
      std::fabs(number) <= 0x1p53)
    return static_cast<int64_t>(number);
  mismatch(field, is(Kind::integer) ? "integer below 2^63" : "integer");
}

uint64_t Value::as_unsigned(std::string_view field) const {
  uint64_t integer = 0;
  if (unwrap(element_).get(integer) != simdjson::SUCCESS)
    mismatch(field, is(Kind::integer) ? "integer of at least 0" : "unsigned integer");
  return integer;
}

double Value::as_number(std::string_view field) const {
  double number = 0;
  if (unwrap(element_).get(number) != simdjson::SUCCESS) mismatch(field, "number");
  return number;
}

bool Value::as_boolean(std::string_view field) const {
  bool boolean = false;
  if (unwrap(element_).get(boolean) != simdjson::SUCCESS) mismatch(field, "boolean");
  return boolean;
}

std::optional<Value> Value::get(std::string_view key) const {
  auto value = find(key);
  if (value && value->is(Kind::null)) value.reset();
  return value;
}

std::optional<std::string_view> Value::get_string(std::string_view key) const {
  const auto value = get(key);
  return value ? std::optional(value->as_string(key)) : std::nullopt;
}
std::optional<int64_t> Value::get_integer(std::string_view key) const {
  const auto value = get(key);
  return value ? std::optional(value->as_integer(key)) : std::nullopt;
}
std::optional<double> Value::get_number(std::string_view key) const {
  const auto value = get(key);
  return value ? std::optional(value->as_number(key)) : std::nullopt;
}
std::optional<bool> Value::get_boolean(std::string_view key) const {
  const auto value = get(key);
  return value ? std::optional(value->as_boolean(key)) : std::nullopt;
}

std::string Value::to_text() const { return simdjson::minify(unwrap(element_)); }

const std::string& Value::file_name() const { return owner_->file_name(); }

Document::Document(std::string file_name, std::unique_ptr<Parsed> parsed)
    : file_name_(std::move(file_name)), parsed_(std::move(parsed)) {}
Document::~Document() = default;

std::unique_ptr<Document> Document::parse(std::string_view text, std::string file_name) {
  auto parsed = std::make_unique<Parsed>();
  simdjson::error_code code = parsed->parser.allocate(text.size(), kDepthLimit);
  if (code == simdjson::SUCCESS)
    code = parsed->parser.parse(text.data(), text.size()).get(parsed->root);
  if (code == simdjson::NUMBER_ERROR) {
    const std::string rewritten = with_large_integers_as_floats(text);
    code = parsed->parser.allocate(rewritten.size(), kDepthLimit);
    if (code == simdjson::SUCCESS)
      code = parsed->parser.parse(rewritten.data(), rewritten.size()).get(parsed->root);
  }
  if (code == simdjson::DEPTH_ERROR)
    bad_input("{}: not valid JSON: nested deeper than {} levels", file_name, kDepthLimit);
  if (code != simdjson::SUCCESS)
    bad_input("{}: not valid JSON: {}", file_name, simdjson::error_message(code));
  return std::make_unique<Document>(std::move(file_name), std::move(parsed));
}

Value Document::root() const { return Value::wrap(this, parsed_->root); }

}  // namespace bittern::json
