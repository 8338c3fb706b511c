// Who uses which page of a KvStore, and what the pages that nobody uses any more still hold.
//
// Whole pages of computed tokens can be published: a tree of pages below a root for each salt (a
// tenant's key), an edge being the kPageTokens tokens of a page. Another sequence that begins with
// the same tokens under the same salt finds them and shares the pages. A find compares tokens, not
// hashes. Published pages without users are kept until their room is wanted; then the one used
// longest ago goes first, and always before the page it continues.
//
// The same tokens give the same bytes (guarantee G4), so neither sharing a page nor losing one and
// computing it again changes a bit of any result.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bittern::engine {

class KvPages {
 public:
  explicit KvPages(int64_t page_count);

  int64_t page_count() const { return static_cast<int64_t>(pages_.size()); }
  // Pages that take() can give now: those that hold nothing and those that are kept.
  int64_t available() const { return static_cast<int64_t>(free_.size()) + kept_count_; }
  int64_t used_count() const { return page_count() - available(); }
  int64_t kept_count() const { return kept_count_; }

  // A page for one writer; at least one must be available.
  int32_t take();
  // One user more, or less; the last one leaves an unpublished page free, a published one kept.
  void share(int32_t page);
  void drop(int32_t page);

  // The pages that hold the first tokens of `tokens` under `salt`, as far as there are any; each
  // gets a user.
  std::vector<int32_t> find(std::string_view salt, std::span<const int32_t> tokens);

  // Lets others find the last of `pages`, in use, which holds the last kPageTokens of `tokens`; the
  // pages before it are published. Where another page holds the same already, the caller's user
  // moves to that one. Returns the page to go on with.
  int32_t publish(std::string_view salt, std::span<const int32_t> pages,
                  std::span<const int32_t> tokens);

  // Every published page, what was used last first and none before the page it continues: the
  // salt, all tokens up to its last, the page.
  using Visit = std::function<void(const std::string& salt, const std::vector<int32_t>& tokens,
                                   int32_t page)>;
  void visit_published(const Visit& visit) const;

  // Users of a page, 0 where it is free or kept.
  int64_t users(int32_t page) const { return pages_[static_cast<size_t>(page)].users; }
  // Broken invariants fail; for tests, after every step.
  void check() const;

 private:
  static constexpr int32_t kNone = -1;
  using Serial = uint64_t;  // of a published page or a root, never used twice; 0: none

  struct Page {
    int64_t users = 0;
    Serial serial = 0, parent_serial = 0;
    int32_t parent = kNone;  // the page before it; none: a root
    int64_t children = 0;
    uint64_t key = 0;          // in found_
    uint64_t released_at = 0;  // when its last user left
  };
  struct Root {
    Serial serial = 0;
    int64_t children = 0;
  };
  using Roots = std::map<std::string, Root, std::less<>>;

  bool is_leaf_kept(const Page& page) const {
    return page.users == 0 && page.serial != 0 && page.children == 0;
  }
  std::span<const int32_t> tokens_of(int32_t page) const;
  int32_t child(Serial parent, std::span<const int32_t> tokens) const;
  void forget(int32_t page);
  void leave_parent(const Page& page);

  std::vector<Page> pages_;
  std::vector<int32_t> tokens_;                       // [page, kPageTokens] of published pages
  std::vector<int32_t> free_;                         // a heap, the lowest id on top
  std::set<std::pair<uint64_t, int32_t>> evictable_;  // (released_at, page) of kept leaves
  std::unordered_multimap<uint64_t, int32_t> found_;  // by hash of (parent serial, tokens)
  Roots roots_;
  std::map<Serial, std::string> root_names_;
  int64_t kept_count_ = 0;
  Serial next_serial_ = 1;
  uint64_t releases_ = 0;
};

}  // namespace bittern::engine
