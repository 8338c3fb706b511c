// The members of one JSON object of a request, read strictly: each is taken by name, once; finish()
// names what nobody took. null counts as absent, as everywhere in OpenAI's API. Every mistake is a
// FieldError with the member's path: "messages[0].content".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace bittern::serve::openai {

// "a" and "b" to "a.b"; an empty parent leaves the name.
std::string field_path(std::string_view parent, std::string_view name);
std::string element_path(std::string_view parent, size_t index);

// Conversions that name the path where the value is of another kind, or out of range.
int64_t integer_of(const json::Value& value, const std::string& path, int64_t least, int64_t most);
double number_of(const json::Value& value, const std::string& path, double least, double most);
bool boolean_of(const json::Value& value, const std::string& path);
std::string text_of(const json::Value& value, const std::string& path);
std::vector<json::Value> elements_of(const json::Value& value, const std::string& path);
std::vector<std::string> texts_of(const json::Value& value, const std::string& path);

class Fields {
 public:
  // Throws where the value is no object or has a member twice. `path` is that of the object.
  Fields(const json::Value& object, std::string path);

  std::string path(std::string_view name) const { return field_path(path_, name); }

  std::optional<json::Value> take(std::string_view name);
  json::Value require(std::string_view name);
  std::optional<int64_t> integer(std::string_view name, int64_t least, int64_t most);
  std::optional<double> number(std::string_view name, double least, double most);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> text(std::string_view name);
  std::optional<std::vector<std::string>> texts(std::string_view name);
  // One of some words; nothing where absent.
  std::optional<std::string> choice(std::string_view name,
                                    std::initializer_list<std::string_view> words);

  // Data of the caller's that changes no answer.
  void ignore(std::string_view name) { take(name); }
  // A field that is known and not supported: an error where it is given, with the reason.
  void refuse(std::string_view name, std::string_view reason);
  // Throws where a member was not taken, null or not.
  void finish() const;

 private:
  struct Member {
    std::string_view name;
    json::Value value;
    bool is_taken = false;
  };
  std::string path_;
  std::vector<Member> members_;
  std::vector<std::string> known_;  // names that were asked for, to suggest one
};

}  // namespace bittern::serve::openai
