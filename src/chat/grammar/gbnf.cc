// llama.cpp's grammar language, as its grammars/README.md and parser (b6000) have it:
//
//   name ::= alternatives     a rule; a line end ends it, but not inside ( ) or behind |
//   "text" [a-z] [^a-z] .     characters, with \xXX \uXXXX \UXXXXXXXX \t \r \n \\ \" \[ \]
//   name ( ) | * + ? {m} {m,} {m,n}     # comment to the end of the line
//
// Refused by name: <token> and !<token>, left recursion (program.cc), a rule defined twice.
#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/grammar/expression.h"
#include "chat/grammar/grammar.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/program.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

class Parser {
 public:
  Parser(std::string_view source, Rules& rules) : source_(source), rules_(rules) {}

  RuleId parse() {
    if (source_.size() > kSourceBytesMax)
      bad_input("GBNF grammar: longer than {} bytes, the limit", kSourceBytesMax);
    if (!utf8::is_valid(source_)) bad_input("GBNF grammar: not valid UTF-8");
    skip(true);
    while (more()) rule();
    for (const auto& [name, id] : names_)
      if (!rules_.at(id).defined)
        bad_input("GBNF grammar: rule \"{}\" is not defined", printable(name));
    const auto root = names_.find("root");
    if (root == names_.end()) bad_input("GBNF grammar: it has no rule \"root\"");
    return root->second;
  }

 private:
  [[noreturn]] void malformed(std::string_view what) const {
    const auto line = 1 + std::ranges::count(source_.substr(0, at_), '\n');
    bad_input("GBNF grammar: line {}: {} before \"{}\"", line, what,
              printable(source_.substr(at_, 24)));
  }

  bool more() const { return at_ < source_.size(); }
  bool at(char c) const { return more() && source_[at_] == c; }
  bool take(char c) {
    if (!at(c)) return false;
    ++at_;
    return true;
  }

  // Spaces and comments; line ends too where `lines`.
  void skip(bool lines) {
    while (more()) {
      const char c = source_[at_];
      if (c == '#') {
        while (more() && source_[at_] != '\n' && source_[at_] != '\r') ++at_;
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string name() {
    const size_t begin = at_;
    while (more() && is_name(source_[at_])) ++at_;
    if (at_ == begin) malformed("expected a name");
    return std::string(source_.substr(begin, at_ - begin));
  }

  RuleId rule_named(const std::string& name) {
    const auto known = names_.find(name);
    if (known != names_.end()) return known->second;
    const RuleId id = rules_.add_rule(name);
    names_.emplace(name, id);
    return id;
  }

  void rule() {
    const std::string called = name();
    const RuleId id = rule_named(called);
    if (rules_.at(id).defined)
      bad_input("GBNF grammar: rule \"{}\" is defined twice", printable(called));
    skip(false);
    if (source_.substr(at_, 3) != "::=") malformed("expected ::=");
    at_ += 3;
    skip(true);
    rules_.define(id, alternatives(false));
    if (more() && !at('\n') && !at('\r')) malformed("expected the end of the line");
    skip(true);
  }

  ExpressionId alternatives(bool nested) {
    if (++depth_ > kParseDepthMax)
      malformed(fmt::format("more than {} brackets open, the limit", kParseDepthMax));
    std::vector<ExpressionId> parts{sequence(nested)};
    while (take('|')) {
      skip(true);
      parts.push_back(sequence(nested));
    }
    --depth_;
    return rules_.choice(std::move(parts));
  }

  ExpressionId sequence(bool nested) {
    std::vector<ExpressionId> parts;
    while (more()) {
      const char c = source_[at_];
      if (c == '*' || c == '+' || c == '?' || c == '{') {
        if (parts.empty()) malformed("nothing to repeat");
        parts.back() = repeated(parts.back());
      } else if (c == '"' || c == '[' || c == '.' || c == '(' || is_name(c)) {
        parts.push_back(element());
      } else if (c == '<' || c == '!') {
        fail(ErrorKind::unsupported,
             "GBNF grammar: tokens by name or number (\"{}\") are not "
             "supported",
             printable(source_.substr(at_, 24)));
      } else {
        break;
      }
      skip(nested);
    }
    return rules_.sequence(std::move(parts));
  }

  ExpressionId element() {
    if (take('"')) {
      std::string text;
      while (!take('"')) utf8::append(text, character());
      return rules_.text(text);
    }
    if (take('[')) return character_class();
    if (take('.')) return rules_.characters(any_character());
    if (take('(')) {
      skip(true);
      const ExpressionId inner = alternatives(true);
      if (!take(')')) malformed("expected )");
      return inner;
    }
    return rules_.call(rule_named(name()));
  }

  ExpressionId character_class() {
    const bool negated = take('^');
    Characters set;
    while (!take(']')) {
      const uint32_t first = character();
      uint32_t last = first;
      if (at('-') && at_ + 1 < source_.size() && source_[at_ + 1] != ']') {
        ++at_;
        last = character();
      }
      if (last < first) malformed("a range in reverse order");
      set.push_back({first, last});
    }
    return rules_.characters(negated ? complement(set) : std::move(set));
  }

  uint32_t character() {
    if (!more() || at('\n')) malformed("a text or a class does not end");
    if (!take('\\')) {
      const utf8::Decoded decoded = utf8::decode(source_.substr(at_));
      at_ += decoded.length;
      return decoded.code_point;
    }
    if (!more()) malformed("a backslash at the end");
    const char c = source_[at_++];
    switch (c) {
      case 'x':
        return hexadecimal(2);
      case 'u':
        return hexadecimal(4);
      case 'U':
        return hexadecimal(8);
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case '\\':
      case '"':
      case '[':
      case ']':
        return static_cast<uint8_t>(c);
      default:
        malformed(fmt::format("unknown escape \\{}", printable({&c, 1})));
    }
  }

  uint32_t hexadecimal(size_t digits) {
    uint32_t value = 0;
    const std::string_view text = source_.substr(at_, digits);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.size() != digits || error != std::errc() || end != text.data() + digits)
      malformed(fmt::format("expected {} hexadecimal digits", digits));
    if (value > kLastCharacter || (value >= 0xd800 && value <= 0xdfff))
      malformed("an escape that is no character");
    at_ += digits;
    return value;
  }

  ExpressionId repeated(ExpressionId part) {
    if (take('*')) return rules_.repeat(part, 0);
    if (take('+')) return rules_.repeat(part, 1);
    if (take('?')) return rules_.optional(part);
    ++at_;
    skip(true);
    const int64_t min = count();
    int64_t max = min;
    if (take(',')) {
      skip(true);
      max = at('}') ? -1 : count();
    }
    if (!take('}')) malformed("expected }");
    if (max >= 0 && max < min) malformed("a count with its bounds reversed");
    return rules_.repeat(part, min, max);
  }

  int64_t count() {
    int64_t value = 0;
    const char* first = source_.data() + at_;
    const auto [end, error] = std::from_chars(first, source_.data() + source_.size(), value);
    if (error != std::errc() || value < 0) malformed("expected a count");
    at_ += static_cast<size_t>(end - first);
    skip(true);
    return value;
  }

  std::string_view source_;
  Rules& rules_;
  size_t at_ = 0;
  int depth_ = 0;
  std::unordered_map<std::string, RuleId> names_;
};

}  // namespace

Grammar compile_gbnf(std::string_view grammar) {
  const WorkBudget budget(kCompileWorkMax);
  Rules rules;
  const RuleId root = Parser(grammar, rules).parse();
  return Grammar(std::make_shared<const Program>(compile(rules, root)));
}

}  // namespace bittern::chat::grammar
