// The bytes of every token, and the way back from bytes to the token that spells them. One pool
// of bytes and an open-addressing index of ids, so a vocabulary of 150,000 tokens costs a few MB
// and a lookup touches two cache lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocab_spec.h"

namespace bittern::text {

class TokenTable {
 public:
  explicit TokenTable(const VocabSpec& spec);

  // What the token decodes to: the bytes it spells in the byte-level alphabet, or its own UTF-8
  // where it has characters outside of that (as the ByteLevel decoder does). Empty for ids
  // outside of the vocabulary and for tokens marked unused.
  std::string_view bytes(int32_t id) const;

  // The ordinary token that spells these bytes, the lowest id where there are several; -1 where
  // there is none. Control, unknown and unused tokens are never found: text cannot spell them.
  int32_t find(std::string_view bytes) const;

 private:
  struct Entry {
    uint32_t hash = 0;
    int32_t id = -1;
  };
  void insert(int32_t id);

  std::string pool_;
  size_t longest_ = 0;           // bytes of a token
  std::vector<size_t> offsets_;  // one more than there are tokens
  std::vector<Entry> index_;     // size a power of two, at most half full
};

}  // namespace bittern::text
