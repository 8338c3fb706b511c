// Pages of keys and values on disk, so that what a process has computed of its prompts is known to
// the next one. A page is a file, named by a SHA-256 over what it was computed by: whoever made it
// (model, arithmetic, type of keys and values: `identity`), the tenant, and every token up to its
// last. The file repeats the tokens of its page, which are compared, and ends with a checksum; what
// is not whole is not used.
//
//   bytes 0  "BTNPAGE1" | u64 bytes of the page | 64 i32 tokens | the page | SHA-256 in hexadecimal
//
// The folder is private to its owner (mode 0700): keys and values tell what was said.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace bittern::engine {

class PrefixFolder {
 public:
  // Makes the folder if need be. Throws Error{resources} where that fails.
  PrefixFolder(std::filesystem::path folder, std::string identity, int64_t most_bytes);

  // The name of the page that holds the last 64 of `tokens`, after the page of `parent`; the empty
  // text stands for a page that is the first of `salt`.
  std::string name(std::string_view salt, std::string_view parent,
                   std::span<const int32_t> page_tokens) const;

  // Fills `page`; false where it is not there, or not whole (then it is removed).
  bool load(const std::string& name, std::span<const int32_t> page_tokens,
            std::span<std::byte> page);
  // Keeps it; what was not used for the longest time makes room. False where it alone is too large.
  // Throws Error{resources} where it cannot be written.
  bool save(const std::string& name, std::span<const int32_t> page_tokens, Bytes page);
  bool has(const std::string& name) const;
  int64_t bytes() const;
  int64_t most_bytes() const { return most_bytes_; }
  // Of the file of a page.
  static int64_t file_bytes(int64_t page_bytes);

 private:
  void make_room(int64_t bytes);
  std::filesystem::path path_of(const std::string& name) const;

  std::filesystem::path folder_;
  std::string identity_;
  int64_t most_bytes_;
  std::set<std::string> whole_;  // names that this process has written, or found whole
};

}  // namespace bittern::engine
