// Reading JSON that came from outside: a view over a parsed document (simdjson's DOM, hidden
// here) whose accessors throw bad_input with the file and the field. Duplicate keys are kept in
// members(), so that formats which forbid them can tell. Depth is limited to 128.
// To build JSON use nlohmann::ordered_json (base/json_write.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bittern::json {

class Document;

enum class Kind { null, boolean, integer, number, string, array, object };
std::string_view kind_name(Kind kind);

// A value inside a Document; valid as long as the Document lives.
class Value {
 public:
  Kind kind() const;
  bool is(Kind wanted) const { return kind() == wanted; }

  // The first member with this key; nothing where absent or this is not an object.
  std::optional<Value> find(std::string_view key) const;
  // Members in file order, duplicates included. Throws unless an object.
  std::vector<std::pair<std::string_view, Value>> members(std::string_view field) const;
  // Elements. Throws unless an array.
  std::vector<Value> elements(std::string_view field) const;
  // The same one by one, for the long arrays of a vocabulary.
  void each_element(std::string_view field, const std::function<void(const Value&)>& visit) const;
  // The elements of an array of two; nothing of any other value.
  std::optional<std::pair<Value, Value>> as_pair() const;

  // Conversions; `field` is what the error names. as_integer accepts integral floats (1e3).
  std::string_view as_string(std::string_view field) const;
  int64_t as_integer(std::string_view field) const;
  uint64_t as_unsigned(std::string_view field) const;
  double as_number(std::string_view field) const;
  bool as_boolean(std::string_view field) const;

  // Member shorthands: nothing where absent or null, an error where of another kind.
  std::optional<Value> get(std::string_view key) const;
  std::optional<std::string_view> get_string(std::string_view key) const;
  std::optional<int64_t> get_integer(std::string_view key) const;
  std::optional<double> get_number(std::string_view key) const;
  std::optional<bool> get_boolean(std::string_view key) const;

  // The value as JSON, no spaces added; numbers in their shortest form.
  std::string to_text() const;

  const std::string& file_name() const;

 private:
  friend class Document;
  // The two words of a simdjson::dom::element, so that its header stays out of ours.
  struct Element {
    const void* document;
    size_t index;
  };
  Value(const Document* owner, Element element) : owner_(owner), element_(element) {}
  template <typename T>
  static Value wrap(const Document* owner, T element);
  [[noreturn]] void mismatch(std::string_view field, std::string_view expected) const;

  const Document* owner_;
  Element element_;
};

class Document {
 public:
  struct Parsed;
  Document(std::string file_name, std::unique_ptr<Parsed> parsed);  // for parse() only
  // Parses a whole text. Throws bad_input naming the file: invalid UTF-8, syntax, depth.
  static std::unique_ptr<Document> parse(std::string_view text, std::string file_name);
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  Value root() const;
  const std::string& file_name() const { return file_name_; }

 private:
  std::string file_name_;
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace bittern::json
