// Arrays of a schema as rules (schema_grammar.h): a graph whose nodes are how many items there are,
// how many of them `contains` has counted, or which values uniqueItems has seen.
#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "chat/grammar/decimal.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/schema_grammar.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

// Nodes of one array's graph.
constexpr size_t kNodesMax = 4000;
// Ways in which one item can count for several `contains`.
constexpr size_t kCountsMax = 6;

}  // namespace

ExpressionId SchemaGrammar::array(const ArrayShape& shape) {
  if (shape.min > kRepeatMax)
    bad_input("JSON Schema: minItems {} is more than {}, the limit", shape.min, kRepeatMax);
  if (!shape.unique.empty() && (shape.max < 0 || shape.max > 1)) return unique_array(shape);
  return shape.counts.empty() ? plain_array(shape) : counted_array(shape);
}

// Node 2 is behind the bracket, and node 3 + i behind item i: the prefix, then the rest by counts.
ExpressionId SchemaGrammar::plain_array(const ArrayShape& shape) {
  std::vector<Rules::Arc> arcs{{0, 2, json_.open("[")}};
  int32_t at = 2;
  const auto separated = [&](int64_t index, ExpressionId item) {
    return index == 0 ? item : rules_.sequence({json_.comma(), item});
  };
  int64_t count = 0;
  for (; count < std::ssize(shape.prefix); ++count) {
    if (shape.max >= 0 && count >= shape.max) break;
    if (count >= shape.min) arcs.push_back({at, 1, close(count)});
    arcs.push_back({at, at + 1, separated(count, value(shape.item(count)))});
    ++at;
  }
  const int64_t max = shape.max < 0 ? -1 : std::min(shape.max, kRepeatMax);
  const bool more = (max < 0 || count < max) && shape.rest != kNever;
  if (!more) {
    if (count >= shape.min) arcs.push_back({at, 1, close(count)});
    return rules_.graph(std::move(arcs));
  }
  const ExpressionId item = value(shape.rest);
  if (count >= shape.min) arcs.push_back({at, 1, close(count)});
  arcs.push_back({at, at + 1, separated(count, item)});
  ++count;
  const ExpressionId next = rules_.sequence({json_.comma(), item});
  const int64_t least = std::max<int64_t>(0, shape.min - count);
  arcs.push_back({at + 1, at + 2, rules_.repeat(next, least, max < 0 ? -1 : max - count)});
  arcs.push_back({at + 2, 1, close(count)});
  return rules_.graph(std::move(arcs));
}

ExpressionId SchemaGrammar::close(int64_t count) {
  return count == 0 ? rules_.text("]") : json_.close("]");
}

// What an item at `index` must be, and the counts behind it, for each way in which it can count. A
// count without a maximum need not be kept past its minimum, nor need its other items be told to
// differ.
std::vector<std::pair<FormulaId, std::vector<int64_t>>> SchemaGrammar::counted_items(
    const ArrayShape& shape, int64_t index, const std::vector<int64_t>& counts) {
  Formulas& formulas = sets_.formulas();
  std::vector<std::pair<FormulaId, std::vector<int64_t>>> ways;
  for (size_t subset = 0; subset < size_t{1} << counts.size(); ++subset) {
    FormulaId item = shape.item(index);
    std::vector<int64_t> next = counts;
    bool possible = true;
    for (size_t at = 0; at < counts.size(); ++at) {
      const ArrayShape::Count& count = shape.counts[at];
      const bool counted = (subset >> at & 1) != 0;
      const bool open = index >= count.from && (count.max >= 0 || counts[at] < count.min);
      if (counted) {
        possible = possible && open && (count.max < 0 || counts[at] < count.max);
        item = formulas.both(item, count.item);
        ++next[at];
      } else if (open && count.max >= 0) {
        item = formulas.both(item, formulas.negation(count.item));
      }
    }
    if (possible && !sets_.is_never(item)) ways.emplace_back(item, std::move(next));
  }
  return ways;
}

ExpressionId SchemaGrammar::counted_array(const ArrayShape& shape) {
  if (shape.counts.size() > kCountsMax)
    bad_input("JSON Schema: more than {} contains for one array, the limit", kCountsMax);
  // Past this index every item is like the next; the first one has no comma.
  int64_t settled = std::max({std::ssize(shape.prefix), shape.min, shape.max, int64_t{1}});
  for (const ArrayShape::Count& count : shape.counts) settled = std::max(settled, count.from);
  using Key = std::pair<int64_t, std::vector<int64_t>>;
  std::map<Key, int32_t> nodes;
  std::vector<Key> open;
  const auto node = [&](Key key) {
    key.first = std::min(key.first, settled);
    const auto [it, fresh] = nodes.emplace(key, static_cast<int32_t>(nodes.size()) + 2);
    if (fresh) open.push_back(it->first);
    if (nodes.size() > kNodesMax)
      bad_input("JSON Schema: contains needs more than {} states, the limit", kNodesMax);
    return it->second;
  };
  std::vector<Rules::Arc> arcs{
      {0, node({0, std::vector<int64_t>(shape.counts.size())}), json_.open("[")}};
  for (size_t at = 0; at < open.size(); ++at) {
    const auto [index, counts] = open[at];
    const int32_t from = nodes.at(open[at]);
    bool enough = index >= shape.min;
    for (size_t i = 0; i < counts.size(); ++i) enough = enough && counts[i] >= shape.counts[i].min;
    if (enough) arcs.push_back({from, 1, close(index)});
    if (shape.max >= 0 && index >= shape.max) continue;
    for (auto& [item, next] : counted_items(shape, index, counts)) {
      const ExpressionId one = value(item);
      arcs.push_back({from, node({index + 1, std::move(next)}),
                      index == 0 ? one : rules_.sequence({json_.comma(), one})});
    }
  }
  return rules_.graph(std::move(arcs));
}

// The JSON of every value of a small set, in one spelling for each.
std::vector<std::string> SchemaGrammar::listed_values(FormulaId id, const std::string& pointer) {
  const ValueSet& set = sets_.values(id);
  std::vector<std::string> found;
  if (set.null) found.emplace_back("null");
  if (set.yes) found.emplace_back("true");
  if (set.no) found.emplace_back("false");
  bool finite = !set.any_number && set.arrays.empty() && set.objects.empty();
  const auto numbers = listed(intersection(set.numbers, canonical_numbers()), kUniqueValuesMax);
  finite = finite && numbers;
  if (numbers) found.insert(found.end(), numbers->begin(), numbers->end());
  for (const TextPart& part : set.texts) {
    const Language language = finite ? as_language({part}) : nullptr;
    const auto texts = language == nullptr ? std::nullopt : listed(*language, kUniqueValuesMax);
    finite = finite && texts;
    if (texts)
      for (const std::string& text : *texts) found.push_back(quoted(text));
  }
  if (!finite || found.size() > kUniqueValuesMax)
    refuse(pointer, "uniqueItems where items are not of at most {} known values", kUniqueValuesMax);
  return found;
}

ExpressionId SchemaGrammar::unique_array(const ArrayShape& shape) {
  if (!shape.counts.empty()) refuse(shape.unique, "uniqueItems together with contains");
  // Items up to `length`, and their values; more items than values there cannot be.
  std::vector<std::string> universe;
  std::vector<std::vector<std::string>> domains;
  const int64_t length = std::ssize(shape.prefix);
  for (int64_t index = 0; index <= length; ++index) {
    if (shape.max >= 0 && index >= shape.max) break;
    domains.push_back(listed_values(shape.item(index), shape.unique));
    universe.insert(universe.end(), domains.back().begin(), domains.back().end());
  }
  std::ranges::sort(universe);
  universe.erase(std::unique(universe.begin(), universe.end()), universe.end());
  if (universe.size() > kUniqueValuesMax)
    refuse(shape.unique, "uniqueItems where items are not of at most {} known values",
           kUniqueValuesMax);
  // How many there are is known from which there are.
  std::map<uint32_t, int32_t> nodes;
  std::vector<uint32_t> open;
  const auto node = [&](uint32_t seen) {
    const auto [it, fresh] = nodes.emplace(seen, static_cast<int32_t>(nodes.size()) + 2);
    if (fresh) open.push_back(seen);
    return it->second;
  };
  std::vector<Rules::Arc> arcs{{0, node(0), json_.open("[")}};
  for (size_t at = 0; at < open.size(); ++at) {
    const uint32_t seen = open[at];
    const int64_t count = std::popcount(seen);
    const int32_t from = nodes.at(seen);
    if (count >= shape.min) arcs.push_back({from, 1, close(count)});
    if (shape.max >= 0 && count >= shape.max) continue;
    for (const std::string& text : domains[static_cast<size_t>(std::min(count, length))]) {
      const auto bit = static_cast<uint32_t>(std::ranges::find(universe, text) - universe.begin());
      if ((seen >> bit & 1) != 0) continue;
      const ExpressionId one = rules_.text(text);
      arcs.push_back(
          {from, node(seen | 1u << bit), count == 0 ? one : rules_.sequence({json_.comma(), one})});
    }
  }
  return rules_.graph(std::move(arcs));
}

}  // namespace bittern::chat::grammar
