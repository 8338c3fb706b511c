// A trie over the bytes of many strings, for the longest or every entry that a text begins with.
//
// Nodes lie breadth first, so the children of a node are neighbours in byte order: a step down is
// a search among the bytes of one short range. 12 bytes a node, about one node per byte of the
// vocabulary that is not shared; built in one pass over the sorted entries.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace bittern::text {

class PrefixTrie {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};
  static constexpr uint32_t kRoot = 0;

  // Of an entry listed twice the first value counts; empty strings are left out.
  PrefixTrie() : PrefixTrie(std::vector<std::pair<std::string_view, int32_t>>{}) {}
  explicit PrefixTrie(std::vector<std::pair<std::string_view, int32_t>> entries);

  // The node below one by a byte, or kNone.
  uint32_t child(uint32_t node, unsigned char byte) const;
  // The value of the entry that ends at a node, or -1.
  int32_t value(uint32_t node) const { return nodes_[node].value; }
  bool empty() const { return nodes_.size() == 1; }

  // The longest entry that a text begins with: its value and length; -1 and 0 where none.
  struct Match {
    int32_t value = -1;
    size_t length = 0;
  };
  Match longest(std::string_view text) const { return longest_from(kRoot, text); }
  // The same below a node, so that what leads to it stands before the text.
  Match longest_from(uint32_t node, std::string_view text) const;

 private:
  struct Node {
    uint32_t first_child = 0;
    uint16_t child_count = 0;
    unsigned char byte = 0;
    int32_t value = -1;
  };
  std::vector<Node> nodes_;
};

}  // namespace bittern::text
