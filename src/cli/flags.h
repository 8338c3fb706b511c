// The flags of one verb: declared once, then parsed, explained (--help) and listed (help --json)
// from that declaration. CLI11 splits the command line behind this header; numbers are read here,
// strictly, so that every message has one form: `run: --top-k: integer expected, got "x"`.
#pragma once

#include <cstdint>
#include <memory>
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
  ~Flags();
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
  bool parse(std::span<const std::string> arguments);

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
  struct Parser;
  std::string verb_, summary_;
  std::vector<Argument> declared_arguments_;
  std::vector<FlagSpec> declared_flags_;
  std::vector<std::string> notes_;
  bool help_wanted_ = false;
  std::unique_ptr<Parser> parser_;

  void add_flag(FlagSpec spec);
  [[noreturn]] void reject_unknown(const std::string& word) const;
};

// Words broken into lines of at most `width` columns, each after the first indented by `indent`.
std::string wrap(std::string_view text, size_t width, size_t indent);

// Strict readings of a whole word; nothing where it is not one.
std::optional<int64_t> parse_integer(std::string_view word);
std::optional<double> parse_number(std::string_view word);  // "inf" and "-inf" are numbers

}  // namespace bittern::cli
