// Runs the real program as a user does: arguments in, exit status, standard output and standard
// error out. Standard output is a pipe, never a terminal.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/json_write.h"
#include "format/checkpoint.h"
#include "temporary_folder.h"

namespace bittern::test {

struct Finished {
  int status = -1;  // of a normal end; -1 where a signal ended it
  int signal = 0;
  std::string out, err;
};

// A program that is still running.
class Program {
 public:
  // `output_file`: where standard output goes instead of a pipe.
  explicit Program(const std::vector<std::string>& arguments, const std::string& output_file = "");
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void write_input(std::string_view text);  // then closes standard input
  // Reads standard output until it holds `count` bytes, or ends.
  void read_output(size_t count);
  void close_output();  // the reader goes away
  // Returns once the program has its own handler for a signal (Linux: /proc/PID/status, SigCgt).
  void wait_until_handling(int signal) const;
  void send(int signal);
  Finished finish();

 private:
  pid_t process_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  Finished finished_;
};

Finished run_program(const std::vector<std::string>& arguments, std::string_view input = "");

// The example model, which the tests run.
std::string example_model();
// A copy of it with one metadata value replaced or added; the path of the file.
std::string changed_model(const TemporaryFolder& folder, const std::string& key,
                          format::MetadataValue value);
// One whose context is so long that its text is more than a pipe holds: such a run cannot end
// before its reader allows it.
std::string long_model(const TemporaryFolder& folder);

// Standard output as JSON; the test fails where it is none.
JsonBuilder json_of(const Finished& finished);

// The longest line of a text, in characters.
size_t widest_line(std::string_view text);

}  // namespace bittern::test
