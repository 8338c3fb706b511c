// Runs the real program as a user does: arguments in, exit status, standard output and standard
// error out. Standard output is a pipe, never a terminal.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/json_write.h"

namespace bittern::test {

struct Finished {
  int status = -1;  // of a normal end; -1 where a signal ended it
  int signal = 0;
  std::string out, err;
};

// A program that is still running.
class Program {
 public:
  // `environment`: "NAME=value" settings added to ours.
  explicit Program(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void write_input(std::string_view text);  // then closes standard input
  // Reads standard output until it holds `count` bytes, or ends.
  void read_output(size_t count);
  void close_output();  // the reader goes away
  void send(int signal);
  Finished finish();

 private:
  pid_t process_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  Finished finished_;
};

Finished run_program(const std::vector<std::string>& arguments, std::string_view input = "",
                     const std::vector<std::string>& environment = {});

// The example model, which the tests run.
std::string example_model();

// Standard output as JSON; the test fails where it is none.
JsonBuilder json_of(const Finished& finished);

// The longest line of a text, in characters.
size_t widest_line(std::string_view text);

}  // namespace bittern::test
