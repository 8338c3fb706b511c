// Objects of a schema as rules (schema_grammar.h): a graph whose nodes are how many of the named
// members were decided, and what has to be known of those that were written. Named members come in
// their order, then others in any order; members that some constraint asks for (`Exists`) come
// last, so that a key written twice cannot take them back.
//
// A key written twice makes fewer members than it seems: for minProperties other members count only
// once for each of some groups of keys that share no key.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>

#include "chat/grammar/limits.h"
#include "chat/grammar/nfa.h"
#include "chat/grammar/schema_grammar.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

constexpr size_t kNodesMax = 20'000;

// Keys by their first byte; the empty key is in none.
constexpr std::array<std::pair<uint8_t, uint8_t>, 7> kGroups{
    {{0x00, 0x60}, {'a', 'c'}, {'d', 'h'}, {'i', 'm'}, {'n', 'r'}, {'s', 'z'}, {0x7b, 0xff}}};

Automaton begins_within(uint8_t first, uint8_t last) {
  Automaton made;
  made.states = {{{{first, last, 1}}, {}, false}, {{{0, 255, 1}}, {}, true}};
  return made;
}

class ObjectGraph {
 public:
  using ValueOf = std::function<ExpressionId(FormulaId)>;
  ObjectGraph(SchemaSets& sets, Rules& rules, JsonRules& json, ValueOf value,
              const ObjectShape& shape)
      : sets_(sets), rules_(rules), json_(json), value_(std::move(value)), shape_(shape) {}

  ExpressionId build() {
    survey();
    arcs_.push_back({0, node({}), json_.open("{")});
    for (size_t at = 0; at < open_.size(); ++at) {
      spend_work(20);
      const Node from = open_[at];
      const int32_t id = nodes_.at(from);
      if (from.decided < shape_.named.size()) {
        named(from, id);
      } else {
        end(from, id);
        if (from.witnesses == 0) others(from, id);
        witnesses(from, id);
      }
    }
    return rules_.graph(std::move(arcs_));
  }

 private:
  struct Node {
    size_t decided = 0;      // named members, written or left out
    int64_t count = 0;       // members written; past what matters it stays
    int64_t distinct = 0;    // of them, certainly different
    uint32_t groups = 0;     // in which another member has counted as different
    uint32_t witnesses = 0;  // of `exists`
    auto operator<=>(const Node&) const = default;
  };
  struct Other {  // members that are not named
    Language keys;
    FormulaId value;
    uint32_t group;
  };

  // What must be counted, and which other members there can be.
  void survey() {
    int64_t required = 0, possible = 0;
    for (const ObjectShape::Named& named : shape_.named) {
      required += named.required;
      possible += !sets_.is_never(named.value);
    }
    least_ = shape_.min > required ? shape_.min : 0;
    std::vector<ObjectShape::Region> regions;
    for (const ObjectShape::Region& region : shape_.regions) {
      Language keys = region.keys;
      for (const ObjectShape::Named& named : shape_.named)
        if (holds(keys, named.key))
          keys = without(keys, std::make_shared<const Automaton>(minimised(literal(named.key))));
      if (!is_nothing(keys) && !sets_.is_never(region.value))
        regions.push_back({keys, region.value});
    }
    most_ = regions.empty() && shape_.max >= possible ? -1 : shape_.max;
    const bool split = least_ > possible + std::ssize(regions);
    for (const ObjectShape::Region& region : regions) {
      if (split) {
        add_groups(region);
      } else {
        others_.push_back({region.keys, region.value, group_count_++});
      }
    }
    if (group_count_ > 31) refuse(shape_.at, "minProperties with so many patternProperties");
    if (least_ > possible + group_count_)
      refuse(shape_.at, "minProperties {} where at most {} keys are told apart", shape_.min,
             possible + group_count_);
  }

  void add_groups(const ObjectShape::Region& region) {
    Language rest = region.keys;
    for (const auto& [first, last] : kGroups) {
      const auto group = std::make_shared<const Automaton>(begins_within(first, last));
      const Language keys = both(rest, group);
      rest = without(rest, group);
      if (!is_nothing(keys))
        others_.push_back({both(keys, std::make_shared<const Automaton>(any_text())), region.value,
                           group_count_++});
    }
    if (!is_nothing(rest)) others_.push_back({rest, region.value, group_count_++});
  }

  int32_t node(Node at) {
    if (most_ < 0) at.count = std::min<int64_t>(at.count, 1);
    at.distinct = std::min(at.distinct, least_);
    if (at.distinct == least_) at.groups = 0;
    const auto [it, fresh] = nodes_.emplace(at, static_cast<int32_t>(nodes_.size()) + 2);
    if (fresh) open_.push_back(at);
    if (nodes_.size() > kNodesMax)
      bad_input("JSON Schema: {}: an object needs more than {} states, the limit",
                printable(shape_.at, 400), kNodesMax);
    return it->second;
  }

  // One member more; false where there cannot be one.
  bool counted(Node& at) const {
    if (most_ >= 0 && at.count >= most_) return false;
    ++at.count;
    return true;
  }

  ExpressionId member(const Node& before, ExpressionId key, FormulaId value) {
    const ExpressionId pair = rules_.sequence({key, json_.colon(), value_(value)});
    return before.count == 0 ? pair : rules_.sequence({json_.comma(), pair});
  }

  void named(const Node& from, int32_t id) {
    const ObjectShape::Named& named = shape_.named[from.decided];
    Node next = from;
    ++next.decided;
    if (!named.required) arcs_.push_back({id, node(next), rules_.text("")});
    if (sets_.is_never(named.value) || !counted(next)) return;
    ++next.distinct;
    arcs_.push_back({id, node(next), member(from, rules_.text(quoted(named.key)), named.value)});
  }

  void end(const Node& from, int32_t id) {
    const bool all = from.witnesses + 1 == 1u << shape_.exists.size();
    if (all && from.distinct >= least_)
      arcs_.push_back({id, 1, from.count == 0 ? rules_.text("}") : json_.close("}")});
  }

  void others(const Node& from, int32_t id) {
    for (size_t at = 0; at < others_.size(); ++at) {
      Node next = from;
      if (!counted(next)) return;
      const uint32_t group = 1u << others_[at].group;
      if ((from.groups & group) == 0 && least_ > 0) {
        next.groups |= group;
        ++next.distinct;
      }
      arcs_.push_back({id, node(next), member(from, key(at), others_[at].value)});
    }
  }

  // The spelling of the keys of an `Other`, made once.
  ExpressionId key(size_t at) {
    if (keys_.size() <= at) keys_.resize(others_.size());
    if (!keys_[at]) {
      const Language& keys = others_[at].keys;
      keys_[at] = keys == nullptr ? json_.string() : json_.string(*keys);
    }
    return *keys_[at];
  }

  void witnesses(const Node& from, int32_t id) {
    for (size_t at = 0; at < shape_.exists.size(); ++at) {
      const uint32_t bit = 1u << at;
      Node next = from;
      if ((from.witnesses & bit) != 0 || !counted(next)) continue;
      next.witnesses |= bit;
      for (const Other& other : others_) {
        const Language keys = both(other.keys, shape_.exists[at].keys);
        const FormulaId value = sets_.formulas().both(other.value, shape_.exists[at].value);
        if (is_nothing(keys) || sets_.is_never(value)) continue;
        arcs_.push_back(
            {id, node(next),
             member(from, keys == nullptr ? json_.string() : json_.string(*keys), value)});
      }
    }
  }

  SchemaSets& sets_;
  Rules& rules_;
  JsonRules& json_;
  ValueOf value_;
  const ObjectShape& shape_;
  int64_t least_ = 0, most_ = -1;
  uint32_t group_count_ = 0;
  std::vector<Other> others_;
  std::vector<std::optional<ExpressionId>> keys_;
  std::map<Node, int32_t> nodes_;
  std::vector<Node> open_;
  std::vector<Rules::Arc> arcs_;
};

}  // namespace

// A member that is asked for is one of the named ones, or another one: an alternative each.
std::vector<ObjectShape> SchemaGrammar::with_named_witnesses(const ObjectShape& whole) {
  std::vector<ObjectShape> shapes{whole};
  shapes[0].exists.clear();
  for (const ObjectShape::Exists& exists : whole.exists) {
    std::vector<ObjectShape> next;
    for (const ObjectShape& shape : shapes) {
      next.push_back(shape);
      next.back().exists.push_back(exists);
      for (size_t at = 0; at < shape.named.size(); ++at) {
        if (!holds(exists.keys, shape.named[at].key)) continue;
        next.push_back(shape);
        ObjectShape::Named& named = next.back().named[at];
        named.required = true;
        named.value = sets_.formulas().both(named.value, exists.value);
        if (sets_.is_never(named.value)) next.pop_back();
      }
    }
    shapes = std::move(next);
    check_alternatives(whole, shapes.size());
  }
  return shapes;
}

// Two members that are asked for are one, or have keys that certainly differ: of these only keys on
// both sides of `n` are tried, which leaves out some objects.
std::vector<ObjectShape> SchemaGrammar::with_witnesses_apart(ObjectShape shape) {
  for (size_t i = 0; i < shape.exists.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const ObjectShape::Exists x = shape.exists[i], y = shape.exists[j];
      const Language common = both(x.keys, y.keys);
      if (is_nothing(common)) continue;
      const Language low = std::make_shared<const Automaton>(begins_within(0, 'm'));
      std::vector<ObjectShape> ways(3, shape);
      ways[0].exists[j] = {common, sets_.formulas().both(x.value, y.value)};
      ways[0].exists.erase(ways[0].exists.begin() + static_cast<std::ptrdiff_t>(i));
      ways[1].exists[i].keys = ways[2].exists[j].keys = both(common, low);
      ways[1].exists[j].keys = without(y.keys, low);
      ways[2].exists[i].keys = without(x.keys, low);
      std::vector<ObjectShape> made;
      for (ObjectShape& way : ways)
        for (ObjectShape& each : with_witnesses_apart(std::move(way)))
          made.push_back(std::move(each));
      check_alternatives(shape, made.size());
      return made;
    }
  }
  return {std::move(shape)};
}

void SchemaGrammar::check_alternatives(const ObjectShape& shape, size_t count) const {
  if (count > kShapesMax)
    bad_input("JSON Schema: {}: more than {} alternatives, the limit", printable(shape.at, 400),
              kShapesMax);
}

ExpressionId SchemaGrammar::object(const ObjectShape& whole) {
  std::vector<ExpressionId> ways;
  for (ObjectShape& named : with_named_witnesses(whole)) {
    for (const ObjectShape& shape : with_witnesses_apart(std::move(named))) {
      ObjectGraph graph(
          sets_, rules_, json_, [this](FormulaId id) { return value(id); }, shape);
      ways.push_back(graph.build());
    }
  }
  return rules_.choice(std::move(ways));
}

}  // namespace bittern::chat::grammar
