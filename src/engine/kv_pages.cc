#include "engine/kv_pages.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

#include "backend/backend.h"
#include "base/check.h"

namespace bittern::engine {
namespace {

constexpr auto kPage = static_cast<size_t>(backend::kPageTokens);

// Mixes as the finaliser of splitmix64 does (Steele, Lea, Flood 2014); a collision costs a
// comparison, never a wrong page.
uint64_t hash(uint64_t parent, std::span<const int32_t> tokens) {
  uint64_t state = parent * 0x9e3779b97f4a7c15u;
  for (const int32_t token : tokens) {
    state ^= static_cast<uint32_t>(token);
    state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
    state = (state ^ state >> 27) * 0x94d049bb133111ebu;
    state ^= state >> 31;
  }
  return state;
}

}  // namespace

KvPages::KvPages(int64_t page_count)
    : pages_(static_cast<size_t>(page_count)),
      tokens_(static_cast<size_t>(page_count) * kPage),
      free_(static_cast<size_t>(page_count)) {
  std::iota(free_.begin(), free_.end(), 0);  // ascending is a heap by std::greater
}

int32_t KvPages::take() {
  if (free_.empty()) {
    BITTERN_CHECK(!evictable_.empty(), "{} pages, {} kept", page_count(), kept_count_);
    forget(evictable_.begin()->second);
  }
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const int32_t page = free_.back();
  free_.pop_back();
  pages_[static_cast<size_t>(page)].users = 1;
  return page;
}

void KvPages::share(int32_t id) {
  Page& page = pages_[static_cast<size_t>(id)];
  if (page.users == 0) {
    BITTERN_CHECK(page.serial != 0, "page {} is free", id);
    --kept_count_;
    evictable_.erase({page.released_at, id});
  }
  ++page.users;
}

void KvPages::drop(int32_t id) {
  Page& page = pages_[static_cast<size_t>(id)];
  BITTERN_CHECK(page.users > 0, "page {} has no user", id);
  if (--page.users > 0) return;
  if (page.serial == 0) {
    free_.push_back(id);
    std::push_heap(free_.begin(), free_.end(), std::greater<>());
    return;
  }
  ++kept_count_;
  page.released_at = ++releases_;
  if (page.children == 0) evictable_.insert({page.released_at, id});
}

std::span<const int32_t> KvPages::tokens_of(int32_t page) const {
  return std::span(tokens_).subspan(static_cast<size_t>(page) * kPage, kPage);
}

int32_t KvPages::child(Serial parent, std::span<const int32_t> tokens) const {
  const auto [begin, end] = found_.equal_range(hash(parent, tokens));
  for (auto entry = begin; entry != end; ++entry) {
    const int32_t page = entry->second;
    if (pages_[static_cast<size_t>(page)].parent_serial == parent &&
        std::ranges::equal(tokens_of(page), tokens))
      return page;
  }
  return kNone;
}

std::vector<int32_t> KvPages::find(std::string_view salt, std::span<const int32_t> tokens) {
  std::vector<int32_t> pages;
  const auto root = roots_.find(salt);
  if (root == roots_.end()) return pages;
  for (Serial parent = root->second.serial; tokens.size() >= kPage;
       tokens = tokens.subspan(kPage)) {
    const int32_t page = child(parent, tokens.first(kPage));
    if (page == kNone) break;
    share(page);
    pages.push_back(page);
    parent = pages_[static_cast<size_t>(page)].serial;
  }
  return pages;
}

int32_t KvPages::publish(std::string_view salt, std::span<const int32_t> pages,
                         std::span<const int32_t> tokens) {
  BITTERN_CHECK(!pages.empty() && tokens.size() == pages.size() * kPage, "{} pages, {} tokens",
                pages.size(), tokens.size());
  const int32_t id = pages.back();
  Page& page = pages_[static_cast<size_t>(id)];
  if (page.serial != 0) return id;
  BITTERN_CHECK(page.users == 1, "page {} is written by {}", id, page.users);

  const int32_t parent = pages.size() > 1 ? pages[pages.size() - 2] : kNone;
  Serial parent_serial = 0;
  if (parent == kNone) {
    const auto [root, is_new] = roots_.try_emplace(std::string(salt));
    if (is_new) {
      root->second.serial = next_serial_++;
      root_names_.emplace(root->second.serial, root->first);
    }
    parent_serial = root->second.serial;
  } else {
    parent_serial = pages_[static_cast<size_t>(parent)].serial;
    BITTERN_CHECK(parent_serial != 0, "page {} goes before {} and is not published", parent, id);
  }

  const auto own = tokens.last(kPage);
  if (const int32_t same = child(parent_serial, own); same != kNone) {
    share(same);
    drop(id);
    return same;
  }
  page.serial = next_serial_++;
  page.parent = parent;
  page.parent_serial = parent_serial;
  page.key = hash(parent_serial, own);
  std::ranges::copy(own, tokens_.begin() + static_cast<std::ptrdiff_t>(id) * backend::kPageTokens);
  found_.emplace(page.key, id);
  if (parent == kNone)
    ++roots_.find(salt)->second.children;
  else
    ++pages_[static_cast<size_t>(parent)].children;
  return id;
}

void KvPages::visit_published(const Visit& visit) const {
  std::vector<int32_t> order;
  for (int32_t id = 0; id < page_count(); ++id)
    if (pages_[static_cast<size_t>(id)].serial != 0) order.push_back(id);
  // A page in use is newer than any that is kept; a parent was published before its children, and
  // is given back after them.
  const auto rank = [&](int32_t id) {
    const Page& page = pages_[static_cast<size_t>(id)];
    return std::tuple(page.users == 0, page.users == 0 ? ~page.released_at : 0, page.serial);
  };
  std::ranges::sort(order, {}, rank);
  for (const int32_t id : order) {
    std::vector<int32_t> chain, tokens;
    for (int32_t page = id; page != kNone; page = pages_[static_cast<size_t>(page)].parent)
      chain.push_back(page);
    for (auto page = chain.rbegin(); page != chain.rend(); ++page)
      tokens.insert(tokens.end(), tokens_of(*page).begin(), tokens_of(*page).end());
    visit(root_names_.at(pages_[static_cast<size_t>(chain.back())].parent_serial), tokens, id);
  }
}

// A kept leaf becomes free.
void KvPages::forget(int32_t id) {
  Page& page = pages_[static_cast<size_t>(id)];
  BITTERN_CHECK(is_leaf_kept(page), "page {}: {} users, {} children", id, page.users,
                page.children);
  evictable_.erase({page.released_at, id});
  const auto [begin, end] = found_.equal_range(page.key);
  found_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == id; }));
  leave_parent(page);
  page = {};
  --kept_count_;
  free_.push_back(id);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

void KvPages::leave_parent(const Page& page) {
  if (page.parent != kNone) {
    Page& parent = pages_[static_cast<size_t>(page.parent)];
    --parent.children;
    if (is_leaf_kept(parent)) evictable_.insert({parent.released_at, page.parent});
    return;
  }
  const auto name = root_names_.find(page.parent_serial);
  const auto root = roots_.find(name->second);
  if (--root->second.children > 0) return;
  roots_.erase(root);
  root_names_.erase(name);
}

void KvPages::check() const {
  int64_t kept = 0, published = 0, leaves = 0;
  std::vector<int64_t> children(pages_.size());
  for (size_t id = 0; id < pages_.size(); ++id) {
    const Page& page = pages_[id];
    if (page.serial == 0) {
      BITTERN_CHECK(page.children == 0, "page {}, {} children", id, page.children);
      continue;
    }
    ++published;
    kept += page.users == 0;
    leaves += is_leaf_kept(page);
    if (page.parent == kNone) continue;
    const Page& parent = pages_[static_cast<size_t>(page.parent)];
    ++children[static_cast<size_t>(page.parent)];
    BITTERN_CHECK(parent.serial == page.parent_serial, "page {} continues {}", id, page.parent);
    BITTERN_CHECK(parent.users >= (page.users > 0), "page {} in use, {} before it is not", id,
                  page.parent);
  }
  for (size_t id = 0; id < pages_.size(); ++id)
    BITTERN_CHECK(children[id] == pages_[id].children, "page {}", id);
  const auto in_use =
      std::ranges::count_if(pages_, [](const Page& page) { return page.users > 0; });
  BITTERN_CHECK(kept == kept_count_, "{} kept, {} counted", kept, kept_count_);
  BITTERN_CHECK(in_use == used_count(), "{} in use, {} counted", in_use, used_count());
  BITTERN_CHECK(published == static_cast<int64_t>(found_.size()), "{} published", published);
  BITTERN_CHECK(leaves == static_cast<int64_t>(evictable_.size()), "{} leaves", leaves);
}

}  // namespace bittern::engine
