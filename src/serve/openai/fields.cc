#include "serve/openai/fields.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/suggest.h"
#include "serve/openai/error.h"

namespace bittern::serve::openai {
namespace {

[[noreturn]] void mismatch(const json::Value& value, const std::string& path,
                           std::string_view expected) {
  refuse(path, error_code::kType, "{} expected, got {}", expected, json::kind_name(value.kind()));
}

}  // namespace

std::string field_path(std::string_view parent, std::string_view name) {
  const std::string safe = printable(name);
  return parent.empty() ? safe : fmt::format("{}.{}", parent, safe);
}

std::string element_path(std::string_view parent, size_t index) {
  return fmt::format("{}[{}]", parent, index);
}

int64_t integer_of(const json::Value& value, const std::string& path, int64_t least, int64_t most) {
  double number = 0;
  if (value.is(json::Kind::number)) number = value.as_number(path);
  const bool is_integral = std::nearbyint(number) == number && std::fabs(number) <= 0x1p53;
  if (!value.is(json::Kind::integer) && !(value.is(json::Kind::number) && is_integral))
    mismatch(value, path, "integer");
  int64_t integer = 0;
  try {
    integer = value.as_integer(path);
  } catch (const Error&) {  // of more than 63 bits
    refuse(path, error_code::kValue, "{} to {} expected, got {}", least, most, value.to_text());
  }
  if (integer < least || integer > most)
    refuse(path, error_code::kValue, "{} to {} expected, got {}", least, most, integer);
  return integer;
}

double number_of(const json::Value& value, const std::string& path, double least, double most) {
  if (!value.is(json::Kind::number) && !value.is(json::Kind::integer))
    mismatch(value, path, "number");
  const double number = value.as_number(path);
  if (!(number >= least && number <= most))
    refuse(path, error_code::kValue, "{} to {} expected, got {}", least, most, number);
  return number;
}

bool boolean_of(const json::Value& value, const std::string& path) {
  if (!value.is(json::Kind::boolean)) mismatch(value, path, "boolean");
  return value.as_boolean(path);
}

std::string text_of(const json::Value& value, const std::string& path) {
  if (!value.is(json::Kind::string)) mismatch(value, path, "string");
  return std::string(value.as_string(path));
}

std::vector<json::Value> elements_of(const json::Value& value, const std::string& path) {
  if (!value.is(json::Kind::array)) mismatch(value, path, "array");
  return value.elements(path);
}

std::vector<std::string> texts_of(const json::Value& value, const std::string& path) {
  std::vector<std::string> texts;
  for (const json::Value& element : elements_of(value, path))
    texts.push_back(text_of(element, element_path(path, texts.size())));
  return texts;
}

Fields::Fields(const json::Value& object, std::string path) : path_(std::move(path)) {
  const std::string shown = path_.empty() ? "body" : path_;
  if (!object.is(json::Kind::object)) mismatch(object, shown, "object");
  std::set<std::string_view> names;
  for (const auto& [name, value] : object.members(shown)) {
    if (!names.insert(name).second)
      openai::refuse(this->path(name), error_code::kValue, "given twice");
    members_.push_back({name, value});
  }
}

std::optional<json::Value> Fields::take(std::string_view name) {
  known_.emplace_back(name);
  const auto found = std::ranges::find(members_, name, &Member::name);
  if (found == members_.end()) return std::nullopt;
  found->is_taken = true;
  if (found->value.is(json::Kind::null)) return std::nullopt;
  return found->value;
}

json::Value Fields::require(std::string_view name) {
  if (const auto value = take(name)) return *value;
  openai::refuse(path(name), error_code::kMissing, "required and not given");
}

std::optional<int64_t> Fields::integer(std::string_view name, int64_t least, int64_t most) {
  const auto value = take(name);
  return value ? std::optional(integer_of(*value, path(name), least, most)) : std::nullopt;
}

std::optional<double> Fields::number(std::string_view name, double least, double most) {
  const auto value = take(name);
  return value ? std::optional(number_of(*value, path(name), least, most)) : std::nullopt;
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const auto value = take(name);
  return value ? std::optional(boolean_of(*value, path(name))) : std::nullopt;
}

std::optional<std::string> Fields::text(std::string_view name) {
  const auto value = take(name);
  return value ? std::optional(text_of(*value, path(name))) : std::nullopt;
}

std::optional<std::vector<std::string>> Fields::texts(std::string_view name) {
  const auto value = take(name);
  return value ? std::optional(texts_of(*value, path(name))) : std::nullopt;
}

std::optional<std::string> Fields::choice(std::string_view name,
                                          std::initializer_list<std::string_view> words) {
  std::optional<std::string> word = text(name);
  if (word && std::ranges::find(words, *word) == words.end())
    openai::refuse(path(name), error_code::kValue, "one of {} expected, got \"{}\"",
                   fmt::join(words, ", "), printable(*word));
  return word;
}

void Fields::refuse(std::string_view name, std::string_view reason) {
  if (take(name)) openai::refuse(path(name), error_code::kUnsupported, "{}", reason);
}

void Fields::finish() const {
  for (const Member& member : members_) {
    if (member.is_taken) continue;
    std::vector<std::string_view> names(known_.begin(), known_.end());
    const auto nearest = suggest(member.name, names);
    openai::refuse(path(member.name), error_code::kUnknown, "unknown field{}",
                   nearest ? fmt::format("; did you mean {}?", *nearest) : "");
  }
}

}  // namespace bittern::serve::openai
