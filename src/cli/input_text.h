// Where a verb's text comes from: an argument, a file, or standard input.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bittern::cli {

// All of standard input. Throws Error{usage} where it is a terminal and `what` ("prompt") was to
// come from it without being asked for by "-"; Error{interrupted} on Ctrl-C.
std::string read_standard_input();

// The argument, unless it is absent or "-"; else the file; else standard input. Both argument
// and file: Error{usage}. One final newline of a file or of standard input is dropped where
// `drop_newline`, as editors and echo add it.
std::string read_text(std::string_view verb, std::string_view what,
                      const std::optional<std::string>& argument,
                      const std::optional<std::string>& file, bool drop_newline);

}  // namespace bittern::cli
