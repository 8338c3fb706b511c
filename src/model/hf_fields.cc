#include "model/hf_fields.h"

#include "base/error.h"

namespace bittern::model {

std::optional<int64_t> HfFields::integer(std::string_view key, int64_t least, int64_t most) const {
  const auto value = object_.get_integer(key);
  if (value && (*value < least || *value > most))
    bad_input("{}: {}{}: expected {} to {}, got {}", file(), prefix_, key, least, most, *value);
  return value;
}

std::optional<int64_t> HfFields::integer(Spellings keys, int64_t least, int64_t most) const {
  for (const std::string_view key : keys)
    if (const auto value = integer(key, least, most)) return value;
  return std::nullopt;
}

int64_t HfFields::integer_or(Spellings keys, int64_t least, int64_t most, int64_t if_absent) const {
  if (const auto value = integer(keys, least, most)) return *value;
  if (if_absent == 0)
    bad_input("{}: {}{}: expected a number, got nothing", file(), prefix_, *keys.begin());
  return if_absent;
}

std::optional<double> HfFields::number(std::string_view key, double above, double most) const {
  const auto value = object_.get_number(key);
  if (value && !(*value > above && *value <= most)) {
    bad_input("{}: {}{}: expected a number above {} up to {}, got {}", file(), prefix_, key, above,
              most, *value);
  }
  return value;
}

std::optional<double> HfFields::number(Spellings keys, double above, double most) const {
  for (const std::string_view key : keys)
    if (const auto value = number(key, above, most)) return value;
  return std::nullopt;
}

double HfFields::required_number(std::string_view key, double above, double most) const {
  const auto value = number(key, above, most);
  if (!value) bad_input("{}: {}{}: expected a number, got nothing", file(), prefix_, key);
  return *value;
}

bool HfFields::boolean(std::string_view key, bool if_absent) const {
  return object_.get_boolean(key).value_or(if_absent);
}

std::optional<std::string_view> HfFields::string(Spellings keys) const {
  for (const std::string_view key : keys)
    if (const auto value = object_.get_string(key)) return value;
  return std::nullopt;
}

std::vector<double> HfFields::numbers(std::string_view key) const {
  std::vector<double> result;
  const auto list = object_.get(key);
  if (!list) bad_input("{}: {}{}: expected a list, got nothing", file(), prefix_, key);
  for (const json::Value& element : list->elements(key)) result.push_back(element.as_number(key));
  return result;
}

std::vector<int64_t> HfFields::integers(std::string_view key) const {
  std::vector<int64_t> result;
  const auto list = object_.get(key);
  if (!list) return result;
  for (const json::Value& element : list->elements(key)) result.push_back(element.as_integer(key));
  return result;
}

std::vector<std::string_view> HfFields::strings(std::string_view key) const {
  std::vector<std::string_view> result;
  const auto list = object_.get(key);
  if (!list) return result;
  for (const json::Value& element : list->elements(key)) result.push_back(element.as_string(key));
  return result;
}

bool HfFields::is_null(std::string_view key) const {
  const auto value = object_.find(key);
  return value && value->is(json::Kind::null);
}

void HfFields::refuse_unless(std::string_view key, bool computed) const {
  const auto value = object_.get_boolean(key);
  if (value && *value != computed) {
    fail(ErrorKind::unsupported, "{}: {}{}: expected {} (the other is not supported), got {}",
         file(), prefix_, key, computed, *value);
  }
}

}  // namespace bittern::model
