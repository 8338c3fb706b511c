// Metadata: ordered key-values with lenient typed reads. Files in the wild write the same key
// with different integer widths, so any integer serves an integer and any number a float; a
// value of another kind is an error that names file and key.
#include <limits>

#include "base/error.h"
#include "format/checkpoint.h"

namespace bittern::format {
namespace {

std::string_view type_name(const MetadataValue& value) {
  switch (value.type) {
    case ValueType::u8:
      return "u8";
    case ValueType::i8:
      return "i8";
    case ValueType::u16:
      return "u16";
    case ValueType::i16:
      return "i16";
    case ValueType::u32:
      return "u32";
    case ValueType::i32:
      return "i32";
    case ValueType::f32:
      return "f32";
    case ValueType::boolean:
      return "boolean";
    case ValueType::string:
      return "string";
    case ValueType::array:
      return "array";
    case ValueType::u64:
      return "u64";
    case ValueType::i64:
      return "i64";
    case ValueType::f64:
      return "f64";
  }
  return "unknown";
}

[[noreturn]] void mismatch(const Metadata& metadata, std::string_view key,
                           std::string_view expected, const MetadataValue& got) {
  bad_input("{}: {}: {} expected, got {}", metadata.file_name, printable(key), expected,
            type_name(got));
}

// One element of a number type at `data`; nothing where the type holds no integer, or one that
// does not fit into int64.
std::optional<int64_t> integer_at(ValueType type, const std::byte* data) {
  switch (type) {
    case ValueType::u8:
    case ValueType::boolean:
      return load<uint8_t>(data);
    case ValueType::i8:
      return load<int8_t>(data);
    case ValueType::u16:
      return load<uint16_t>(data);
    case ValueType::i16:
      return load<int16_t>(data);
    case ValueType::u32:
      return load<uint32_t>(data);
    case ValueType::i32:
      return load<int32_t>(data);
    case ValueType::i64:
      return load<int64_t>(data);
    case ValueType::u64: {
      const auto value = load<uint64_t>(data);
      if (value > uint64_t{std::numeric_limits<int64_t>::max()}) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    case ValueType::f32:
    case ValueType::f64:
    case ValueType::string:
    case ValueType::array:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<double> number_at(ValueType type, const std::byte* data) {
  if (type == ValueType::f32) return static_cast<double>(load<float>(data));
  if (type == ValueType::f64) return load<double>(data);
  if (type == ValueType::u64) return static_cast<double>(load<uint64_t>(data));
  const auto integer = integer_at(type, data);
  return integer ? std::optional(static_cast<double>(*integer)) : std::nullopt;
}

template <typename T>
MetadataValue scalar(ValueType type, T value) {
  MetadataValue result;
  result.type = type;
  result.raw.resize(sizeof value);
  store(result.raw.data(), value);
  return result;
}

template <typename T>
MetadataValue number_array(ValueType element_type, const std::vector<T>& values) {
  MetadataValue result;
  result.type = ValueType::array;
  result.element_type = element_type;
  result.count = static_cast<int64_t>(values.size());
  const Bytes bytes = std::as_bytes(std::span(values));
  result.raw.assign(bytes.begin(), bytes.end());
  return result;
}

}  // namespace

int value_bytes(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
      return 1;
    case ValueType::u16:
    case ValueType::i16:
      return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
      return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64:
      return 8;
    case ValueType::string:
    case ValueType::array:
      return 0;
  }
  return 0;
}

void Metadata::set(std::string key, MetadataValue value) {
  const auto [position, added] = index_.try_emplace(key, entries_.size());
  if (added) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    entries_[position->second].second = std::move(value);
  }
}

const MetadataValue* Metadata::find(std::string_view key) const {
  const auto found = index_.find(std::string(key));
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

std::optional<int64_t> Metadata::get_integer(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type == ValueType::boolean) mismatch(*this, key, "integer", *value);
  const auto integer = integer_at(value->type, value->raw.data());
  if (!integer) mismatch(*this, key, "integer below 2^63", *value);
  return integer;
}

std::optional<double> Metadata::get_number(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type == ValueType::boolean) mismatch(*this, key, "number", *value);
  const auto number = number_at(value->type, value->raw.data());
  if (!number) mismatch(*this, key, "number", *value);
  return number;
}

std::optional<bool> Metadata::get_boolean(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != ValueType::boolean) mismatch(*this, key, "boolean", *value);
  return value->raw[0] != std::byte{0};
}

std::optional<std::string> Metadata::get_string(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != ValueType::string) mismatch(*this, key, "string", *value);
  return value->strings[0];
}

std::optional<std::vector<int64_t>> Metadata::get_integers(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const int width = value_bytes(value->element_type);
  if (value->type != ValueType::array || width == 0)
    mismatch(*this, key, "array of integers", *value);
  std::vector<int64_t> result;
  result.reserve(static_cast<size_t>(value->count));
  for (int64_t i = 0; i < value->count; ++i) {
    const auto integer = integer_at(value->element_type, value->raw.data() + i * width);
    if (!integer) mismatch(*this, key, "array of integers below 2^63", *value);
    result.push_back(*integer);
  }
  return result;
}

std::optional<std::vector<float>> Metadata::get_floats(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const int width = value_bytes(value->element_type);
  if (value->type != ValueType::array || width == 0)
    mismatch(*this, key, "array of numbers", *value);
  std::vector<float> result;
  result.reserve(static_cast<size_t>(value->count));
  for (int64_t i = 0; i < value->count; ++i) {
    const auto number = number_at(value->element_type, value->raw.data() + i * width);
    result.push_back(static_cast<float>(number.value_or(0)));
  }
  return result;
}

const std::vector<std::string>* Metadata::get_strings(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return nullptr;
  if (value->type != ValueType::array || value->element_type != ValueType::string)
    mismatch(*this, key, "array of strings", *value);
  return &value->strings;
}

MetadataValue value_of(uint32_t value) { return scalar(ValueType::u32, value); }
MetadataValue value_of(int32_t value) { return scalar(ValueType::i32, value); }
MetadataValue value_of(uint64_t value) { return scalar(ValueType::u64, value); }
MetadataValue value_of(float value) { return scalar(ValueType::f32, value); }
MetadataValue value_of(bool value) {
  return scalar(ValueType::boolean, static_cast<uint8_t>(value ? 1 : 0));
}

MetadataValue value_of(std::string value) {
  MetadataValue result;
  result.type = ValueType::string;
  result.strings.push_back(std::move(value));
  return result;
}

MetadataValue value_of(const char* value) { return value_of(std::string(value)); }

MetadataValue value_of(std::vector<std::string> values) {
  MetadataValue result;
  result.type = ValueType::array;
  result.element_type = ValueType::string;
  result.count = static_cast<int64_t>(values.size());
  result.strings = std::move(values);
  return result;
}

MetadataValue value_of(std::vector<int32_t> values) { return number_array(ValueType::i32, values); }
MetadataValue value_of(std::vector<float> values) { return number_array(ValueType::f32, values); }

}  // namespace bittern::format
