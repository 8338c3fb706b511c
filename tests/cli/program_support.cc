#include "cli/program_support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <stdexcept>

#include "base/utf8.h"
#include "format/gguf/writer.h"

namespace bittern::test {
namespace {

struct Pipe {
  int read = -1, write = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  return {ends[0], ends[1]};
}

void close_once(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

// Appends what can be read; false at the end of the stream.
bool read_piece(int descriptor, std::string& text) {
  std::array<char, 4096> piece{};
  const ssize_t got = ::read(descriptor, piece.data(), piece.size());
  if (got > 0) text.append(piece.data(), static_cast<size_t>(got));
  return got > 0;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const std::string& output_file) {
  // A program that ended early must not end the test by SIGPIPE.
  ::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> words{BITTERN_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::vector<char*> argument_list = pointers(words);

  const Pipe input = make_pipe(), output = make_pipe(), errors = make_pipe();
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("fork failed");
  if (process_ == 0) {
    ::dup2(input.read, STDIN_FILENO);
    const int file = output_file.empty() ? output.write : ::open(output_file.c_str(), O_WRONLY);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(errors.write, STDERR_FILENO);
    ::execv(BITTERN_BINARY, argument_list.data());
    ::_exit(127);
  }
  ::close(input.read);
  ::close(output.write);
  ::close(errors.write);
  input_ = input.write;
  output_ = output.read;
  errors_ = errors.read;
}

Program::~Program() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  close_once(input_);
  close_once(output_);
  close_once(errors_);
}

void Program::write_input(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(input_, text.data(), text.size());
    if (written <= 0) break;  // the program does not want more
    text.remove_prefix(static_cast<size_t>(written));
  }
  close_once(input_);
}

void Program::read_output(size_t count) {
  while (finished_.out.size() < count && read_piece(output_, finished_.out)) {
  }
}

void Program::close_output() { close_once(output_); }

void Program::wait_until_handling(int signal) const {
  constexpr std::string_view kCaught = "SigCgt:";
  while (true) {
    std::ifstream status("/proc/" + std::to_string(process_) + "/status");
    std::string line;
    while (std::getline(status, line)) {
      if (!line.starts_with(kCaught)) continue;
      const uint64_t caught = std::stoull(line.substr(kCaught.size()), nullptr, 16);
      if ((caught >> (signal - 1) & 1) != 0) return;
    }
    ::sched_yield();
  }
}

void Program::send(int signal) { ::kill(process_, signal); }

Finished Program::finish() {
  close_once(input_);
  while (output_ >= 0 || errors_ >= 0) {
    std::array<pollfd, 2> waiting{pollfd{output_, POLLIN, 0}, pollfd{errors_, POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno == EINTR) continue;
    if (waiting[0].revents != 0 && !read_piece(output_, finished_.out)) close_once(output_);
    if (waiting[1].revents != 0 && !read_piece(errors_, finished_.err)) close_once(errors_);
  }
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  if (WIFEXITED(status)) finished_.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) finished_.signal = WTERMSIG(status);
  return finished_;
}

Finished run_program(const std::vector<std::string>& arguments, std::string_view input) {
  Program program(arguments);
  program.write_input(input);
  return program.finish();
}

std::string example_model() { return BITTERN_SOURCE "/models/bittern-stories.gguf"; }

std::string changed_model(const TemporaryFolder& folder, const std::string& key,
                          format::MetadataValue value) {
  format::Checkpoint checkpoint = format::open_checkpoint(example_model());
  checkpoint.metadata.set(key, std::move(value));
  const std::filesystem::path path = folder.path() / "changed.gguf";
  format::gguf::write(path, checkpoint.metadata, checkpoint.tensors);
  return path.string();
}

std::string long_model(const TemporaryFolder& folder) {
  constexpr uint32_t kPositions = 1u << 17;
  return changed_model(folder, "bitnet-b1.58.context_length", format::value_of(kPositions));
}

JsonBuilder json_of(const Finished& finished) {
  EXPECT_EQ(finished.status, 0) << finished.err;
  JsonBuilder value = JsonBuilder::parse(finished.out, nullptr, false);
  EXPECT_FALSE(value.is_discarded()) << finished.out;
  return value;
}

size_t widest_line(std::string_view text) {
  size_t widest = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    size_t characters = 0;
    for (; !line.empty(); ++characters) line.remove_prefix(utf8::decode(line).length);
    widest = std::max(widest, characters);
  }
  return widest;
}

}  // namespace bittern::test
