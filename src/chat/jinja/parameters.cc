#include "chat/jinja/parameters.h"

#include <algorithm>

#include "base/error.h"
#include "chat/jinja/operations.h"

namespace bittern::chat::jinja {

Parameters::Parameters(Interpreter& run, std::string_view function, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, size_t required)
    : run_(run), function_(function), values_(names.size()) {
  if (arguments.positional.size() > names.size())
    run.fail(fmt::format("{}: at most {} arguments expected, got {}", function, names.size(),
                         arguments.positional.size()));
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto* found = std::find(names.begin(), names.end(), name);
    if (found == names.end() || name.empty())
      run.fail(fmt::format("{}: there is no argument '{}'", function, name));
    const Object*& place = values_[static_cast<size_t>(found - names.begin())];
    if (place != nullptr) run.fail(fmt::format("{}: '{}' is given twice", function, name));
    place = &value;
  }
  for (size_t i = 0; i < required; ++i)
    if (values_[i] == nullptr)
      run.fail(fmt::format("{}: at least {} arguments expected", function, required));
}

void Parameters::mismatch(size_t i, std::string_view expected) const {
  const Object value = at(i);
  if (value.is(Type::undefined)) fail_undefined(run_.heap, value);
  run_.fail(fmt::format("{}: {} expected, got {}", function_, expected, type_name(value.type)));
}

const Str& Parameters::text(size_t i) const {
  if (!at(i).is(Type::string)) mismatch(i, "a text");
  return *at(i).string;
}
const Str* Parameters::text_or(size_t i, std::string_view otherwise) const {
  return given(i) ? &text(i) : run_.heap.literal(otherwise);
}
int64_t Parameters::whole(size_t i) const {
  if (!at(i).is_whole()) mismatch(i, "an integer");
  return at(i).whole();
}
int64_t Parameters::whole_or(size_t i, int64_t otherwise) const {
  return given(i) ? whole(i) : otherwise;
}
bool Parameters::truth_or(size_t i, bool otherwise) const {
  return given(i) ? truth(at(i)) : otherwise;
}

}  // namespace bittern::chat::jinja
