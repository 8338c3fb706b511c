// The rules are those of jinja2 3.1.6 with transformers' settings (its documentation: "Whitespace
// Control", "Escaping"), written as a scanner: text up to the next tag, then the tag's words.
#include "chat/jinja/lexer.h"

#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/jinja/characters.h"

namespace bittern::chat::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(uint32_t c) {
  return c == '_' ||
         (c < 0x80 ? (c | 32) >= 'a' && (c | 32) <= 'z' : has_class(c, CharacterClass::alpha));
}
bool is_word(uint32_t c) {
  return is_word_start(c) ||
         (c < 0x80 ? c >= '0' && c <= '9' : (text::properties(c) & text::kWord) != 0);
}

std::string with_unix_newlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  return text;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name)
      : source_(with_unix_newlines(source)), name_(name) {
    if (source_.ends_with('\n')) source_.pop_back();
  }

  std::vector<Token> run() {
    while (at_ < source_.size()) text_until_tag();
    push(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
    bad_input("{}: line {}: {}", name_, line_, fmt::format(text, std::forward<Args>(args)...));
  }

  void push(Token::Kind kind, std::string_view text) {
    tokens_.push_back({.kind = kind, .line = line_, .text = std::string(text)});
  }
  // Goes forward to `end`, counting lines.
  void advance(size_t end) {
    for (; at_ < end; ++at_) line_ += source_[at_] == '\n';
  }
  bool has(size_t position, std::string_view word) const {
    return std::string_view(source_).substr(std::min(position, source_.size())).starts_with(word);
  }
  // The first position at or after `position` that is no white space.
  size_t skip_space(size_t position) const {
    while (position < source_.size()) {
      const auto decoded = utf8::decode(std::string_view(source_).substr(position));
      if (!is_space(decoded.code_point)) break;
      position += decoded.length;
    }
    return position;
  }
  bool all_space(size_t begin, size_t end) const { return begin < end && skip_space(begin) >= end; }
  size_t strip_right(size_t begin, size_t end) const {
    size_t kept = begin;
    for (size_t position = begin; position < end;) {
      const auto decoded = utf8::decode(std::string_view(source_).substr(position, end - position));
      position += decoded.length;
      if (!is_space(decoded.code_point)) kept = position;
    }
    return kept;
  }

  // Where the text in [begin, tag) ends before a tag with this sign after its opening.
  size_t end_of_text(size_t begin, size_t tag, char sign, bool is_variable) const {
    if (sign == '-') return strip_right(begin, tag);
    if (sign == '+' || is_variable) return tag;
    // lstrip_blocks: a tag that stands first on its line takes the space before it.
    const size_t newline = std::string_view(source_).substr(begin, tag - begin).rfind('\n');
    const size_t line_begin = newline == std::string_view::npos ? begin : begin + newline + 1;
    const bool starts_line = newline != std::string_view::npos || line_starting_;
    return starts_line && all_space(line_begin, tag) ? line_begin : tag;
  }

  // If {% raw %} opens at `tag`: where its contents begin.
  std::optional<size_t> raw_opening(size_t tag) const {
    size_t position = tag + 2;
    if (has(position, "-") || has(position, "+")) ++position;
    position = skip_space(position);
    if (!has(position, "raw")) return std::nullopt;
    position = skip_space(position + 3);
    if (has(position, "-%}")) return skip_space(position + 3);
    if (has(position, "%}")) return position + 2;
    return std::nullopt;
  }
  // The end of a closing tag with its trailing newline or white space, or nothing where none
  // stands at `position`. `mark` is "%" or "#".
  std::optional<size_t> closing(size_t position, char mark) const {
    const char plain[] = {mark, '}', 0}, minus[] = {'-', mark, '}', 0},
               plus[] = {'+', mark, '}', 0};
    if (has(position, plus)) return position + 3;
    if (has(position, minus)) return skip_space(position + 3);
    if (has(position, plain)) return position + (has(position + 2, "\n") ? 3 : 2);
    return std::nullopt;
  }

  void push_data(size_t begin, size_t end) {
    if (begin < end) push(Token::Kind::data, std::string_view(source_).substr(begin, end - begin));
  }

  void text_until_tag() {
    const size_t begin = at_;
    size_t tag = begin;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos) {
        push_data(begin, source_.size());
        advance(source_.size());
        return;
      }
      const char next = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
      if (next == '%' || next == '{' || next == '#') break;
    }
    const char mark = source_[tag + 1];
    const char sign = has(tag + 2, "-") ? '-' : has(tag + 2, "+") ? '+' : '\0';
    push_data(begin, end_of_text(begin, tag, sign, mark == '{'));
    advance(tag);
    if (mark == '%')
      if (const auto contents = raw_opening(tag)) return raw(*contents);
    advance(tag + (sign != '\0' ? 3 : 2));
    if (mark == '#') return comment();
    push(mark == '%' ? Token::Kind::block_begin : Token::Kind::variable_begin, "");
    words(mark == '%');
  }

  void after_tag(size_t end) {
    advance(end);
    line_starting_ = source_[end - 1] == '\n';
  }

  void comment() {
    for (size_t position = at_; position < source_.size(); ++position)
      if (const auto end = closing(position, '#')) return after_tag(*end);
    fail("the comment has no end");
  }

  void raw(size_t contents) {
    advance(contents);
    line_starting_ = source_[contents - 1] == '\n';
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      size_t position = tag + 2;
      const char sign = has(position, "-") ? '-' : has(position, "+") ? '+' : '\0';
      if (sign != '\0') ++position;
      position = skip_space(position);
      if (!has(position, "endraw")) continue;
      const auto end = closing(skip_space(position + 6), '%');
      if (!end) continue;
      push_data(at_, end_of_text(at_, tag, sign, false));
      return after_tag(*end);
    }
    fail("{{% raw %}} has no end");
  }

  // The words of a tag up to its end, which counts only outside brackets.
  void words(bool is_block) {
    std::string open;  // closing brackets that are due
    while (at_ < source_.size()) {
      if (open.empty()) {
        if (is_block) {
          if (const auto end = closing(at_, '%')) {
            push(Token::Kind::block_end, "");
            return after_tag(*end);
          }
        } else if (has(at_, "-}}") || has(at_, "}}")) {
          push(Token::Kind::variable_end, "");
          return after_tag(source_[at_] == '-' ? skip_space(at_ + 3) : at_ + 2);
        }
      }
      const size_t word = skip_space(at_);
      if (word != at_) {
        advance(word);
        continue;
      }
      one_word(open);
    }
  }

  void one_word(std::string& open) {
    const char c = source_[at_];
    if (is_digit(c)) return number();
    if (c == '\'' || c == '"') return string(c);
    const uint32_t first = utf8::decode(std::string_view(source_).substr(at_)).code_point;
    if (is_word_start(first)) {
      size_t end = at_;
      while (end < source_.size()) {
        const auto decoded = utf8::decode(std::string_view(source_).substr(end));
        if (!is_word(decoded.code_point)) break;
        end += decoded.length;
      }
      push(Token::Kind::name, std::string_view(source_).substr(at_, end - at_));
      return advance(end);
    }
    for (const std::string_view op : {"**", "//", "==", "!=", ">=", "<="})
      if (has(at_, op)) {
        push(Token::Kind::op, op);
        return advance(at_ + 2);
      }
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos)
      fail("unexpected character '{}'", printable(std::string_view(source_).substr(at_, 1)));
    balance(c, open);
    push(Token::Kind::op, std::string_view(source_).substr(at_, 1));
    advance(at_ + 1);
  }

  void balance(char c, std::string& open) const {
    if (c == '(') open += ')';
    if (c == '[') open += ']';
    if (c == '{') open += '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (open.empty()) fail("unexpected '{}'", c);
    if (open.back() != c) fail("unexpected '{}', expected '{}'", c, open.back());
    open.pop_back();
  }

  // The end of digits with single underscores between them, from a digit at `position`.
  template <typename Allowed>
  size_t digits_end(size_t position, const Allowed& allowed) const {
    while (
        position < source_.size() &&
        (allowed(source_[position]) || (source_[position] == '_' && position + 1 < source_.size() &&
                                        allowed(source_[position + 1]))))
      ++position;
    return position;
  }

  void number() {
    size_t end = digits_end(at_, is_digit);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    size_t whole = end;
    if (!after_dot) {
      const auto digit_at = [&](size_t p) { return p < source_.size() && is_digit(source_[p]); };
      if (has(end, ".") && digit_at(end + 1)) end = digits_end(end + 1, is_digit);
      if (has(end, "e") || has(end, "E")) {
        const size_t exponent = end + (has(end + 1, "+") || has(end + 1, "-") ? 2 : 1);
        if (digit_at(exponent)) end = digits_end(exponent, is_digit);
      }
    }
    if (end != whole) return push_float(end);
    integer(whole);
  }

  std::string without_underscores(size_t begin, size_t end) const {
    std::string digits;
    for (size_t i = begin; i < end; ++i)
      if (source_[i] != '_') digits += source_[i];
    return digits;
  }

  void push_float(size_t end) {
    const std::string digits = without_underscores(at_, end);
    Token token{.kind = Token::Kind::floating, .line = line_};
    const auto result =
        std::from_chars(digits.data(), digits.data() + digits.size(), token.floating);
    if (result.ec != std::errc()) fail("the number {} is out of range", printable(digits));
    tokens_.push_back(std::move(token));
    advance(end);
  }

  void integer(size_t end) {
    int base = 10;
    size_t begin = at_;
    if (source_[at_] == '0') {
      const char kind = at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 32) : '\0';
      const int prefixed = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
      const auto allowed = [prefixed](char c) {
        const int digit = is_digit(c) ? c - '0' : (c | 32) >= 'a' ? (c | 32) - 'a' + 10 : 99;
        return digit < prefixed;
      };
      const size_t prefixed_end = prefixed == 10 ? at_ + 2 : digits_end(at_ + 2, allowed);
      if (prefixed_end > at_ + 2) {
        base = prefixed;
        begin = at_ + 2;
        end = prefixed_end;
      } else {  // zeros only; "012" is the two numbers 0 and 12
        end = digits_end(at_, [](char c) { return c == '0'; });
      }
    }
    const std::string digits = without_underscores(begin, end);
    Token token{.kind = Token::Kind::integer, .line = line_};
    const auto result =
        std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
    if (result.ec != std::errc()) fail("integer below 2^63 expected, got {}", printable(digits));
    tokens_.push_back(std::move(token));
    advance(end);
  }

  void string(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("the string has no end");
    push(Token::Kind::string, unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1);
  }

  // Python's escapes; one that Python does not know stays as it is, backslash included.
  std::string unescaped(std::string_view text) const {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      const char kind = text[++i];
      constexpr std::string_view kLetters = "abfnrtv\\'\"", kBytes = "\a\b\f\n\r\t\v\\'\"";
      if (const size_t simple = kLetters.find(kind); simple != std::string_view::npos) {
        out += kBytes[simple];
      } else if (kind == 'x' || kind == 'u' || kind == 'U') {
        const size_t count = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
        append_code(out, text.substr(i + 1, count), 16, count);
        i += count;
      } else if (kind >= '0' && kind <= '7') {
        size_t count = 1;
        while (count < 3 && i + count < text.size() && text[i + count] >= '0' &&
               text[i + count] <= '7')
          ++count;
        append_code(out, text.substr(i, count), 8, count);
        i += count - 1;
      } else if (kind == 'N') {
        fail("characters by name (\\N) are not supported");
      } else if (kind != '\n') {  // a backslash before a line's end removes both
        out += '\\';
        out += kind;
      }
    }
    return out;
  }

  void append_code(std::string& out, std::string_view digits, int base, size_t count) const {
    uint32_t code = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
    if (digits.size() != count || result.ec != std::errc() ||
        result.ptr != digits.data() + digits.size())
      fail("the escape in a string is not of {} digits", count);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      fail("the escape in a string is no character");
    utf8::append(out, code);
  }

  std::string source_;
  const std::string& name_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // what came before the text ended a line
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  return Lexer(source, name).run();
}

}  // namespace bittern::chat::jinja
