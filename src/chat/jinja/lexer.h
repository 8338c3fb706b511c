// A template's source as tokens: text between tags, and the words within them. Whitespace control
// is done here, with the settings of the reference: trim_blocks and lstrip_blocks on, one final
// newline dropped, "\r\n" and "\r" read as "\n".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::chat::jinja {

struct Token {
  enum class Kind : uint8_t {
    end,
    data,            // text outside tags
    variable_begin,  // {{
    variable_end,
    block_begin,  // {%
    block_end,
    name,
    string,
    integer,
    floating,
    op  // an operator or bracket, in `text`
  };
  Kind kind = Kind::end;
  int line = 1;
  std::string text{};  // of data, names, strings (unescaped), operators
  int64_t integer = 0;
  double floating = 0;

  bool is_op(std::string_view wanted) const { return kind == Kind::op && text == wanted; }
  bool is_name(std::string_view wanted) const { return kind == Kind::name && text == wanted; }
};

// Throws bad_input with `name` and the line. The last token is of kind `end`.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

}  // namespace bittern::chat::jinja
