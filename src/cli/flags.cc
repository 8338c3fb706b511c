#include "cli/flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/suggest.h"

namespace bittern::cli {
namespace {

constexpr size_t kColumns = 80;

// What other engines call things, for people who type from habit.
struct ForeignFlag {
  std::string_view name, here;
};
constexpr ForeignFlag kForeignFlags[] = {
    {"-p", "the prompt is an argument: bittern run MODEL \"text\""},
    {"--prompt", "the prompt is an argument: bittern run MODEL \"text\""},
    {"-m", "the model is the first argument"},
    {"--model", "the model is the first argument"},
    {"--n-predict", "use --max-tokens"},
    {"--ctx-size", "use --context"},
    {"--num-ctx", "use --context"},
    {"--cache-type-k", "use --kv-type"},
    {"--cache-type-v", "use --kv-type"},
    {"--file", "use -f"},
    {"--choices", "use --num-choices for several texts, --choice for one of some given texts"},
    {"--num-return-sequences", "use --num-choices"},
    {"--guided-json", "use --json-schema"},
    {"--guided-regex", "use --regex"},
    {"--guided-choice", "use --choice"},
    {"--guided-grammar", "use --grammar"},
    {"--spec-type", "use --speculation off, lookup or draft"},
    {"--lookup", "use --speculation lookup"},
};

std::vector<std::string> split_names(std::string_view names) {
  std::vector<std::string> result;
  while (true) {
    const size_t comma = names.find(',');
    result.emplace_back(names.substr(0, comma));
    if (comma == std::string_view::npos) return result;
    names.remove_prefix(comma + 1);
  }
}

// The last of the names, which is the long one: what messages call the flag.
std::string main_name(const FlagSpec& spec) { return split_names(spec.names).back(); }

bool is_switch(const FlagSpec& spec) { return spec.value_name.empty(); }

// Whether it could be an integer, of any size.
bool is_whole_number(std::string_view word) {
  if (word.starts_with('+') || word.starts_with('-')) word.remove_prefix(1);
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string wrap(std::string_view text, size_t width, size_t indent) {
  std::string result;
  size_t column = indent;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (column > indent && column + 1 + word.size() > width) {
      result += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return result;
}

std::optional<int64_t> parse_integer(std::string_view word) {
  int64_t value = 0;
  if (word.starts_with('+')) word.remove_prefix(1);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view word) {
  double value = 0;
  if (word.starts_with('+')) word.remove_prefix(1);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || std::isnan(value))
    return std::nullopt;
  return value;
}

// A command line's words: which flags are given with which values, and what is left.
struct Flags::Sorted {
  std::vector<std::vector<std::string>> values;  // of declared_flags_[i]; "" for a switch
  std::vector<size_t> arguments;                 // places of the words
  std::string unknown;                           // the first flag that nobody declared
  std::string problem;                           // the first of another kind

  // A flag, and the value that stands in one word with it.
  struct Given {
    std::optional<size_t> flag;
    std::optional<std::string> value;
  };
  Given read(const Flags& flags, const std::string& word);
  bool complain(std::string text) {
    if (problem.empty()) problem = std::move(text);
    return false;
  }
};

// Of several switches behind one dash all but the last are taken here.
Flags::Sorted::Given Flags::Sorted::read(const Flags& flags, const std::string& word) {
  const size_t equals = word.find('=');
  Given given = {.flag = flags.find(std::string_view(word).substr(0, equals)), .value = {}};
  if (given.flag && equals != std::string::npos) given.value = word.substr(equals + 1);
  if (given.flag || word[1] == '-') return given;
  for (size_t at = 1; at < word.size(); ++at) {
    const auto next = flags.find(std::string{'-', word[at]});
    if (!next) {
      if (given.flag) given.value = word.substr(word[at] == '=' ? at + 1 : at);
      return given;
    }
    if (given.flag) values[*given.flag].emplace_back();
    given.flag = next;
    if (!is_switch(flags.declared_flags_[*next])) {
      if (at + 1 < word.size()) given.value = word.substr(at + 1);
      return given;
    }
  }
  return given;
}

Flags::Flags(std::string verb, std::string summary)
    : verb_(std::move(verb)), summary_(std::move(summary)) {
  toggle({"-h,--help", "", "Show this help."}, &help_wanted_);
}

void Flags::argument(std::string name, std::optional<std::string>* target, bool required,
                     std::string help) {
  argument_readers_.push_back([target](const Values& values) { *target = values.front(); });
  declared_arguments_.push_back({std::move(name), required, false, std::move(help)});
}

void Flags::arguments(std::string name, std::vector<std::string>* target, std::string help) {
  argument_readers_.push_back([target](const Values& values) { *target = values; });
  declared_arguments_.push_back({std::move(name), false, true, std::move(help)});
}

void Flags::add_flag(FlagSpec spec, Reader read) {
  declared_flags_.push_back(std::move(spec));
  flag_readers_.push_back(std::move(read));
}

std::string Flags::where(const FlagSpec& spec) const {
  return fmt::format("{}: {}", verb_, main_name(spec));
}

void Flags::toggle(FlagSpec spec, bool* target) {
  add_flag(std::move(spec), [target](const Values&) { *target = true; });
}

void Flags::text(FlagSpec spec, std::optional<std::string>* target) {
  add_flag(std::move(spec), [target](const Values& values) { *target = values.back(); });
}

void Flags::texts(FlagSpec spec, std::vector<std::string>* target) {
  add_flag(std::move(spec), [target](const Values& values) { *target = values; });
}

void Flags::integer(FlagSpec spec, std::optional<int64_t>* target, int64_t least, int64_t most) {
  const auto read = [target, least, most, where = where(spec)](const Values& values) {
    const std::string& word = values.back();
    const auto value = parse_integer(word);
    if (!value && !is_whole_number(word))
      fail(ErrorKind::usage, "{}: integer expected, got \"{}\"", where, printable(word));
    if (!value || *value < least || *value > most) {
      fail(ErrorKind::usage, "{}: {} to {} expected, got {}", where, least, most, printable(word));
    }
    *target = value;
  };
  add_flag(std::move(spec), read);
}

void Flags::number(FlagSpec spec, std::optional<double>* target, double least, double most) {
  const auto read = [target, least, most, where = where(spec)](const Values& values) {
    const std::string& word = values.back();
    const auto value = parse_number(word);
    if (!value) fail(ErrorKind::usage, "{}: number expected, got \"{}\"", where, printable(word));
    if (*value < least || *value > most) {
      fail(ErrorKind::usage, "{}: {:g} to {:g} expected, got {}", where, least, most,
           printable(word));
    }
    *target = value;
  };
  add_flag(std::move(spec), read);
}

void Flags::choice(FlagSpec spec, std::optional<std::string>* target,
                   std::vector<std::string_view> choices) {
  const auto read = [target, choices = std::move(choices),
                     where = where(spec)](const Values& values) {
    const std::string& word = values.back();
    if (std::find(choices.begin(), choices.end(), word) == choices.end()) {
      fail(ErrorKind::usage, "{}: one of {} expected, got \"{}\"", where, fmt::join(choices, ", "),
           printable(word));
    }
    *target = word;
  };
  add_flag(std::move(spec), read);
}

void Flags::note(std::string paragraph) { notes_.push_back(std::move(paragraph)); }

std::optional<size_t> Flags::find(std::string_view name) const {
  for (size_t i = 0; i < declared_flags_.size(); ++i) {
    const std::vector<std::string> names = split_names(declared_flags_[i].names);
    if (std::find(names.begin(), names.end(), name) != names.end()) return i;
  }
  return std::nullopt;
}

// The flag that words[0] is, and its value; returns whether that is words[1].
bool Flags::take_flag(std::span<const std::string> words, Sorted& sorted) const {
  const auto [flag, value] = sorted.read(*this, words[0]);
  if (!flag) {
    if (sorted.unknown.empty()) sorted.unknown = words[0];
    return false;
  }
  const FlagSpec& spec = declared_flags_[*flag];
  const std::string name = main_name(spec);
  std::vector<std::string>& values = sorted.values[*flag];
  if (is_switch(spec)) {
    if (value)
      return sorted.complain(
          fmt::format("{}: takes no value, got \"{}\"", name, printable(*value)));
    values.emplace_back();
    return false;
  }
  if (value) {
    values.push_back(*value);
    return false;
  }
  if (words.size() == 1)
    return sorted.complain(fmt::format("{}: a value expected, got none", name));
  if (find(std::string_view(words[1]).substr(0, words[1].find('=')))) {
    return sorted.complain(
        fmt::format("{}: a value expected, got the flag {}", name, printable(words[1])));
  }
  values.push_back(words[1]);
  return true;
}

Flags::Sorted Flags::sort(std::span<const std::string> words) const {
  Sorted sorted;
  sorted.values.resize(declared_flags_.size());
  bool flags_end = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool is_flag = !flags_end && words[i].size() > 1 && words[i].front() == '-';
    if (!is_flag)
      sorted.arguments.push_back(i);
    else if (words[i] == "--")
      flags_end = true;
    else if (take_flag(words.subspan(i), sorted))
      ++i;
  }
  return sorted;
}

void Flags::read_arguments(std::span<const std::string> words,
                           std::span<const size_t> places) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < declared_arguments_.size(); ++i) {
    const Argument& argument = declared_arguments_[i];
    names.push_back(argument.name);
    Values values;
    while (!places.empty() && (values.empty() || argument.repeated)) {
      values.push_back(words[places.front()]);
      places = places.subspan(1);
    }
    if (!values.empty()) argument_readers_[i](values);
  }
  if (places.empty()) return;
  const std::string got = printable(words[places.front()]);
  const auto before = places.front() > 0 ? find(words[places.front() - 1]) : std::nullopt;
  if (before && is_switch(declared_flags_[*before])) {
    fail(ErrorKind::usage, "{}: {}: takes no value, got \"{}\"", verb_,
         main_name(declared_flags_[*before]), got);
  }
  if (names.empty()) fail(ErrorKind::usage, "{}: no argument expected, got \"{}\"", verb_, got);
  fail(ErrorKind::usage,
       "{}: unexpected argument \"{}\" after {} (a text with spaces needs quotes)", verb_, got,
       fmt::join(names, " and "));
}

bool Flags::parse(std::span<const std::string> words) {
  for (const std::string& word : words) {
    if (word == "--") break;
    if (word == "-h" || word == "--help") return false;
  }
  const Sorted sorted = sort(words);
  // An unknown flag explains most other problems: its value lands among the arguments.
  if (!sorted.unknown.empty()) reject_unknown(sorted.unknown);
  if (!sorted.problem.empty()) fail(ErrorKind::usage, "{}: {}", verb_, sorted.problem);
  for (size_t i = 0; i < sorted.values.size(); ++i)
    if (!sorted.values[i].empty()) flag_readers_[i](sorted.values[i]);
  if (help_wanted_) return false;  // "-qh"
  read_arguments(words, sorted.arguments);
  for (size_t i = 0; i < declared_arguments_.size(); ++i) {
    const Argument& argument = declared_arguments_[i];
    if (argument.required && sorted.arguments.size() <= i)
      fail(ErrorKind::usage, "{}: {} is missing; see: bittern help {}", verb_, argument.name,
           verb_);
  }
  return true;
}

void Flags::reject_unknown(const std::string& word) const {
  const std::string name = word.substr(0, word.find('='));
  for (const ForeignFlag& foreign : kForeignFlags)
    if (name == foreign.name)
      fail(ErrorKind::usage, "{}: unknown flag {}; {}", verb_, printable(name), foreign.here);
  std::vector<std::string> names;
  for (const FlagSpec& spec : declared_flags_)
    for (std::string& known : split_names(spec.names)) names.push_back(std::move(known));
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  if (const auto nearest = suggest(name, candidates))
    fail(ErrorKind::usage, "{}: unknown flag {}; did you mean {}?", verb_, printable(name),
         *nearest);
  fail(ErrorKind::usage, "{}: unknown flag {}; see: bittern help {}", verb_, printable(name),
       verb_);
}

std::string Flags::help() const {
  constexpr size_t kHelpColumn = 26;
  std::string text = fmt::format("bittern {}", verb_);
  for (const Argument& argument : declared_arguments_) {
    const std::string name = argument.name + (argument.repeated ? "..." : "");
    text += argument.required ? " " + name : fmt::format(" [{}]", name);
  }
  text += fmt::format(" [flags]\n\n{}\n\n", wrap(summary_, kColumns, 0));
  const auto row = [&](const std::string& left, const std::string& right) {
    text += "  " + left;
    text += left.size() + 4 > kHelpColumn ? "\n" + std::string(kHelpColumn, ' ')
                                          : std::string(kHelpColumn - 2 - left.size(), ' ');
    text += wrap(right, kColumns, kHelpColumn) + '\n';
  };
  for (const Argument& argument : declared_arguments_) row(argument.name, argument.help);
  if (!declared_arguments_.empty()) text += '\n';
  for (const FlagSpec& spec : declared_flags_) {
    std::string left = fmt::format("{}", fmt::join(split_names(spec.names), ", "));
    if (!spec.value_name.empty()) left += " " + spec.value_name;
    row(left, spec.help);
  }
  for (const std::string& paragraph : notes_) text += "\n" + wrap(paragraph, kColumns, 0) + "\n";
  return text;
}

}  // namespace bittern::cli
