// The arguments of a built-in function, bound to its parameters: by position, then by name.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "chat/jinja/interpreter.h"
#include "chat/jinja/object.h"

namespace bittern::chat::jinja {

class Parameters {
 public:
  // `names` in order; an empty name can only be given by position. The first `required` must be
  // given. Fails on what is missing, left over, unknown or given twice.
  Parameters(Interpreter& run, std::string_view function, const Arguments& arguments,
             std::initializer_list<std::string_view> names = {}, size_t required = 0);

  bool given(size_t i) const { return values_[i] != nullptr; }
  // What was given, or none.
  Object at(size_t i) const { return values_[i] != nullptr ? *values_[i] : none(); }
  // Conversions; they fail on another type.
  const Str& text(size_t i) const;
  const Str* text_or(size_t i, std::string_view otherwise) const;
  int64_t whole(size_t i) const;
  int64_t whole_or(size_t i, int64_t otherwise) const;
  bool truth_or(size_t i, bool otherwise) const;

 private:
  [[noreturn]] void mismatch(size_t i, std::string_view expected) const;

  Interpreter& run_;
  std::string_view function_;
  std::vector<const Object*> values_;
};

}  // namespace bittern::chat::jinja
