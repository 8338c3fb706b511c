#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"

namespace bittern::cli {

void write_output(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {  // Ctrl-C may come in the middle; the rest is still wanted
      fail(ErrorKind::resources, "standard output: {}", std::strerror(errno));
    }
  }
}

void end_quietly_on_broken_pipe() { std::signal(SIGPIPE, SIG_DFL); }

}  // namespace bittern::cli
