// Ids by the text of a token while a vocabulary is read: open addressing over views of the source,
// with no allocation per token, of which a file has up to a million.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace bittern::format {

class TokenIds {
 public:
  // For as many tokens as are really there.
  void reserve(size_t count);

  // Adds a token and says true; false, and nothing changes, where its text is known.
  bool add(std::string_view text, int32_t id);
  // Adds a token or gives a known one another id.
  void set(std::string_view text, int32_t id);
  int32_t find(std::string_view text) const;  // -1: none

 private:
  struct Entry {
    uint32_t hash = 0;
    uint32_t place = 0;  // in tokens_, from 1; 0: empty
  };
  struct Token {
    std::string_view text;
    int32_t id;
  };
  void resize(size_t entry_count);
  // The entry of a text, or the empty one where it would go.
  size_t slot_of(std::string_view text, uint32_t hash) const;

  std::vector<Token> tokens_;
  std::vector<Entry> entries_;  // size a power of two or 0, at most half full
};

}  // namespace bittern::format
