// Range-checked reads of one object of config.json: every refusal names file, field, expected and
// got. Null counts as absent.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace bittern::model {

class HfFields {
 public:
  // `prefix` leads the field's name in messages: "rope: ".
  HfFields(json::Value object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

  // Families call one thing by different keys: the first of `keys` that is there.
  using Spellings = std::initializer_list<std::string_view>;

  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most) const;
  std::optional<int64_t> integer(Spellings keys, int64_t least, int64_t most) const;
  // As the first spelling where there is none and `if_absent` is 0: bad_input.
  int64_t integer_or(Spellings keys, int64_t least, int64_t most, int64_t if_absent) const;
  // A number in (above, most].
  std::optional<double> number(std::string_view key, double above, double most) const;
  std::optional<double> number(Spellings keys, double above, double most) const;
  double required_number(std::string_view key, double above, double most) const;
  bool boolean(std::string_view key, bool if_absent) const;
  std::optional<std::string_view> string(Spellings keys) const;
  std::vector<double> numbers(std::string_view key) const;
  // As many as the model has layers; empty where absent.
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<std::string_view> strings(std::string_view key) const;

  bool is_null(std::string_view key) const;  // there, and null
  std::optional<json::Value> get(std::string_view key) const { return object_.get(key); }
  const json::Value& object() const { return object_; }
  const std::string& file() const { return object_.file_name(); }

  // Refuses a switch of the reference class that the forward does not compute.
  void refuse_unless(std::string_view key, bool computed) const;

 private:
  json::Value object_;
  std::string prefix_;
};

}  // namespace bittern::model
