// What a batch has done so far, in one file beside its output: OUT.jsonl.partial.
//
//   {"bittern_batch":1,"input":{...},"settings":{...}}   what the answers are made of
//   {"id":"batch_req_...","custom_id":...}               then a line for each answer or refusal,
//   ...                                                  as it came
//
// A line is appended whole, so that a process killed at any byte leaves at most one torn line at
// the end, which the next one cuts off. Everything before is kept, and nothing of it is computed
// again. The output appears only when every request has its line: sorted as the input is, written
// beside and renamed, over an older one if there is one; then the journal goes. It is locked while
// a process writes to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/batch/batch_input.h"

namespace bittern::serve {

// Name and value of whatever an answer depends on besides the input.
using BatchSettings = std::vector<std::pair<std::string, std::string>>;

class Journal {
 public:
  // The settings of a journal that is there; nothing where there is none, or not even its first
  // line is whole. Throws Error{bad_input} for a file that is no journal.
  static std::optional<BatchSettings> settings_of(const std::filesystem::path& path);

  // Whether one that is there can go on with these; true where there is none.
  static bool belongs_to(const std::filesystem::path& path, const BatchInput& input,
                         const BatchSettings& settings);

  // Opens it, or begins one. Throws Error{bad_input} where the one that is there belongs to another
  // input or to other settings (named), Error{resources} where it cannot be written or another
  // process has it. The input must outlive it.
  Journal(std::filesystem::path path, const BatchInput& input, const BatchSettings& settings);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  bool is_done(int64_t index) const { return places_[static_cast<size_t>(index)].begin >= 0; }
  int64_t done_count() const { return done_; }
  int64_t error_count() const { return errors_; }
  // Bytes at the end that were no whole lines of this batch, and were cut off.
  int64_t cut_bytes() const { return cut_bytes_; }

  // The line of a request, without its end.
  void append(int64_t index, std::string_view line, bool is_error);
  // Everything so far is on disk after this.
  void sync();

  // Writes the output, and the errors where there are any, in place of those that are there (errors
  // of an older output go in any case), and removes the journal.
  void finish(const std::filesystem::path& output, const std::filesystem::path& errors);

 private:
  struct Place {
    int64_t begin = -1;
    bool is_error = false;
  };
  void begin(const BatchSettings& settings);
  void take_over(std::string_view text, const BatchSettings& settings);
  bool take_line(std::string_view line, int64_t begin);
  void write(std::string_view text);
  void write_sorted(const std::filesystem::path& path, bool errors) const;

  std::filesystem::path path_;
  const BatchInput& input_;
  int descriptor_ = -1;
  int64_t end_ = 0;
  std::vector<Place> places_;
  int64_t done_ = 0, errors_ = 0, cut_bytes_ = 0;
  double synced_at_ = 0.0;
};

}  // namespace bittern::serve
