// Standard output: the result and nothing else. Written through at once, so that text appears as
// it is made and a full disk is an error rather than a silent loss.
#pragma once

#include <string_view>

namespace bittern::cli {

// Throws Error{resources} where the bytes cannot be written. A reader that went away (| head)
// ends the process by SIGPIPE, quietly, as it does for cat and grep.
void write_output(std::string_view text);

// SIGPIPE gets its default effect even where the parent ignored it. Called once, at the start.
void end_quietly_on_broken_pipe();

}  // namespace bittern::cli
