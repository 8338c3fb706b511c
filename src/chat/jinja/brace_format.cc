// "...".format(arguments), as Python's str has it: fields by position, name, attribute and key,
// conversions !s and !r, and format specifications of texts and numbers.
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/operations.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

constexpr int64_t kWidthMax = 100'000;

// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct Specification {
  std::string_view fill = " ";
  char align = '\0', sign = '-', grouping = '\0', type = '\0';
  bool alternate = false;
  int64_t width = 0;
  std::optional<int64_t> precision;
};

int64_t read_number(Heap& heap, std::string_view spec, size_t& at) {
  int64_t number = 0;
  for (; at < spec.size() && spec[at] >= '0' && spec[at] <= '9'; ++at) {
    number = number * 10 + (spec[at] - '0');
    if (number > kWidthMax) heap.fail("format: a width that is too large");
  }
  return number;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

Specification read_specification(Heap& heap, std::string_view spec) {
  Specification result;
  size_t at = 0;
  const auto peek = [&] { return at < spec.size() ? spec[at] : '\0'; };
  const size_t first = spec.empty() ? 0 : utf8::decode(spec).length;
  if (first < spec.size() && is_align(spec[first])) {
    result.fill = spec.substr(0, first);
    result.align = spec[first];
    at = first + 1;
  } else if (is_align(peek())) {
    result.align = spec[at++];
  }
  if (peek() == '+' || peek() == '-' || peek() == ' ') result.sign = spec[at++];
  if (peek() == '#') {
    result.alternate = true;
    ++at;
  }
  if (peek() == '0') {
    ++at;
    if (result.align == '\0') {
      result.fill = "0";
      result.align = '=';
    }
  }
  result.width = read_number(heap, spec, at);
  if (peek() == ',' || peek() == '_') result.grouping = spec[at++];
  if (peek() == '.') {
    const size_t digits = ++at;
    result.precision = read_number(heap, spec, at);
    if (at == digits) heap.fail("format: a precision expected after '.'");
  }
  if (at < spec.size()) result.type = spec[at++];
  if (at != spec.size()) heap.fail("format: a format specification that is not valid");
  return result;
}

// Separators every `group` digits, from the right, in what stands before the point.
std::string grouped(const std::string& digits, char separator, size_t group) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % group == 0) out += separator;
    out += digits[i];
  }
  return out;
}

void append_padded(Heap& heap, TextBuilder& out, const Specification& spec, std::string_view sign,
                   const Str& body, char default_align) {
  const auto used = static_cast<int64_t>(body.length + sign.size());
  const auto fill = static_cast<size_t>(std::max<int64_t>(spec.width - used, 0));
  heap.charge(fill * spec.fill.size());
  const char align = spec.align == '\0' ? default_align : spec.align;
  const size_t before = align == '<' ? 0 : align == '^' ? fill / 2 : fill;
  const auto add_fill = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) out.append(spec.fill, false);
  };
  if (align != '=') add_fill(before);
  out.append(sign, false);
  if (align == '=') add_fill(before);
  out.append(body);
  add_fill(fill - before);
}

std::string sign_text(const Specification& spec, bool negative) {
  return negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
}

void append_whole(Heap& heap, TextBuilder& out, const Specification& spec, int64_t value) {
  if (spec.precision) heap.fail("format: a precision for an integer");
  const uint64_t size =
      value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string digits, prefix;
  size_t group = 3;
  switch (spec.type) {
    case '\0':
    case 'd':
    case 'n':
      digits = fmt::format("{}", size);
      break;
    case 'b':
      digits = fmt::format("{:b}", size);
      prefix = "0b";
      group = 4;
      break;
    case 'o':
      digits = fmt::format("{:o}", size);
      prefix = "0o";
      group = 4;
      break;
    case 'x':
      digits = fmt::format("{:x}", size);
      prefix = "0x";
      group = 4;
      break;
    case 'X':
      digits = fmt::format("{:X}", size);
      prefix = "0X";
      group = 4;
      break;
    default:
      heap.fail("format: a type that integers do not have");
  }
  if (spec.grouping != '\0') {
    if (spec.fill == "0" && spec.align == '=') heap.fail("format: zeros with separators");
    digits = grouped(digits, spec.grouping, group);
  }
  append_padded(heap, out, spec,
                fmt::format("{}{}", sign_text(spec, value < 0), spec.alternate ? prefix : ""),
                *heap.text(digits, false), '>');
}

std::string real_digits(Heap& heap, const Specification& spec, double size) {
  if (std::isnan(size)) return "nan";
  if (std::isinf(size)) return "inf";
  const char type = spec.type;
  if (type == '\0') {
    if (!spec.precision) return float_text(size);
    // Like 'g', with at least one digit behind the point.
    std::string text = fmt::format("{:.{}g}", size, std::max<int64_t>(*spec.precision, 1));
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
  }
  const int64_t precision = spec.precision.value_or(6);
  if (type == '%') return fmt::format("{:.{}f}%", size * 100, precision);
  if (std::string_view("eEfFgG").find(type) == std::string_view::npos)
    heap.fail("format: a type that numbers do not have");
  const std::string one = fmt::format("{{:{}.{}{}}}", spec.alternate ? "#" : "", precision, type);
  return fmt::format(fmt::runtime(one), size);
}

void append_real(Heap& heap, TextBuilder& out, const Specification& spec, double value) {
  std::string digits = real_digits(heap, spec, std::fabs(value));
  if (spec.grouping != '\0') {
    if (spec.fill == "0" && spec.align == '=') heap.fail("format: zeros with separators");
    const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    digits = grouped(digits.substr(0, whole), spec.grouping, 3) + digits.substr(whole);
  }
  const bool negative = std::signbit(value) && !std::isnan(value);
  append_padded(heap, out, spec, sign_text(spec, negative), *heap.text(digits, false), '>');
}

}  // namespace

void append_formatted(Heap& heap, TextBuilder& out, const Object& value, std::string_view text) {
  if (text.empty()) return append_str(heap, out, value);
  const Specification spec = read_specification(heap, text);
  const bool real_type = std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (value.is(Type::floating) || (value.is_whole() && spec.type != '\0' && real_type))
    return append_real(heap, out, spec, value.number());
  // A bool without a type is a text in Python, with one an integer.
  if (value.is(Type::integer) || (value.is(Type::boolean) && spec.type != '\0'))
    return append_whole(heap, out, spec, value.whole());
  if (!value.is(Type::string) && !value.is(Type::boolean))
    heap.fail(
        fmt::format("format: a specification for a value of type '{}'", type_name(value.type)));
  if (value.is(Type::boolean)) return append_whole(heap, out, spec, value.whole());
  if ((spec.type != '\0' && spec.type != 's') || spec.sign != '-' || spec.alternate ||
      spec.grouping != '\0' || spec.align == '=')
    heap.fail("format: a specification that texts do not have");
  const Str& whole = *value.string;
  const size_t end = spec.precision ? byte_offset(whole, static_cast<size_t>(*spec.precision))
                                    : whole.bytes.size();
  append_padded(heap, out, spec, "", *heap.slice(whole, 0, end), '<');
}

namespace {

class BraceFormatter {
 public:
  BraceFormatter(Heap& heap, Interpreter& run, const Arguments& arguments, FieldLookup find)
      : heap_(heap), run_(run), arguments_(arguments), lookup_(find) {}

  // `level`: a specification may hold fields itself, one level deep.
  void append(TextBuilder& out, const Str& format, int level) {
    const std::string_view text = format.bytes;
    for (size_t at = 0; at < text.size();) {
      const size_t brace = std::min(text.find_first_of("{}", at), text.size());
      out.append(format, at, brace);
      if (brace == text.size()) return;
      if (brace + 1 < text.size() && text[brace + 1] == text[brace]) {
        out.append(format, brace, brace + 1);
        at = brace + 2;
        continue;
      }
      if (text[brace] == '}') heap_.fail("format: '}' without '{'");
      size_t end = brace + 1;
      for (int open = 1; open > 0; ++end) {
        if (end >= text.size()) heap_.fail("format: '{' without '}'");
        open += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
      }
      field(out, *heap_.slice(format, brace + 1, end - 1), level);
      at = end;
      heap_.charge();
    }
  }

 private:
  void field(TextBuilder& out, const Str& text, int level) {
    if (level > 1) heap_.fail("format: fields in one another");
    // name [!conversion] [:specification]; brackets hide what is in them.
    size_t end = 0;
    for (bool bracket = false; end < text.bytes.size(); ++end) {
      const char c = text.bytes[end];
      if (c == '[') bracket = true;
      if (c == ']') bracket = false;
      if (!bracket && (c == '!' || c == ':')) break;
    }
    Object value = lookup(*heap_.slice(text, 0, end));
    if (end < text.bytes.size() && text.bytes[end] == '!') {
      const char conversion = end + 1 < text.bytes.size() ? text.bytes[end + 1] : '\0';
      TextBuilder converted;
      if (conversion == 'r')
        append_repr(heap_, converted, value);
      else if (conversion == 's')
        append_str(heap_, converted, value);
      else
        heap_.fail("format: '!r' or '!s' expected");
      value = of(heap_.text(std::move(converted)));
      end += 2;
      if (end < text.bytes.size() && text.bytes[end] != ':')
        heap_.fail("format: ':' expected after the conversion");
    }
    TextBuilder spec;
    if (end < text.bytes.size())
      append(spec, *heap_.slice(text, end + 1, text.bytes.size()), level + 1);
    append_formatted(heap_, out, value, spec.bytes());
    if (out.size() > kStringBytesMax)
      heap_.fail(fmt::format("a text of more than {} MiB", kStringBytesMax >> 20));
  }

  Object first(const Str& name) {
    std::string_view text = name.bytes;
    int64_t index = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), index);
    if (text.empty() || result.ptr == text.data() + text.size()) {
      if (text.empty()) index = next_++;
      if (index < 0 || index >= static_cast<int64_t>(arguments_.positional.size()))
        heap_.fail("format: fewer values than the format has places for");
      return arguments_.positional[static_cast<size_t>(index)];
    }
    for (const auto& [key, value] : arguments_.named)
      if (key == text) return value;
    heap_.fail(fmt::format("format: there is no '{}'", text));
  }

  Object lookup(const Str& text) {
    size_t end = std::min(text.bytes.find_first_of(".["), text.bytes.size());
    Object value = first(*heap_.slice(text, 0, end));
    while (end < text.bytes.size()) {
      const bool is_attribute = text.bytes[end] == '.';
      const size_t begin = end + 1;
      end = is_attribute ? std::min(text.bytes.find_first_of(".[", begin), text.bytes.size())
                         : text.bytes.find(']', begin);
      if (end == std::string_view::npos || end == begin)
        heap_.fail("format: a field's name that is not valid");
      value = lookup_(run_, value, *heap_.slice(text, begin, end), is_attribute);
      if (!is_attribute) ++end;
    }
    return value;
  }

  Heap& heap_;
  Interpreter& run_;
  const Arguments& arguments_;
  FieldLookup lookup_;
  int64_t next_ = 0;
};

}  // namespace

Object brace_format(Heap& heap, Interpreter& run, const Str& format, const Arguments& arguments,
                    FieldLookup lookup) {
  TextBuilder out;
  BraceFormatter(heap, run, arguments, lookup).append(out, format, 0);
  return of(heap.text(std::move(out)));
}

}  // namespace bittern::chat::jinja
