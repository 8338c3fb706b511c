// "..." % values, as Python's str has it: flags, width, precision, and the conversions
// d i u o x X e E f F g G c r s a %.
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/operations.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

struct Conversion {
  bool left = false, sign = false, space = false, zero = false, alternate = false;
  int64_t width = 0;
  std::optional<int64_t> precision;
  char kind = 's';
};

constexpr int64_t kWidthMax = 100'000;

class PercentFormatter {
 public:
  PercentFormatter(Heap& heap, const Str& format, const Object& values)
      : heap_(heap), format_(format), values_(values) {
    if (values.is(Type::tuple))
      items_ = values.sequence->items;
    else
      items_ = {&values_, 1};
  }

  Object run() {
    const std::string_view text = format_.bytes;
    while (at_ < text.size()) {
      const size_t percent = std::min(text.find('%', at_), text.size());
      out_.append(format_, at_, percent);
      at_ = percent + 1;
      if (percent < text.size()) one(percent);
    }
    // Python takes anything with items but a tuple or text for a dictionary, used or not.
    const bool has_items = values_.is(Type::dict) || values_.is(Type::list) ||
                           values_.is(Type::range) || values_.is(Type::undefined);
    if (next_ < items_.size() && !has_items)
      heap_.fail("'%': more values than the format has places for");
    return of(heap_.text(std::move(out_)));
  }

 private:
  char peek() const { return at_ < format_.bytes.size() ? format_.bytes[at_] : '\0'; }

  Object value(const std::optional<std::string_view>& name) {
    if (name) {
      if (!values_.is(Type::dict)) heap_.fail("'%(name)': a dictionary expected");
      if (const Object* found = heap_.find(*values_.mapping, *name)) return *found;
      heap_.fail(fmt::format("'%': there is no '{}'", *name));
    }
    if (next_ >= items_.size()) heap_.fail("'%': fewer values than the format has places for");
    return items_[next_++];
  }

  // Digits, or "*" for the next value.
  std::optional<int64_t> number() {
    if (peek() == '*') {
      ++at_;
      const Object given = value(std::nullopt);
      if (!given.is_whole()) heap_.fail("'%*': an integer expected");
      return given.whole();
    }
    if (peek() < '0' || peek() > '9') return std::nullopt;
    int64_t result = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      result = result * 10 + (peek() - '0');
      if (result > kWidthMax) heap_.fail("'%': a width that is too large");
    }
    return result;
  }

  void one(size_t percent) {
    const std::string_view text = format_.bytes;
    std::optional<std::string_view> name;
    if (peek() == '(') {
      const size_t end = text.find(')', at_);
      if (end == std::string_view::npos) heap_.fail("'%(': ')' expected");
      name = text.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
    }
    Conversion conversion;
    for (bool flag = true; flag;) {
      switch (peek()) {
        case '-':
          conversion.left = true;
          break;
        case '+':
          conversion.sign = true;
          break;
        case ' ':
          conversion.space = true;
          break;
        case '0':
          conversion.zero = true;
          break;
        case '#':
          conversion.alternate = true;
          break;
        default:
          flag = false;
      }
      if (flag) ++at_;
    }
    conversion.width = number().value_or(0);
    if (conversion.width < 0) {
      conversion.left = true;
      conversion.width = -conversion.width;
    }
    if (conversion.width > kWidthMax) heap_.fail("'%': a width that is too large");
    if (peek() == '.') {
      ++at_;
      conversion.precision = std::clamp<int64_t>(number().value_or(0), 0, kWidthMax);
    }
    if (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    conversion.kind = peek();
    ++at_;
    if (conversion.kind == '%') return out_.append(format_, percent, percent + 1);
    convert(conversion, value(name));
  }

  void convert(const Conversion& c, const Object& value) {
    TextBuilder body;
    std::string sign;
    bool numeric = true;
    switch (c.kind) {
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        sign = whole(c, value, body);
        break;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        sign = real(c, value, body);
        break;
      case 'c':
        character(value, body);
        numeric = false;
        break;
      case 's':
      case 'r':
        text(c, value, body);
        numeric = false;
        break;
      default:
        heap_.fail("'%': a conversion that is not supported");
    }
    pad(c, sign, body, numeric);
  }

  std::string sign_of(const Conversion& c, bool negative) const {
    return negative ? "-" : c.sign ? "+" : c.space ? " " : "";
  }

  std::string whole(const Conversion& c, const Object& value, TextBuilder& body) {
    int64_t number = 0;
    const bool decimal = c.kind == 'd' || c.kind == 'i' || c.kind == 'u';
    if (value.is_whole()) {
      number = value.whole();
    } else if (value.is(Type::floating) && decimal) {
      const double truncated = std::trunc(value.floating);
      if (!(std::fabs(truncated) < 0x1p63)) heap_.fail("'%d': an integer of 64 bits expected");
      number = static_cast<int64_t>(truncated);
    } else {
      if (value.is(Type::undefined)) fail_undefined(heap_, value);
      heap_.fail(fmt::format("'%{}': a number expected, got {}", c.kind, type_name(value.type)));
    }
    const uint64_t size =
        number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    std::string digits = decimal         ? fmt::format("{}", size)
                         : c.kind == 'o' ? fmt::format("{:o}", size)
                         : c.kind == 'x' ? fmt::format("{:x}", size)
                                         : fmt::format("{:X}", size);
    if (c.precision && static_cast<int64_t>(digits.size()) < *c.precision)
      digits.insert(0, static_cast<size_t>(*c.precision) - digits.size(), '0');
    body.append(digits, false);
    std::string sign = sign_of(c, number < 0);
    if (c.alternate && !decimal) sign += std::string("0") + c.kind;
    return sign;
  }

  std::string real(const Conversion& c, const Object& value, TextBuilder& body) {
    if (value.is(Type::undefined)) fail_undefined(heap_, value);
    if (!value.is_number())
      heap_.fail(fmt::format("'%{}': a number expected, got {}", c.kind, type_name(value.type)));
    const double number = value.number();
    const double size = std::fabs(number);
    const bool upper = c.kind == 'E' || c.kind == 'F' || c.kind == 'G';
    const std::string spec =
        fmt::format("{{:{}.{}{}}}", c.alternate ? "#" : "", c.precision.value_or(6), c.kind);
    if (std::isfinite(number))
      body.append(fmt::format(fmt::runtime(spec), size), false);
    else if (std::isnan(number))
      body.append(upper ? "NAN" : "nan", false);
    else
      body.append(upper ? "INF" : "inf", false);
    return sign_of(c, std::signbit(number) && !std::isnan(number));
  }

  void character(const Object& value, TextBuilder& body) {
    if (value.is(Type::string) && value.string->length == 1) return body.append(*value.string);
    if (!value.is_whole() || value.whole() < 0 || value.whole() > 0x10ffff ||
        (value.whole() >= 0xd800 && value.whole() < 0xe000))
      heap_.fail("'%c': one character or its number expected");
    std::string bytes;
    utf8::append(bytes, static_cast<uint32_t>(value.whole()));
    body.append(bytes, false);
  }

  void text(const Conversion& c, const Object& value, TextBuilder& body) {
    TextBuilder whole;
    if (c.kind == 'r')
      append_repr(heap_, whole, value);
    else
      append_str(heap_, whole, value);
    const Str* all = heap_.text(std::move(whole));
    const size_t end =
        c.precision ? byte_offset(*all, static_cast<size_t>(*c.precision)) : all->bytes.size();
    body.append(*all, 0, end);
  }

  void pad(const Conversion& c, const std::string& sign, TextBuilder& body, bool numeric) {
    const Str* text = heap_.text(std::move(body));
    const int64_t used = static_cast<int64_t>(text->length + sign.size());
    const auto fill = static_cast<size_t>(std::max<int64_t>(c.width - used, 0));
    const bool zeros = numeric && c.zero && !c.left;
    if (!c.left && !zeros) out_.append(std::string(fill, ' '), false);
    out_.append(sign, false);
    if (zeros) out_.append(std::string(fill, '0'), false);
    out_.append(*text);
    if (c.left) out_.append(std::string(fill, ' '), false);
    heap_.charge(fill);
    if (out_.size() > kStringBytesMax)
      heap_.fail(fmt::format("a text of more than {} MiB", kStringBytesMax >> 20));
  }

  Heap& heap_;
  const Str& format_;
  const Object& values_;
  std::span<const Object> items_;
  TextBuilder out_;
  size_t at_ = 0, next_ = 0;
};

}  // namespace

Object percent_format(Heap& heap, const Str& format, const Object& values) {
  return PercentFormatter(heap, format, values).run();
}

}  // namespace bittern::chat::jinja
