#include "cli/flags.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <functional>

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

// llama.cpp's short names of two letters ("-jf"), which CLI11 would read as a letter and its value.
bool has_two_letters(std::string_view name) {
  return name.size() == 3 && name[0] == '-' && name[1] != '-';
}

// The last of the names, which is the long one: what messages call the flag.
std::string main_name(const FlagSpec& spec) { return split_names(spec.names).back(); }

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

// CLI11's part: it sorts the words of a command line into options and their values.
struct Flags::Parser {
  CLI::App app;
  // Run after the words are sorted; each reads one option's values into its target.
  std::vector<std::function<void()>> readers;
  // Names of two letters, and what they stand for.
  std::vector<std::pair<std::string, std::string>> two_letters;

  // The names that CLI11 is told; the others are replaced before it sees the command line.
  std::string taken(const std::string& names) {
    const std::vector<std::string> all = split_names(names);
    std::vector<std::string> taken;
    for (const std::string& name : all) {
      if (has_two_letters(name))
        two_letters.emplace_back(name, all.back());
      else
        taken.push_back(name);
    }
    return fmt::format("{}", fmt::join(taken, ","));
  }

  std::vector<std::string> replaced(std::span<const std::string> arguments) const {
    std::vector<std::string> words(arguments.begin(), arguments.end());
    for (std::string& word : words) {
      if (word == "--") break;
      const size_t length = std::min(word.find('='), word.size());
      for (const auto& [name, meant] : two_letters)
        if (std::string_view(word).substr(0, length) == name) word.replace(0, length, meant);
    }
    return words;
  }

  CLI::Option* add(const std::string& names, bool repeated) {
    CLI::Option* option = app.add_option(taken(names), [](const CLI::results_t&) { return true; });
    option->expected(1)->allow_extra_args(false);
    option->multi_option_policy(repeated ? CLI::MultiOptionPolicy::TakeAll
                                         : CLI::MultiOptionPolicy::TakeLast);
    return option;
  }
};

Flags::Flags(std::string verb, std::string summary)
    : verb_(std::move(verb)), summary_(std::move(summary)), parser_(std::make_unique<Parser>()) {
  parser_->app.set_help_flag();
  parser_->app.allow_extras();
  parser_->app.allow_windows_style_options(false);
  parser_->app.prefix_command(false);
  toggle({"-h,--help", "", "Show this help."}, &help_wanted_);
}

Flags::~Flags() = default;

void Flags::add_flag(FlagSpec spec) { declared_flags_.push_back(std::move(spec)); }

void Flags::argument(std::string name, std::optional<std::string>* target, bool required,
                     std::string help) {
  CLI::Option* option = parser_->add(name, false);
  parser_->readers.push_back([option, target] {
    if (option->count() > 0) *target = option->results().front();
  });
  declared_arguments_.push_back({std::move(name), required, false, std::move(help)});
}

void Flags::arguments(std::string name, std::vector<std::string>* target, std::string help) {
  CLI::Option* option = parser_->app.add_option(name, [](const CLI::results_t&) { return true; });
  option->expected(1, -1)->allow_extra_args();  // -1: any number
  parser_->readers.push_back([option, target] { *target = option->results(); });
  declared_arguments_.push_back({std::move(name), false, true, std::move(help)});
}

void Flags::toggle(FlagSpec spec, bool* target) {
  CLI::Option* option = parser_->app.add_flag(spec.names);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const std::string where = fmt::format("{}: {}", verb_, main_name(spec));
  parser_->readers.push_back([option, target, where] {
    if (option->count() == 0) return;
    if (option->results().back() != "true")
      fail(ErrorKind::usage, "{}: takes no value, got \"{}\"", where,
           printable(option->results().back()));
    *target = true;
  });
  add_flag(std::move(spec));
}

void Flags::text(FlagSpec spec, std::optional<std::string>* target) {
  CLI::Option* option = parser_->add(spec.names, false);
  parser_->readers.push_back([option, target] {
    if (option->count() > 0) *target = option->results().back();
  });
  add_flag(std::move(spec));
}

void Flags::texts(FlagSpec spec, std::vector<std::string>* target) {
  CLI::Option* option = parser_->add(spec.names, true);
  parser_->readers.push_back([option, target] {
    if (option->count() > 0) *target = option->results();
  });
  add_flag(std::move(spec));
}

void Flags::integer(FlagSpec spec, std::optional<int64_t>* target, int64_t least, int64_t most) {
  CLI::Option* option = parser_->add(spec.names, false);
  const std::string where = fmt::format("{}: {}", verb_, main_name(spec));
  parser_->readers.push_back([option, target, least, most, where] {
    if (option->count() == 0) return;
    const std::string& word = option->results().back();
    const auto value = parse_integer(word);
    if (!value) fail(ErrorKind::usage, "{}: integer expected, got \"{}\"", where, printable(word));
    if (*value < least || *value > most)
      fail(ErrorKind::usage, "{}: {} to {} expected, got {}", where, least, most, *value);
    *target = value;
  });
  add_flag(std::move(spec));
}

void Flags::number(FlagSpec spec, std::optional<double>* target, double least, double most) {
  CLI::Option* option = parser_->add(spec.names, false);
  const std::string where = fmt::format("{}: {}", verb_, main_name(spec));
  parser_->readers.push_back([option, target, least, most, where] {
    if (option->count() == 0) return;
    const std::string& word = option->results().back();
    const auto value = parse_number(word);
    if (!value) fail(ErrorKind::usage, "{}: number expected, got \"{}\"", where, printable(word));
    if (*value < least || *value > most)
      fail(ErrorKind::usage, "{}: {:g} to {:g} expected, got {:g}", where, least, most, *value);
    *target = value;
  });
  add_flag(std::move(spec));
}

void Flags::choice(FlagSpec spec, std::optional<std::string>* target,
                   std::vector<std::string_view> choices) {
  CLI::Option* option = parser_->add(spec.names, false);
  const std::string where = fmt::format("{}: {}", verb_, main_name(spec));
  parser_->readers.push_back([option, target, choices = std::move(choices), where] {
    if (option->count() == 0) return;
    const std::string& word = option->results().back();
    if (std::find(choices.begin(), choices.end(), word) == choices.end())
      fail(ErrorKind::usage, "{}: one of {} expected, got \"{}\"", where, fmt::join(choices, ", "),
           printable(word));
    *target = word;
  });
  add_flag(std::move(spec));
}

void Flags::note(std::string paragraph) { notes_.push_back(std::move(paragraph)); }

bool Flags::parse(std::span<const std::string> arguments) {
  std::vector<std::string> reversed = parser_->replaced(arguments);
  std::reverse(reversed.begin(), reversed.end());  // CLI11's convention
  std::string problem;
  try {
    parser_->app.parse(reversed);
  } catch (const CLI::ArgumentMismatch& error) {  // "--temp: 1 required  missing"
    const std::string text = error.what();
    problem = fmt::format("{}: a value expected, got none", text.substr(0, text.find(':')));
  } catch (const CLI::ParseError& error) {
    problem = error.what();
  }
  // An unknown flag explains most other problems (its value lands among the arguments), so it is
  // reported first; what follows "--" is never a flag.
  for (const std::string& word : arguments) {
    if (word == "--") break;
    if (word == "-h" || word == "--help") return false;
  }
  std::vector<std::string> unknown = parser_->app.remaining();
  const auto mark = std::find(unknown.begin(), unknown.end(), "--");
  for (auto word = unknown.begin(); word != mark; ++word)
    if (word->size() > 1 && word->front() == '-') reject_unknown(*word);
  if (mark != unknown.end()) unknown.erase(mark);
  if (!problem.empty()) fail(ErrorKind::usage, "{}: {}", verb_, printable(problem, 300));
  for (const auto& read : parser_->readers) read();
  if (!unknown.empty())
    fail(ErrorKind::usage, "{}: unexpected argument \"{}\" (a text with spaces needs quotes)",
         verb_, printable(unknown.front()));
  for (const Argument& argument : declared_arguments_)
    if (argument.required && parser_->app.count(argument.name) == 0)
      fail(ErrorKind::usage, "{}: {} is missing; see: bittern help {}", verb_, argument.name,
           verb_);
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
