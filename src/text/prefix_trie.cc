#include "text/prefix_trie.h"

#include <algorithm>
#include <deque>

namespace bittern::text {
namespace {

// The entries [begin, end), which agree in their first `depth` bytes and hang below `node`.
struct Range {
  uint32_t node;
  size_t begin, end, depth;
};

}  // namespace

PrefixTrie::PrefixTrie(std::vector<std::pair<std::string_view, int32_t>> entries) {
  std::ranges::stable_sort(entries, {}, &std::pair<std::string_view, int32_t>::first);
  nodes_.emplace_back();
  std::deque<Range> queue{{kRoot, 0, entries.size(), 0}};
  for (; !queue.empty(); queue.pop_front()) {
    Range range = queue.front();
    while (range.begin < range.end && entries[range.begin].first.size() == range.depth) {
      int32_t& value = nodes_[range.node].value;
      if (value < 0 && range.depth > 0) value = entries[range.begin].second;
      ++range.begin;
    }
    nodes_[range.node].first_child = static_cast<uint32_t>(nodes_.size());
    while (range.begin < range.end) {
      const char byte = entries[range.begin].first[range.depth];
      size_t end = range.begin;
      while (end < range.end && entries[end].first[range.depth] == byte) ++end;
      queue.push_back({static_cast<uint32_t>(nodes_.size()), range.begin, end, range.depth + 1});
      nodes_.push_back({.byte = static_cast<unsigned char>(byte)});
      ++nodes_[range.node].child_count;
      range.begin = end;
    }
  }
}

uint32_t PrefixTrie::child(uint32_t node, unsigned char byte) const {
  const Node& parent = nodes_[node];
  const Node* first = nodes_.data() + parent.first_child;
  const Node* last = first + parent.child_count;
  const Node* found = std::lower_bound(first, last, byte,
                                       [](const Node& n, unsigned char b) { return n.byte < b; });
  return found == last || found->byte != byte ? kNone
                                              : static_cast<uint32_t>(found - nodes_.data());
}

PrefixTrie::Match PrefixTrie::longest_from(uint32_t node, std::string_view text) const {
  Match match;
  for (size_t at = 0; at < text.size(); ++at) {
    node = child(node, static_cast<unsigned char>(text[at]));
    if (node == kNone) break;
    if (nodes_[node].value >= 0) match = {nodes_[node].value, at + 1};
  }
  return match;
}

}  // namespace bittern::text
