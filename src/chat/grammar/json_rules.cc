#include "chat/grammar/json_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace bittern::chat::grammar {
namespace {

// The usual layouts: an indentation goes as deep as this.
constexpr int64_t kIndentMax = 20;

ExpressionId bytes(Rules& rules, std::string_view each) {
  Characters set;
  for (const char c : each) set.push_back({static_cast<uint8_t>(c), static_cast<uint8_t>(c)});
  return rules.characters(std::move(set));
}

// One character of a string: as it is, or escaped.
ExpressionId string_character(Rules& rules) {
  const auto hex = [&] { return rules.characters({{'0', '9'}, {'a', 'f'}, {'A', 'F'}}); };
  const auto text = [&](std::string_view each) { return rules.text(each); };
  const ExpressionId below_d800 = rules.sequence(
      {rules.characters({{'0', '9'}, {'a', 'c'}, {'e', 'f'}, {'A', 'C'}, {'E', 'F'}}), hex(), hex(),
       hex()});
  const ExpressionId d000 =
      rules.sequence({bytes(rules, "dD"), rules.characters({{'0', '7'}}), hex(), hex()});
  const ExpressionId pair = rules.sequence(
      {bytes(rules, "dD"), bytes(rules, "89abAB"), hex(), hex(), text("\\u"), bytes(rules, "dD"),
       rules.characters({{'c', 'f'}, {'C', 'F'}}), hex(), hex()});
  const ExpressionId escaped = rules.sequence(
      {text("\\"),
       rules.choice({bytes(rules, "\"\\/bfnrt"),
                     rules.sequence({text("u"), rules.choice({below_d800, d000, pair})})})});
  return rules.choice(
      {rules.characters({{0x20, 0x21}, {0x23, 0x5b}, {0x5d, kLastCharacter}}), escaped});
}

// What follows the backslash for a byte that cannot stand as it is.
char short_escape(uint8_t byte) {
  switch (byte) {
    case '"':
    case '\\':
      return static_cast<char>(byte);
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

// Adds the escapes of one state of a decoded language: its edges by quote, backslash and controls.
class Escapes {
 public:
  explicit Escapes(Automaton& out) : out_(out) {}

  void add(int32_t from, const State& decoded) {
    std::array<int32_t, 0x80> target;
    for (int byte = 0; byte < 0x80; ++byte) target[byte] = decoded.next(static_cast<uint8_t>(byte));
    int32_t behind = -1, zero = -1;  // behind the backslash; behind \u00
    std::array<int32_t, 2> digit{-1, -1};
    for (int byte = 0; byte < 0x60; ++byte) {
      if (target[byte] < 0 || (byte >= 0x20 && byte != '"' && byte != '\\')) continue;
      if (behind < 0) behind = edge(from, '\\');
      if (const char letter = short_escape(static_cast<uint8_t>(byte))) {
        link(behind, static_cast<uint8_t>(letter), target[byte]);
        continue;
      }
      if (zero < 0) zero = edge(edge(edge(behind, 'u'), '0'), '0');
      int32_t& high = digit[byte >> 4];
      if (high < 0) high = edge(zero, static_cast<uint8_t>('0' + (byte >> 4)));
      const int low = byte & 15;
      link(high, static_cast<uint8_t>(low < 10 ? '0' + low : 'a' + low - 10), target[byte]);
      if (low >= 10) link(high, static_cast<uint8_t>('A' + low - 10), target[byte]);
    }
  }

 private:
  int32_t edge(int32_t from, uint8_t byte) {
    out_.states.emplace_back();
    const auto to = static_cast<int32_t>(out_.states.size()) - 1;
    link(from, byte, to);
    return to;
  }
  void link(int32_t from, uint8_t byte, int32_t to) {
    auto& edges = out_.states[from].bytes;
    auto at = edges.begin();
    while (at != edges.end() && at->first < byte) ++at;
    edges.insert(at, {byte, byte, to});
  }

  Automaton& out_;
};

// The JSON spelling of a decoded language, closing quote included.
Automaton spelled(const Automaton& decoded) {
  Automaton out;
  out.states.resize(decoded.states.size() + 1);
  const auto end = static_cast<int32_t>(decoded.states.size());
  out.states[end].accept = true;
  Escapes escapes(out);
  for (size_t at = 0; at < decoded.states.size(); ++at) {
    const auto keep = [&](int first, int last, int32_t target) {
      if (first <= last)
        out.states[at].bytes.push_back(
            {static_cast<uint8_t>(first), static_cast<uint8_t>(last), target});
    };
    bool closed = !decoded.states[at].accept;
    for (const ByteEdge& edge : decoded.states[at].bytes) {
      keep(std::max<int>(edge.first, 0x20), std::min<int>(edge.last, '"' - 1), edge.target);
      if (!closed && edge.last >= '"') {
        keep('"', '"', end);
        closed = true;
      }
      keep(std::max<int>(edge.first, '"' + 1), std::min<int>(edge.last, '\\' - 1), edge.target);
      keep(std::max<int>(edge.first, '\\' + 1), edge.last, edge.target);
    }
    if (!closed) keep('"', '"', end);
    escapes.add(static_cast<int32_t>(at), decoded.states[at]);
  }
  return minimised(std::move(out));
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (const char letter = short_escape(byte)) {
      out += '\\';
      out += letter;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

JsonRules::JsonRules(Rules& rules, const JsonOptions& options) : rules_(rules) {
  switch (options.space) {
    case JsonSpace::none:
      space_ = rules.text("");
      break;
    case JsonSpace::flexible:
      space_ = rules.named(
          "space",
          rules.choice({rules.text(""), rules.text(" "),
                        rules.sequence(
                            {rules.text("\n"), rules.repeat(bytes(rules, " \t"), 0, kIndentMax)})}),
          Rules::Inline::never);
      break;
  }
  comma_ = rules.sequence({rules.text(","), space_});
  colon_ = rules.sequence({rules.text(":"), space_});
  character_ = string_character(rules);
}

ExpressionId JsonRules::open(std::string_view bracket) {
  return rules_.sequence({rules_.text(bracket), space_});
}
ExpressionId JsonRules::close(std::string_view bracket) {
  return rules_.sequence({space_, rules_.text(bracket)});
}

ExpressionId JsonRules::string(int64_t min, int64_t max) {
  const bool plain = min == 0 && max < 0;
  if (plain && string_) return *string_;
  const ExpressionId made = rules_.named(
      "string",
      rules_.sequence({rules_.text("\""), rules_.repeat(character_, min, max), rules_.text("\"")}),
      Rules::Inline::never);
  if (plain) string_ = made;
  return made;
}

ExpressionId JsonRules::string(const Automaton& decoded) {
  if (decoded.matches_nothing()) return rules_.nothing();
  const ExpressionId made = rules_.sequence(
      {rules_.text("\""), rules_.language(std::make_shared<const Automaton>(spelled(decoded)))});
  // A finite text is small where it stands; what may go on shares its states.
  const bool finite = listed(decoded, 64).has_value();
  return finite ? made : rules_.named("text", made, Rules::Inline::never);
}

ExpressionId JsonRules::number() {
  if (number_) return *number_;
  const auto digits = [&](int64_t min) {
    return rules_.repeat(rules_.characters({{'0', '9'}}), min);
  };
  const ExpressionId whole = rules_.choice(
      {rules_.text("0"), rules_.sequence({rules_.characters({{'1', '9'}}), digits(0)})});
  const ExpressionId fraction = rules_.optional(rules_.sequence({rules_.text("."), digits(1)}));
  const ExpressionId exponent = rules_.optional(
      rules_.sequence({bytes(rules_, "eE"), rules_.optional(bytes(rules_, "+-")), digits(1)}));
  number_ = rules_.named(
      "number", rules_.sequence({rules_.optional(rules_.text("-")), whole, fraction, exponent}));
  return *number_;
}

void JsonRules::define_values() {
  const RuleId value = rules_.add_rule("value", Rules::Inline::never);
  const RuleId object = rules_.add_rule("object", Rules::Inline::never);
  value_ = rules_.call(value);
  object_ = rules_.call(object);
  const auto listing = [&](std::string_view from, ExpressionId each, std::string_view to) {
    const ExpressionId more = rules_.repeat(rules_.sequence({comma_, each}), 0);
    return rules_.sequence(
        {open(from), rules_.choice({rules_.text(to), rules_.sequence({each, more, close(to)})})});
  };
  const ExpressionId member = rules_.sequence({string(), colon_, *value_});
  rules_.define(object, listing("{", member, "}"));
  const ExpressionId array =
      rules_.named("array", listing("[", *value_, "]"), Rules::Inline::never);
  rules_.define(value, rules_.choice({rules_.text("null"), rules_.text("true"),
                                      rules_.text("false"), number(), string(), array, *object_}));
}

ExpressionId JsonRules::any_value() {
  if (!value_) define_values();
  return *value_;
}
ExpressionId JsonRules::any_object() {
  if (!object_) define_values();
  return *object_;
}

}  // namespace bittern::chat::grammar
