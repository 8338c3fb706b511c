// Tokens to a Program: the grammar of jinja2 with transformers' extensions (break, continue,
// generation). What a template of one file cannot use (extends, include, import, block) and what
// transformers does not switch on (do, trans) is refused by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "chat/jinja/ast.h"

namespace bittern::chat::jinja {

// Throws bad_input with `name`, the line, expected and got.
std::unique_ptr<const Program> parse(std::string_view source, std::string name);

}  // namespace bittern::chat::jinja
