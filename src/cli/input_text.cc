#include "cli/input_text.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file_map.h"
#include "base/interrupt.h"

namespace bittern::cli {
namespace {

// More than any prompt or text to measure; a wrong file is named before it fills the memory.
constexpr int64_t kTextBytesMax = int64_t{1} << 30;

}  // namespace

std::string read_standard_input() {
  std::string text;
  std::array<char, 65536> piece{};
  while (true) {
    interrupt::check();
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got == 0) return text;
    if (got < 0) {
      if (errno == EINTR) continue;
      bad_input("standard input: {}", std::strerror(errno));
    }
    text.append(piece.data(), static_cast<size_t>(got));
    if (static_cast<int64_t>(text.size()) > kTextBytesMax)
      bad_input("standard input: at most {} bytes expected", kTextBytesMax);
  }
}

std::string read_text(std::string_view verb, std::string_view what,
                      const std::optional<std::string>& argument,
                      const std::optional<std::string>& file, bool drop_newline) {
  if (argument && file)
    fail(ErrorKind::usage, "{}: the {} is given twice, as an argument and by -f", verb, what);
  if (argument && *argument != "-") return *argument;
  std::string text;
  if (file && *file != "-") {
    text = read_text_file(*file, kTextBytesMax);
  } else {
    const bool asked_for = argument || file;
    if (!asked_for && ::isatty(STDIN_FILENO) == 1)
      fail(ErrorKind::usage, "{}: no {}: give it as an argument, by -f FILE or on standard input",
           verb, what);
    text = read_standard_input();
  }
  if (drop_newline && text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace bittern::cli
