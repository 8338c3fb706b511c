// The texts of one request on standard output, one after the other although they grow at once: one
// is shown as it grows, what comes of later ones waits for its turn.
//
//   --- choice 1 ---
//   Once upon a time ...
//   --- choice 2 ---
//
// A single text has no such lines. Each text ends with a newline.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::cli {

class ChoiceStream {
 public:
  // `echo` comes before each text.
  ChoiceStream(int64_t choices, std::string echo, std::function<void(std::string_view)> write);

  void add(int64_t choice, std::string_view text);
  // Nothing more comes of it.
  void end(int64_t choice);

 private:
  struct Choice {
    std::string waiting;  // not shown yet
    bool has_ended = false;
    bool ends_line = false;  // what was shown of its text ends with a newline
  };
  void begin();
  void show(Choice& choice, std::string_view text);

  std::vector<Choice> choices_;
  std::string echo_;
  std::function<void(std::string_view)> write_;
  size_t shown_ = 0;  // the choice whose turn it is
};

}  // namespace bittern::cli
