// The requests of a batch file, one JSON object a line:
//   {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {...}}
// The file is mapped and read once from end to end, so that it may be larger than memory, a mistake
// of the file itself is found before anything runs, and its SHA-256 is known. What is kept of a
// line is where it begins and a hash of its custom_id.
// Source: OpenAI API 2.3.0 (BatchRequestInput).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"

namespace bittern::serve {

class BatchInput {
 public:
  // Throws Error{bad_input} with the number of the line: no JSON object, no custom_id or one that
  // another line has, longer than kBodyBytesMax. Empty lines do not count. `progress` hears of
  // bytes that were read; what it throws passes through.
  static BatchInput open(const std::filesystem::path& path,
                         const std::function<void(int64_t bytes)>& progress = {});

  // Requests.
  int64_t size() const { return std::ssize(lines_); }
  // The text of a request; throws Error{bad_input} where the file was changed meanwhile.
  std::string_view line(int64_t index) const;
  // Counted from 1, empty lines included.
  int64_t line_number(int64_t index) const { return lines_[static_cast<size_t>(index)].number; }
  std::optional<int64_t> find(std::string_view custom_id) const;

  const std::string& sha256() const { return sha256_; }
  const std::string& name() const { return file_.name(); }
  int64_t bytes() const { return std::ssize(file_.bytes()); }

 private:
  // Two custom_ids with one hash would be told to be the same; of 128 bits, that does not happen.
  using Hash = std::array<uint64_t, 2>;
  struct Line {
    int64_t begin = 0, number = 0;
  };
  struct Id {
    Hash hash{};
    int64_t index = 0;
  };
  static Hash hash_of(std::string_view custom_id);
  void add_line(std::string_view text, int64_t begin, int64_t number);
  void index_ids();

  std::filesystem::path path_;
  FileMap file_;
  std::string sha256_;
  std::vector<Line> lines_;
  std::vector<Id> ids_;  // by hash
};

}  // namespace bittern::serve
