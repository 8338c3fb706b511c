// A progress bar for long work, on stderr and only when that is a terminal:
//   packing weights  42% [=======>          ]  1.21 GB/s  0:12 left
// Redrawn at most ten times a second; erased at the end, so that nothing is left behind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bittern {

class Progress {
 public:
  enum class Unit { bytes, items };

  // `total` may be 0: unknown, then only the count and the rate are shown. `item_name`
  // ("tokens") is used for Unit::items. `quiet`: show nothing even on a terminal.
  Progress(std::string label, int64_t total, Unit unit, std::string item_name, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(int64_t count);
  // Counts as done what was done before this run: it shows, but not in the rate.
  void skip(int64_t count);
  int64_t done() const { return facts_.done; }
  // Another fact, shown behind the rate: "412 tokens/s". advance(0) draws it.
  void set_note(std::string note) { facts_.note = std::move(note); }

  // What one line is made of.
  struct Facts {
    std::string label;
    int64_t done = 0;
    int64_t total = 0;
    Unit unit = Unit::items;
    std::string item_name;
    double seconds = 0;   // since the start
    int64_t skipped = 0;  // of `done`
    std::string note = {};
  };
  // The line, at most `columns` characters; the bar gives way first, then the end is cut.
  static std::string render(const Facts& facts, int columns);

 private:
  Facts facts_;
  bool shown_;
  double started_;
  double last_drawn_;
};

// "1.21 GB": decimal units, three digits.
std::string format_bytes(double bytes);
// "0:07", "12:30", "1:02:03".
std::string format_duration(double seconds);

// Whether stderr is a terminal that a person watches.
bool stderr_is_terminal();

}  // namespace bittern
