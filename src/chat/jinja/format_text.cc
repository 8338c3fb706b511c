// str(), repr() and JSON of values.
#include "chat/jinja/format_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "chat/jinja/characters.h"
#include "chat/jinja/operations.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {

// The digits are C++'s shortest; where the point goes is Python's rule: an exponent below -4 or
// of 16 and more is written with "e" and at least two digits.
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const size_t digits_of_exponent = e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + digits_of_exponent, text.data() + text.size(), exponent);
  const bool negative = text[0] == '-';
  std::string digits;
  for (const char c : text.substr(0, e))
    if (c != '-' && c != '.') digits += c;
  const std::string sign = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = digits.size() > 1 ? fmt::format(".{}", digits.substr(1)) : "";
    return fmt::format("{}{}{}e{}{:02}", sign, digits[0], fraction, exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0) return fmt::format("{}0.{:0<{}}{}", sign, "", -exponent - 1, digits);
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return fmt::format("{}{:0<{}}.0", sign, digits, whole);
  return fmt::format("{}{}.{}", sign, digits.substr(0, whole), digits.substr(whole));
}

double rounded(double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 330) return value;
  if (digits < -330) return std::copysign(0.0, value);
  if (digits >= 0) {
    // A correctly rounded decimal, then read back: what Python does.
    const std::string text = fmt::format("{:.{}f}", value, digits);
    double result = 0;
    std::from_chars(text.data(), text.data() + text.size(), result);
    return result;
  }
  const double unit = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(value / unit) * unit;
}

namespace {

// 'it' in single quotes, or in double ones where that spares escapes.
void append_quoted(Heap& heap, TextBuilder& out, const Str& text) {
  heap.charge(text.bytes.size());
  const bool has_single = text.bytes.find('\'') != std::string_view::npos;
  const bool has_double = text.bytes.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  const std::string_view mark(&quote, 1);
  out.append(mark, false);
  for (Characters c(text); !c.done(); c.next()) {
    const uint32_t code = c.code();
    if (code == static_cast<unsigned char>(quote) || code == '\\') {
      out.append("\\", c.user());
      out.append(c.bytes(), c.user());
    } else if (code == '\n' || code == '\r' || code == '\t') {
      out.append(code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t", c.user());
    } else if (has_class(code, CharacterClass::printable)) {
      out.append(c.bytes(), c.user());
    } else if (code < 0x100) {
      out.append(fmt::format("\\x{:02x}", code), c.user());
    } else if (code < 0x10000) {
      out.append(fmt::format("\\u{:04x}", code), c.user());
    } else {
      out.append(fmt::format("\\U{:08x}", code), c.user());
    }
  }
  out.append(mark, false);
}

void append_items(Heap& heap, TextBuilder& out, std::span<const Object> items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(", ", false);
    append_repr(heap, out, items[i]);
  }
}

void append_mapping(Heap& heap, TextBuilder& out, const Mapping& mapping) {
  out.append("{", false);
  for (size_t i = 0; i < mapping.entries.size(); ++i) {
    if (i > 0) out.append(", ", false);
    append_repr(heap, out, mapping.entries[i].key);
    out.append(": ", false);
    append_repr(heap, out, mapping.entries[i].value);
  }
  out.append("}", false);
}

void append_view(Heap& heap, TextBuilder& out, const View& view) {
  constexpr std::string_view kNames[] = {"dict_keys([", "dict_values([", "dict_items(["};
  out.append(kNames[static_cast<size_t>(view.kind)], false);
  Object object(Type::view);
  object.view = &view;
  append_items(heap, out, elements(heap, object));
  out.append("])", false);
}

std::string range_text(const RangeObject& range) {
  if (range.step == 1) return fmt::format("range({}, {})", range.start, range.stop);
  return fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
}

// Python would print where in memory it lies, which is another text in every run.
[[noreturn]] void fail_address(Heap& heap, const Object& value) {
  heap.fail(fmt::format("printing a value of type '{}' is not supported", type_name(value.type)));
}

// Shared by str() and repr() for what is no text.
void append_other(Heap& heap, TextBuilder& out, const Object& value) {
  switch (value.type) {
    case Type::none:
      return out.append("None", false);
    case Type::boolean:
      return out.append(value.boolean ? "True" : "False", false);
    case Type::integer:
      return out.append(fmt::format("{}", value.integer), false);
    case Type::floating:
      return out.append(float_text(value.floating), false);
    case Type::list:
      out.append("[", false);
      append_items(heap, out, value.sequence->items);
      return out.append("]", false);
    case Type::tuple:
      out.append("(", false);
      append_items(heap, out, value.sequence->items);
      return out.append(value.sequence->items.size() == 1 ? ",)" : ")", false);
    case Type::dict:
      return append_mapping(heap, out, *value.mapping);
    case Type::view:
      return append_view(heap, out, *value.view);
    case Type::range:
      return out.append(range_text(*value.range), false);
    case Type::name_space: {
      out.append("<Namespace {", false);
      bool first = true;
      for (const auto& [name, member] : value.name_space->members) {
        if (!std::exchange(first, false)) out.append(", ", false);
        append_quoted(heap, out, *heap.literal(name));
        out.append(": ", false);
        append_repr(heap, out, member);
      }
      return out.append("}>", false);
    }
    case Type::callable:
      if (value.callable->macro == nullptr) fail_address(heap, value);
      if (value.callable->macro->kind == Statement::Kind::call)
        return out.append("<Macro anonymous>", false);
      return out.append(fmt::format("<Macro '{}'>", value.callable->name), false);
    case Type::loop:
      return out.append(
          fmt::format("<LoopContext {}/{}>", value.loop->index0 + 1, loop_length(*value.loop)),
          false);
    case Type::undefined:
    case Type::string:
    case Type::iterator:
    case Type::cycler:
    case Type::joiner:
      fail_address(heap, value);
  }
}

void check_size(Heap& heap, const TextBuilder& out) {
  if (out.size() > kStringBytesMax)
    heap.fail(fmt::format("a text of more than {} MiB", kStringBytesMax >> 20));
}

}  // namespace

void append_str(Heap& heap, TextBuilder& out, const Object& value) {
  if (value.is(Type::string)) {
    heap.charge(value.string->bytes.size());
    out.append(*value.string);
  } else if (!value.is(Type::undefined)) {
    const Heap::Nested nested(heap);
    append_other(heap, out, value);
  }
  check_size(heap, out);
}

void append_repr(Heap& heap, TextBuilder& out, const Object& value) {
  const Heap::Nested nested(heap);
  heap.charge();
  check_size(heap, out);
  if (value.is(Type::undefined)) return out.append("Undefined", false);
  if (!value.is(Type::string)) return append_other(heap, out, value);
  if (!value.string->markup) return append_quoted(heap, out, *value.string);
  out.append("Markup(", false);
  append_quoted(heap, out, *value.string);
  out.append(")", false);
}

const Str* to_text(Heap& heap, const Object& value) {
  if (value.is(Type::string)) return value.string;
  TextBuilder out;
  append_str(heap, out, value);
  return heap.text(std::move(out));
}

// ---- JSON ----

namespace {

void append_json_text(Heap& heap, TextBuilder& out, const Str& text, bool ensure_ascii) {
  heap.charge(text.bytes.size());
  out.append("\"", false);
  for (Characters c(text); !c.done(); c.next()) {
    const uint32_t code = c.code();
    constexpr std::string_view kSigns = "\b\f\n\r\t\"\\", kLetters = "bfnrt\"\\";
    const size_t sign = code < 0x80 ? kSigns.find(static_cast<char>(code)) : std::string_view::npos;
    if (sign != std::string_view::npos) {
      const char escape[] = {'\\', kLetters[sign], 0};
      out.append(escape, c.user());
    } else if (code < 0x20 || (ensure_ascii && code >= 0x7f && code < 0x10000)) {
      out.append(fmt::format("\\u{:04x}", code), c.user());
    } else if (ensure_ascii && code >= 0x10000) {
      out.append(fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((code - 0x10000) >> 10),
                             0xdc00 + ((code - 0x10000) & 0x3ff)),
                 c.user());
    } else {
      out.append(c.bytes(), c.user());
    }
  }
  out.append("\"", false);
}

class JsonWriter {
 public:
  JsonWriter(Heap& heap, TextBuilder& out, const JsonStyle& style)
      : heap_(heap), out_(out), style_(style) {}

  void write(const Object& value) {
    const Heap::Nested nested(heap_);
    heap_.charge();
    check_size(heap_, out_);
    switch (value.type) {
      case Type::none:
        return out_.append("null", false);
      case Type::boolean:
        return out_.append(value.boolean ? "true" : "false", false);
      case Type::integer:
        return out_.append(fmt::format("{}", value.integer), false);
      case Type::floating:
        return out_.append(number(value.floating), false);
      case Type::string:
        return append_json_text(heap_, out_, *value.string, style_.ensure_ascii);
      case Type::list:
      case Type::tuple:
        return list(value.sequence->items);
      case Type::dict:
        return dict(*value.mapping);
      default:
        heap_.fail(
            fmt::format("tojson: a value of type '{}' has no JSON form", type_name(value.type)));
    }
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_text(value);
  }

  void line(int level) {
    if (!style_.indent) return;
    out_.append("\n", false);
    for (int i = 0; i < level; ++i) out_.append(*style_.indent, false);
  }

  void list(std::span<const Object> items) {
    if (items.empty()) return out_.append("[]", false);
    out_.append("[", false);
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator, false);
      line(level_);
      write(items[i]);
    }
    line(--level_);
    out_.append("]", false);
  }

  const Str* key_text(const Object& key) {
    if (key.is(Type::string)) return key.string;
    if (key.is(Type::boolean)) return heap_.literal(key.boolean ? "true" : "false");
    if (key.is(Type::none)) return heap_.literal("null");
    if (key.is(Type::integer)) return heap_.text(fmt::format("{}", key.integer), false);
    if (key.is(Type::floating)) return heap_.text(number(key.floating), false);
    heap_.fail(fmt::format("tojson: a key of type '{}' has no JSON form", type_name(key.type)));
  }

  void dict(const Mapping& mapping) {
    if (mapping.entries.empty()) return out_.append("{}", false);
    std::vector<Entry> entries(mapping.entries.begin(), mapping.entries.end());
    if (style_.sort_keys)
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const Entry& a, const Entry& b) { return less(heap_, a.key, b.key); });
    out_.append("{", false);
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator, false);
      line(level_);
      append_json_text(heap_, out_, *key_text(entries[i].key), style_.ensure_ascii);
      out_.append(style_.key_separator, false);
      write(entries[i].value);
    }
    line(--level_);
    out_.append("}", false);
  }

  Heap& heap_;
  TextBuilder& out_;
  const JsonStyle& style_;
  int level_ = 0;
};

}  // namespace

void append_json(Heap& heap, TextBuilder& out, const Object& value, const JsonStyle& style) {
  JsonWriter(heap, out, style).write(value);
}

}  // namespace bittern::chat::jinja
