// Lines for the person at the terminal, on stderr; results go to stdout and never through here.
// One Log is made by the program's entry and passed down.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <utility>

namespace bittern {

class Log {
 public:
  enum class Level { quiet, normal, verbose };

  explicit Log(Level level = Level::normal, std::FILE* out = stderr) : level_(level), out_(out) {}

  Level level() const { return level_; }

  // What a user wants to know: shown unless quiet.
  template <typename... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) const {
    if (level_ != Level::quiet) write("", fmt::format(text, std::forward<Args>(args)...));
  }
  // Something fell back or looks wrong: shown unless quiet.
  template <typename... Args>
  void warning(fmt::format_string<Args...> text, Args&&... args) const {
    if (level_ != Level::quiet)
      write("bittern: warning: ", fmt::format(text, std::forward<Args>(args)...));
  }
  // Choices and measurements: shown when verbose.
  template <typename... Args>
  void detail(fmt::format_string<Args...> text, Args&&... args) const {
    if (level_ == Level::verbose) write("", fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  // One call to the stream, so that lines of several threads do not mix.
  void write(std::string_view prefix, std::string_view line) const;

  Level level_;
  std::FILE* out_;
};

}  // namespace bittern
