// Recursive descent straight into an Nfa (nfa.h): each construct is built between two states.
#include "chat/grammar/regex.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/nfa.h"
#include "text/unicode.h"

namespace bittern::chat::grammar {
namespace {

const Characters kDigits{{'0', '9'}};
const Characters kWord{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Characters kSpaces{{9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680},
                         {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
                         {0x3000, 0x3000}, {0xfeff, 0xfeff}};
const Characters kLineEnds{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

struct Count {
  int64_t min, max;  // max -1: without end
};

// What an escape stands for in a class: one character, or a set.
struct Atom {
  Characters set;
  bool single = false;
};

Characters with_property(text::Properties wanted) {
  Characters set;
  for (uint32_t c = 0; c <= kLastCharacter; ++c) {
    if ((text::properties(c) & wanted) == 0) continue;
    if (!set.empty() && set.back().last + 1 == c) {
      set.back().last = c;
    } else {
      set.push_back({c, c});
    }
  }
  return tidied(std::move(set));
}

class Parser {
 public:
  Parser(std::string_view source, const std::string& where, Nfa& nfa)
      : source_(source), where_(where), nfa_(nfa) {}

  void parse(int32_t from, int32_t to) {
    if (source_.size() > kSourceBytesMax)
      bad_input("{}: longer than {} bytes, the limit", where_, kSourceBytesMax);
    if (!utf8::is_valid(source_)) bad_input("{}: not valid UTF-8", where_);
    alternatives(from, to);
    if (at_ < source_.size()) malformed("unmatched )");
  }

 private:
  [[noreturn]] void malformed(std::string_view what) const {
    bad_input("{}: {} at byte {} of \"{}\"", where_, what, at_, printable(source_));
  }
  [[noreturn]] void refused(std::string_view what) const {
    fail(ErrorKind::unsupported, "{}: {} at byte {} of \"{}\" is not supported", where_, what, at_,
         printable(source_));
  }

  bool more() const { return at_ < source_.size(); }
  char peek() const { return source_[at_]; }
  bool take(char c) {
    if (!more() || peek() != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view text) {
    if (!source_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  uint32_t take_character() {
    const utf8::Decoded decoded = utf8::decode(source_.substr(at_));
    at_ += decoded.length;
    return decoded.code_point;
  }

  void alternatives(int32_t from, int32_t to) {
    if (++depth_ > kParseDepthMax)
      malformed(fmt::format("more than {} groups open, the limit", kParseDepthMax));
    do {
      const int32_t first = nfa_.add_state();
      nfa_.on_empty(from, first);
      sequence(first, to);
    } while (take('|'));
    --depth_;
  }

  void sequence(int32_t from, int32_t to) {
    while (more() && peek() != '|' && peek() != ')') from = term(from);
    nfa_.on_empty(from, to);
  }

  // One atom with its quantifier; returns the state behind.
  int32_t term(int32_t from) {
    const size_t begin = at_;
    const int32_t first = nfa_.add_state(), last = nfa_.add_state();
    nfa_.on_empty(from, first);
    const bool assertion = atom(first, last);
    const std::optional<Count> count = quantifier();
    if (!count) return last;
    if (assertion) malformed("a quantifier behind ^ or $");
    return repeated(from, first, last, begin, *count);
  }

  // The atom between `first` and `last`, again. Copies beyond that one are read from the source
  // anew; *, + and ? need none.
  int32_t repeated(int32_t from, int32_t first, int32_t last, size_t begin, Count count) {
    const int32_t to = nfa_.add_state();
    if (count.min == 0) nfa_.on_empty(from, to);
    if (count.max == 0) return to;
    if (count.max < 0 && count.min <= 1) {
      nfa_.on_empty(last, first);
      nfa_.on_empty(last, to);
      return to;
    }
    const size_t end = at_;
    const int64_t copies = count.max < 0 ? count.min : count.max;
    for (int64_t i = 1; i < copies; ++i) {
      if (i >= count.min) nfa_.on_empty(last, to);
      first = nfa_.add_state();
      nfa_.on_empty(last, first);
      last = nfa_.add_state();
      at_ = begin;
      atom(first, last);
      at_ = end;
    }
    if (count.max < 0) nfa_.on_empty(last, first);
    nfa_.on_empty(last, to);
    return to;
  }

  std::optional<Count> quantifier() {
    if (!more()) return std::nullopt;
    std::optional<Count> count;
    if (take('*')) {
      count = {0, -1};
    } else if (take('+')) {
      count = {1, -1};
    } else if (take('?')) {
      count = {0, 1};
    } else if (peek() == '{') {
      count = counted();
    }
    if (!count) return std::nullopt;
    if (take('?')) return count;  // lazy: the same texts
    if (more() && peek() == '+') refused("a possessive quantifier");
    if (more() && (peek() == '*' || peek() == '{')) malformed("two quantifiers");
    return count;
  }

  Count counted() {
    ++at_;
    Count count{number(), 0};
    count.max = count.min;
    if (take(',')) count.max = more() && peek() == '}' ? -1 : number();
    if (!take('}')) malformed("expected }");
    if (count.max >= 0 && count.max < count.min) malformed("a count with its bounds reversed");
    return count;
  }

  int64_t number() {
    int64_t value = 0;
    const char* first = source_.data() + at_;
    const auto [end, error] = std::from_chars(first, source_.data() + source_.size(), value);
    if (error != std::errc() || *first == '-') malformed("expected a count");
    if (value > kRepeatMax) malformed(fmt::format("a count above {}, the limit", kRepeatMax));
    at_ += static_cast<size_t>(end - first);
    return value;
  }

  // True for an assertion, which takes no quantifier.
  bool atom(int32_t from, int32_t to) {
    const char c = peek();
    if (c == '^' || c == '$') {
      ++at_;
      nfa_.on_empty(from, to, c == '^' ? Nfa::When::at_start : Nfa::When::at_end);
      return true;
    }
    if (c == '(') {
      group(from, to);
    } else if (c == '[') {
      nfa_.on_characters(from, bracket_class(), to);
    } else if (c == '.') {
      ++at_;
      nfa_.on_characters(from, complement(kLineEnds), to);
    } else if (c == '\\') {
      nfa_.on_characters(from, escape(false).set, to);
    } else {
      if (c == '*' || c == '+' || c == '?' || c == '{') malformed("nothing to repeat");
      if (c == ']' || c == '}') malformed(fmt::format("unmatched {}", c));
      const uint32_t character = take_character();
      nfa_.on_characters(from, {{character, character}}, to);
    }
    return false;
  }

  void group(int32_t from, int32_t to) {
    ++at_;
    if (take("?:")) {
    } else if (take("?<")) {
      if (more() && (peek() == '=' || peek() == '!')) refused("look-behind");
      group_name();
    } else if (take("?P<")) {
      group_name();
    } else if (more() && peek() == '?') {
      if (source_.substr(at_).starts_with("?=") || source_.substr(at_).starts_with("?!"))
        refused("look-ahead");
      refused("a group of this kind");
    } else if (more() && peek() == '*') {
      malformed("nothing to repeat");
    }
    alternatives(from, to);
    if (!take(')')) malformed("expected )");
  }

  void group_name() {
    const size_t begin = at_;
    while (more() && peek() != '>') ++at_;
    if (at_ == begin || !take('>')) malformed("expected a group's name and >");
  }

  Characters bracket_class() {
    ++at_;
    const bool negated = take('^');
    Characters set;
    while (true) {
      if (!more()) malformed("expected ]");
      if (take(']')) break;
      const Atom first = class_atom();
      if (more() && peek() == '-' && at_ + 1 < source_.size() && source_[at_ + 1] != ']') {
        ++at_;
        const Atom last = class_atom();
        if (!first.single || !last.single) malformed("a range whose end is a class");
        if (first.set[0].first > last.set[0].first) malformed("a range in reverse order");
        set.push_back({first.set[0].first, last.set[0].first});
        continue;
      }
      set.insert(set.end(), first.set.begin(), first.set.end());
    }
    return negated ? complement(set) : tidied(std::move(set));
  }

  Atom class_atom() {
    if (!more()) malformed("expected ]");
    if (peek() == '\\') return escape(true);
    if (peek() == '[' && at_ + 1 < source_.size() && source_[at_ + 1] == ':')
      refused("a POSIX class");
    const uint32_t character = take_character();
    return {{{character, character}}, true};
  }

  static Atom one(uint32_t character) { return {{{character, character}}, true}; }

  Atom escape(bool in_class) {
    ++at_;
    if (!more()) malformed("a backslash at the end");
    const char c = peek();
    if (c >= '1' && c <= '9') refused("a reference");
    if (c == 'k' && !in_class) refused("a reference");
    if ((c == 'b' && !in_class) || c == 'B') refused(fmt::format("\\{}", c));
    if (c == 'A' || c == 'Z' || c == 'z' || c == 'G' || c == 'K' || c == 'X' || c == 'R')
      refused(fmt::format("\\{}", c));
    if (c == 'p' || c == 'P') return {property(), false};
    ++at_;
    switch (c) {
      case 'd':
        return {kDigits, false};
      case 'D':
        return {complement(kDigits), false};
      case 'w':
        return {kWord, false};
      case 'W':
        return {complement(kWord), false};
      case 's':
        return {kSpaces, false};
      case 'S':
        return {complement(kSpaces), false};
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case 'b':
        return one('\b');
      case '0':
        if (more() && peek() >= '0' && peek() <= '9') malformed("an octal escape");
        return one(0);
      case 'c':
        return control();
      case 'x':
        return one(hexadecimal(2));
      case 'u':
        return one(unicode_escape());
      default:
        break;
    }
    --at_;
    const uint32_t character = take_character();
    const bool letter = (character | 32) >= 'a' && (character | 32) <= 'z' && character < 0x80;
    if (letter) malformed(fmt::format("unknown escape \\{}", c));
    return one(character);
  }

  Atom control() {
    if (!more() || ((peek() | 32) < 'a') || ((peek() | 32) > 'z'))
      malformed("\\c without a letter");
    return one(static_cast<uint32_t>(source_[at_++]) & 31);
  }

  uint32_t hexadecimal(size_t digits) {
    uint32_t value = 0;
    const std::string_view text = source_.substr(at_, digits);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + digits || text.size() != digits)
      malformed(fmt::format("expected {} hexadecimal digits", digits));
    at_ += digits;
    return value;
  }

  uint32_t unicode_escape() {
    if (take('{')) {
      const size_t end = source_.find('}', at_);
      if (end == std::string_view::npos || end == at_ || end - at_ > 6)
        malformed("expected one to six hexadecimal digits and }");
      const uint32_t value = hexadecimal(end - at_);
      ++at_;
      if (value > kLastCharacter) malformed("a character past U+10FFFF");
      return value;
    }
    const uint32_t high = hexadecimal(4);
    if (high >= 0xd800 && high < 0xdc00 && take("\\u")) {
      const uint32_t low = hexadecimal(4);
      if (low < 0xdc00 || low > 0xdfff) malformed("half of a surrogate pair");
      return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    if (high >= 0xd800 && high <= 0xdfff) malformed("half of a surrogate pair");
    return high;
  }

  Characters property() {
    const bool negated = peek() == 'P';
    ++at_;
    if (!take('{')) malformed("expected { behind \\p");
    const size_t end = source_.find('}', at_);
    if (end == std::string_view::npos) malformed("expected }");
    const std::string_view name = source_.substr(at_, end - at_);
    text::Properties wanted = 0;
    if (name == "L" || name == "Letter" || name == "gc=L") wanted = text::kLetter;
    if (name == "N" || name == "Number" || name == "gc=N") wanted = text::kNumber;
    if (name == "M" || name == "Mark" || name == "gc=M") wanted = text::kMark;
    if (name == "White_Space") wanted = text::kSpace;
    if (wanted == 0) refused(fmt::format("\\p{{{}}}", printable(name)));
    at_ = end + 1;
    Characters set = with_property(wanted);
    return negated ? complement(set) : set;
  }

  std::string_view source_;
  const std::string& where_;
  Nfa& nfa_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Automaton regular_language(std::string_view expression, Anchored anchored,
                           const std::string& where) {
  Nfa nfa;
  const int32_t start = nfa.add_state(), final = nfa.add_state();
  if (anchored == Anchored::whole) {
    Parser(expression, where, nfa).parse(start, final);
    return nfa.deterministic(start, final);
  }
  // Any characters, the expression, any characters. `start` has no way back, so ^ holds there only.
  const int32_t before = nfa.add_state(), first = nfa.add_state(), last = nfa.add_state();
  nfa.on_empty(start, first);
  nfa.on_empty(start, before);
  nfa.on_characters(before, any_character(), before);
  nfa.on_empty(before, first);
  Parser(expression, where, nfa).parse(first, last);
  nfa.on_empty(last, final);
  nfa.on_characters(final, any_character(), final);
  return nfa.deterministic(start, final);
}

}  // namespace bittern::chat::grammar
