#include "chat/grammar/formats.h"

#include <fmt/format.h>

#include <string>

#include "chat/grammar/regex.h"

namespace bittern::chat::grammar {
namespace {

// RFC 3339 5.6 with the days of each month; years 0000 to 9999.
std::string date() {
  const std::string leap = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
  return fmt::format(
      "([0-9]{{4}}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
      "02-(0[1-9]|1[0-9]|2[0-8]))|{}-02-29)",
      leap);
}

// Leap seconds only with the offset zero (narrowed).
std::string time() {
  return "((([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?"
         "([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))|23:59:60(\\.[0-9]+)?([zZ]|[+-]00:00))";
}

// ISO 8601 as RFC 3339 appendix A has it.
std::string duration() {
  const std::string clock = "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)";
  const std::string days = "([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)";
  return fmt::format("P({}({})?|{}|[0-9]+W)", days, clock, clock);
}

std::string ipv4() {
  const std::string part = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  return fmt::format("{0}\\.{0}\\.{0}\\.{0}", part);
}

// RFC 3986 3.2.2 (the forms of RFC 4291 2.2).
std::string ipv6() {
  const std::string h = "[0-9a-fA-F]{1,4}";
  const std::string tail = fmt::format("({0}:{0}|{1})", h, ipv4());
  return fmt::format(
      "(({0}:){{6}}{1}|::({0}:){{5}}{1}|({0})?::({0}:){{4}}{1}|(({0}:)?{0})?::({0}:){{3}}{1}|"
      "(({0}:){{0,2}}{0})?::({0}:){{2}}{1}|(({0}:){{0,3}}{0})?::{0}:{1}|(({0}:){{0,4}}{0})?::{1}|"
      "(({0}:){{0,5}}{0})?::{0}|(({0}:){{0,6}}{0})?::)",
      h, tail);
}

// RFC 1123, without labels that have -- at their third place (those of RFC 5890 among them), and
// short enough that the whole stays below 253 characters (narrowed).
std::string hostname() {
  const auto label = [](int longest) {
    return fmt::format(
        "([0-9a-zA-Z]([0-9a-zA-Z]|[0-9a-zA-Z-]([0-9a-zA-Z]|[0-9a-zA-Z](-?[0-9a-zA-Z]"
        "){{1,{0}}}|-[0-9a-zA-Z](-?[0-9a-zA-Z]){{0,{0}}}))?)",
        longest);
  };
  // A name of ten short labels or of four long ones; two characters to a step.
  return fmt::format("({0}(\\.{0}){{0,9}}|{1}(\\.{1}){{0,3}})", label(9), label(28));
}

// RFC 5321 4.1.2: Mailbox; the local part without its limit of 64 in the quoted form (narrowed).
std::string email() {
  const std::string atom = "[0-9a-zA-Z!#$%&'*+/=?^_`{|}~-]+";
  return fmt::format("({0}(\\.{0})*|\"([ !#-\\[\\]-~]|\\\\[ -~])*\")@({1}|\\[({2}|IPv6:{3})\\])",
                     atom, hostname(), ipv4(), ipv6());
}

std::string escaped(std::string_view more) {
  return fmt::format("([0-9a-zA-Z._~!$&'()*+,;={}-]|%[0-9a-fA-F]{{2}})", more);
}

// RFC 3986 appendix A.
std::string uri_rest(bool with_scheme) {
  const std::string pchar = escaped(":@"),
                    tail = fmt::format("(\\?{0}*)?(#{0}*)?", escaped(":@/?"));
  const std::string host = fmt::format(
      "(\\[({}|v[0-9a-fA-F]+\\.[0-9a-zA-Z._~!$&'()*+,;=:-]+)\\]|{}*)", ipv6(), escaped(""));
  const std::string authority = fmt::format("({}*@)?{}(:[0-9]*)?", escaped(":"), host);
  const std::string absolute = fmt::format("/({0}+(/{0}*)*)?", pchar);
  const std::string rootless = fmt::format("{0}+(/{0}*)*", pchar);
  const std::string relative = fmt::format("{}+(/{}*)*", escaped("@"), pchar);
  return fmt::format("(//{}(/{}*)*|{}|{})?{}", authority, pchar, absolute,
                     with_scheme ? rootless : relative, tail);
}
std::string uri() { return "[a-zA-Z][a-zA-Z0-9+.-]*:" + uri_rest(true); }

struct Row {
  std::string_view name;
  std::string (*expression)();
  bool narrowed = false;
};

constexpr Row kFormats[] = {
    {"date", date},
    {"time", time, true},
    {"date-time", [] { return date() + "[tT]" + time(); }, true},
    {"duration", duration},
    {"email", email, true},
    {"hostname", hostname, true},
    {"ipv4", ipv4},
    {"ipv6", ipv6},
    {"uuid", [] { return std::string("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"); }},
    {"uri", uri},
    {"uri-reference", [] { return fmt::format("({}|{})", uri(), uri_rest(false)); }},
    {"json-pointer", [] { return std::string("(/([^~/]|[\\n\\r\\u2028\\u2029]|~[01])*)*"); }},
    {"relative-json-pointer",
     [] { return std::string("(0|[1-9][0-9]*)([+-][1-9][0-9]*)?(#|(/([^~/]|~[01])*)*)"); }, true},
};

}  // namespace

Format format_named(std::string_view name) {
  for (const Row& row : kFormats) {
    if (row.name != name) continue;
    return {std::make_shared<const Automaton>(regular_language(row.expression(), Anchored::whole,
                                                               fmt::format("format {}", name))),
            row.narrowed};
  }
  return {nullptr, false};
}

}  // namespace bittern::chat::grammar
