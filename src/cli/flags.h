// The flags of one verb: declared once, then parsed, explained (--help) and listed (help --json)
// from that declaration.
//
// A value is the next word or stands behind "=" or behind a flag of one letter: --temp 1, --temp=1,
// -n 5, -n=5, -n5. It may begin with a dash, but a flag of the verb is a value only behind "=".
// Switches of one letter stand together: -qj. Of a flag given several times the last counts. What
// follows "--" is no flag. Every message has one form: `run: --top-k: integer expected, got "x"`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::cli {

// A flag's names: "-n,--max-tokens", "--json" or "-jf,--json-schema-file".
struct FlagSpec {
  std::string names;
  std::string value_name;  // "N"; empty for a switch
  std::string help;        // one sentence; wrapped to 80 columns
};

class Flags {
 public:
  Flags(std::string verb, std::string summary);
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // Targets must outlive parse(); what the command line does not give is left as it is.
  void argument(std::string name, std::optional<std::string>* target, bool required,
                std::string help);
  void arguments(std::string name, std::vector<std::string>* target, std::string help);
  void toggle(FlagSpec spec, bool* target);
  void text(FlagSpec spec, std::optional<std::string>* target);
  void texts(FlagSpec spec, std::vector<std::string>* target);  // may be given several times
  void integer(FlagSpec spec, std::optional<int64_t>* target, int64_t least, int64_t most);
  void number(FlagSpec spec, std::optional<double>* target, double least, double most);
  void choice(FlagSpec spec, std::optional<std::string>* target,
              std::vector<std::string_view> choices);
  // A paragraph that --help shows after the flags.
  void note(std::string paragraph);

  // False where --help was asked for. Throws Error{usage}: unknown flag (with the nearest known
  // one), missing or malformed value, missing or unexpected argument.
  bool parse(std::span<const std::string> words);

  // What --help prints.
  std::string help() const;

  struct Argument {
    std::string name;
    bool required = false;
    bool repeated = false;
    std::string help;
  };
  const std::vector<Argument>& declared_arguments() const { return declared_arguments_; }
  const std::vector<FlagSpec>& declared_flags() const { return declared_flags_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const std::string& summary() const { return summary_; }

 private:
  using Values = std::vector<std::string>;  // at least one, in the order given
  using Reader = std::function<void(const Values& values)>;
  struct Sorted;

  std::string verb_, summary_;
  std::vector<Argument> declared_arguments_;
  std::vector<Reader> argument_readers_;  // one for each
  std::vector<FlagSpec> declared_flags_;
  std::vector<Reader> flag_readers_;  // one for each
  std::vector<std::string> notes_;
  bool help_wanted_ = false;

  void add_flag(FlagSpec spec, Reader read);
  std::string where(const FlagSpec& spec) const;  // "run: --top-k"
  std::optional<size_t> find(std::string_view name) const;
  bool take_flag(std::span<const std::string> words, Sorted& sorted) const;
  Sorted sort(std::span<const std::string> words) const;
  void read_arguments(std::span<const std::string> words, std::span<const size_t> places) const;
  [[noreturn]] void reject_unknown(const std::string& word) const;
};

// Words broken into lines of at most `width` columns, each after the first indented by `indent`.
std::string wrap(std::string_view text, size_t width, size_t indent);

// Strict readings of a whole word; nothing where it is not one.
std::optional<int64_t> parse_integer(std::string_view word);
std::optional<double> parse_number(std::string_view word);  // "inf" and "-inf" are numbers

}  // namespace bittern::cli
