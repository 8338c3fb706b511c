// The values of `format` that are known, as regular languages. Most are exact; where the language
// is only a part of what the standard allows (it accepts nothing wrong, and leaves out rare forms),
// `narrowed` says so, and `not` of it is refused.
#pragma once

#include <string_view>

#include "chat/grammar/value_set.h"

namespace bittern::chat::grammar {

struct Format {
  Language language;  // null: not known
  bool narrowed = false;
};
Format format_named(std::string_view name);

}  // namespace bittern::chat::grammar
