// Set operations on arrays and objects (schema_sets.h). A shape is a conjunction, so two shapes
// meet in one; the complement of a shape is the union of the ways to break one of its constraints.
#include <algorithm>
#include <utility>

#include "chat/grammar/decimal.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/schema_sets.h"
#include "chat/grammar/work.h"

namespace bittern::chat::grammar {
namespace {

int64_t smaller_max(int64_t a, int64_t b) { return a < 0 ? b : b < 0 ? a : std::min(a, b); }

// Regions with one value become one.
void join_regions(ObjectShape& shape) {
  std::vector<ObjectShape::Region> joined;
  for (ObjectShape::Region& region : shape.regions) {
    const auto same = std::ranges::find(joined, region.value, &ObjectShape::Region::value);
    if (same == joined.end()) {
      joined.push_back(std::move(region));
    } else {
      same->keys = either(same->keys, region.keys);
    }
  }
  if (joined.size() == 1) joined[0].keys = nullptr;
  shape.regions = std::move(joined);
}

// Every array of `a` is one of `b`, as far as that shows at once.
bool implies(const ArrayShape& a, const ArrayShape& b) { return a == b; }

bool value_implies(FormulaId a, FormulaId b) { return b == kAny || a == b || a == kNever; }

bool implies(const ObjectShape& a, const ObjectShape& b) {
  if (a.nothing_evaluated != b.nothing_evaluated || a.evaluated != b.evaluated) return false;
  if (b.min > a.min || (b.max >= 0 && (a.max < 0 || a.max > b.max))) return false;
  if (!b.exists.empty() && b.exists != a.exists) return false;
  const bool open = std::ranges::all_of(
      b.regions, [](const ObjectShape::Region& region) { return region.value == kAny; });
  if (!open && a.regions != b.regions) return false;
  for (const ObjectShape::Named& named : b.named) {
    const ObjectShape::Named* other = a.find(named.key);
    if (named.required && (other == nullptr || !other->required)) return false;
    if (!value_implies(a.value_of(named.key), named.value)) return false;
  }
  return std::ranges::all_of(a.named, [&](const ObjectShape::Named& named) {
    return value_implies(named.value, b.value_of(named.key));
  });
}

}  // namespace

template <typename Shape>
void SchemaSets::add(std::vector<Shape>& shapes, Shape shape) {
  spend_work(20 + static_cast<int64_t>(shapes.size()));
  if (is_empty(shape)) return;
  // What another shape holds already says nothing new: without this, complements of complements
  // would grow for ever.
  for (const Shape& other : shapes)
    if (implies(shape, other)) return;
  std::erase_if(shapes, [&](const Shape& other) { return implies(other, shape); });
  if (shapes.size() >= kShapesMax)
    bad_input("JSON Schema: {}: more than {} alternatives, the limit", printable(at_, 400),
              kShapesMax);
  shapes.push_back(std::move(shape));
}

template <typename Shape>
std::vector<Shape> SchemaSets::both(const std::vector<Shape>& a, const std::vector<Shape>& b) {
  std::vector<Shape> made;
  for (const Shape& x : a)
    for (const Shape& y : b) add(made, both(x, y));
  return made;
}

// Also tightens what follows from items that cannot be there.
bool SchemaSets::is_empty(ArrayShape& shape) {
  for (size_t at = 0; at < shape.prefix.size(); ++at) {
    const auto index = static_cast<int64_t>(at);
    if (shape.max >= 0 && shape.max <= index) break;
    if (is_never(shape.prefix[at])) shape.max = smaller_max(shape.max, index);
  }
  if (is_never(shape.rest)) shape.max = smaller_max(shape.max, std::ssize(shape.prefix));
  if (shape.max >= 0 && std::ssize(shape.prefix) > shape.max)
    shape.prefix.resize(static_cast<size_t>(shape.max));
  if (shape.max >= 0 && shape.min > shape.max) return true;
  for (ArrayShape::Count& count : shape.counts) {
    if (count.max >= 0 && count.min > count.max) return true;
    if (count.min == 0) continue;
    shape.min = std::max(shape.min, count.from + count.min);
    if (shape.max >= 0 && shape.min > shape.max) return true;
    // Some item must be such a one.
    bool possible = shape.max < 0 || shape.max > std::max(count.from, std::ssize(shape.prefix));
    possible = possible && !is_never(formulas_.both(shape.rest, count.item));
    for (int64_t at = count.from; at < std::ssize(shape.prefix) && !possible; ++at)
      possible = !is_never(formulas_.both(shape.item(at), count.item));
    if (!possible) return true;
  }
  std::erase_if(shape.counts, [](const auto& count) { return count.min == 0 && count.max < 0; });
  return false;
}

bool SchemaSets::is_empty(const ObjectShape& shape) {
  int64_t required = 0, possible = 0;
  for (const ObjectShape::Named& named : shape.named) {
    const bool never = is_never(named.value);
    if (never && named.required) return true;
    required += named.required;
    possible += !never;
  }
  if (shape.max >= 0 && (shape.min > shape.max || required > shape.max)) return true;
  const bool others = std::ranges::any_of(
      shape.regions, [&](const ObjectShape::Region& region) { return !is_never(region.value); });
  if (!others && shape.min > possible) return true;
  for (const ObjectShape::Exists& exists : shape.exists) {
    bool found = false;
    for (const ObjectShape::Named& named : shape.named)
      found = found || (holds(exists.keys, named.key) &&
                        !is_never(formulas_.both(named.value, exists.value)));
    for (const ObjectShape::Region& region : shape.regions)
      found = found || !is_never(formulas_.both(region.value, exists.value));
    if (!found) return true;
  }
  return false;
}

ArrayShape SchemaSets::both(const ArrayShape& a, const ArrayShape& b) {
  ArrayShape made;
  const int64_t length = std::max(std::ssize(a.prefix), std::ssize(b.prefix));
  for (int64_t at = 0; at < length; ++at)
    made.prefix.push_back(formulas_.both(a.item(at), b.item(at)));
  made.rest = formulas_.both(a.rest, b.rest);
  made.min = std::max(a.min, b.min);
  made.max = smaller_max(a.max, b.max);
  made.counts = a.counts;
  made.counts.insert(made.counts.end(), b.counts.begin(), b.counts.end());
  made.unique = a.unique.empty() ? b.unique : a.unique;
  made.evaluated = std::max(a.evaluated, b.evaluated);
  made.evaluated_by = a.evaluated_by;
  made.evaluated_by.insert(made.evaluated_by.end(), b.evaluated_by.begin(), b.evaluated_by.end());
  return made;
}

ObjectShape SchemaSets::both(const ObjectShape& a, const ObjectShape& b) {
  if (a.is_any() && a.nothing_evaluated) return b;
  if (b.is_any() && b.nothing_evaluated) return a;
  ObjectShape made;
  for (const ObjectShape::Named& named : a.named) {
    const ObjectShape::Named* other = b.find(named.key);
    made.named.push_back({named.key, formulas_.both(named.value, b.value_of(named.key)),
                          named.required || (other != nullptr && other->required)});
  }
  for (const ObjectShape::Named& named : b.named)
    if (a.find(named.key) == nullptr)
      made.named.push_back(
          {named.key, formulas_.both(named.value, a.value_of(named.key)), named.required});
  const auto absent =
      std::stable_partition(made.named.begin(), made.named.end(),
                            [](const ObjectShape::Named& named) { return named.value != kNever; });
  std::sort(absent, made.named.end(), [](const auto& x, const auto& y) { return x.key < y.key; });
  made.regions.clear();
  for (const ObjectShape::Region& x : a.regions) {
    for (const ObjectShape::Region& y : b.regions) {
      Language keys = grammar::both(x.keys, y.keys);
      if (!is_nothing(keys)) made.regions.push_back({keys, formulas_.both(x.value, y.value)});
    }
  }
  join_regions(made);
  made.exists = a.exists;
  made.exists.insert(made.exists.end(), b.exists.begin(), b.exists.end());
  made.min = std::max(a.min, b.min);
  made.max = smaller_max(a.max, b.max);
  made.at = a.at.empty() ? b.at : a.at;
  made.nothing_evaluated = a.nothing_evaluated && b.nothing_evaluated;
  if (a.nothing_evaluated) {
    made.evaluated = b.evaluated;
  } else {
    made.evaluated = b.nothing_evaluated ? a.evaluated : grammar::either(a.evaluated, b.evaluated);
  }
  return made;
}

std::vector<ArrayShape> SchemaSets::complement(const ArrayShape& shape) {
  if (!shape.unique.empty())
    refuse(shape.unique,
           "uniqueItems where arrays that break it are asked for (in not, if, oneOf)");
  std::vector<ArrayShape> made;
  if (shape.min > 0) add(made, ArrayShape{.max = shape.min - 1});
  if (shape.max >= 0) add(made, ArrayShape{.min = shape.max + 1});
  for (size_t at = 0; at < shape.prefix.size(); ++at) {
    if (shape.prefix[at] == kAny) continue;
    ArrayShape breaks{.min = static_cast<int64_t>(at) + 1};
    breaks.prefix.assign(at, kAny);
    breaks.prefix.push_back(formulas_.negation(shape.prefix[at]));
    add(made, std::move(breaks));
  }
  if (shape.rest != kAny) {
    ArrayShape breaks;
    breaks.counts.push_back({formulas_.negation(shape.rest), std::ssize(shape.prefix), 1, -1});
    add(made, std::move(breaks));
  }
  for (const ArrayShape::Count& count : shape.counts) {
    ArrayShape fewer, more;
    fewer.counts.push_back({count.item, count.from, 0, count.min - 1});
    more.counts.push_back({count.item, count.from, count.max + 1, -1});
    if (count.min > 0) add(made, std::move(fewer));
    if (count.max >= 0) add(made, std::move(more));
  }
  return made;
}

std::vector<ObjectShape> SchemaSets::complement(const ObjectShape& shape) {
  std::vector<ObjectShape> made;
  if (shape.min > 0) add(made, ObjectShape{.max = shape.min - 1});
  if (shape.max >= 0) add(made, ObjectShape{.min = shape.max + 1});
  for (const ObjectShape::Named& named : shape.named) {
    // Absent, or with a wrong value; of a member that may be absent only the latter.
    if (named.required || named.value != kAny)
      add(made,
          ObjectShape{.named = {{named.key, formulas_.negation(named.value), !named.required}}});
  }
  for (const ObjectShape::Region& region : shape.regions) {
    if (region.value == kAny) continue;
    Language keys = region.keys;
    for (const ObjectShape::Named& named : shape.named)
      if (holds(keys, named.key))
        keys = without(keys, std::make_shared<const Automaton>(literal(named.key)));
    if (!is_nothing(keys))
      add(made, ObjectShape{.exists = {{keys, formulas_.negation(region.value)}}});
  }
  for (const ObjectShape::Exists& exists : shape.exists) {
    ObjectShape none;
    none.regions = {{exists.keys, formulas_.negation(exists.value)}};
    if (exists.keys != nullptr) none.regions.push_back({without(nullptr, exists.keys), kAny});
    add(made, std::move(none));
  }
  return made;
}

ValueSet SchemaSets::both(const ValueSet& a, const ValueSet& b) {
  ValueSet made;
  made.null = a.null && b.null;
  made.yes = a.yes && b.yes;
  made.no = a.no && b.no;
  made.any_number = a.any_number && b.any_number;
  if (!made.any_number)
    made.numbers = a.any_number   ? b.numbers
                   : b.any_number ? a.numbers
                                  : intersection(a.numbers, b.numbers);
  made.texts = grammar::both(a.texts, b.texts);
  made.arrays = both(a.arrays, b.arrays);
  made.objects = both(a.objects, b.objects);
  return made;
}

ValueSet SchemaSets::either(ValueSet a, const ValueSet& b) {
  a.null = a.null || b.null;
  a.yes = a.yes || b.yes;
  a.no = a.no || b.no;
  if (!a.any_number) {
    if (b.any_number) {
      a.any_number = true;
      a.numbers = {};
    } else if (!b.numbers.matches_nothing()) {
      set_numbers(a, a.numbers.matches_nothing() ? b.numbers : union_of(a.numbers, b.numbers));
    }
  }
  a.texts = grammar::either(a.texts, b.texts);
  for (const ArrayShape& shape : b.arrays) add(a.arrays, shape);
  for (const ObjectShape& shape : b.objects) add(a.objects, shape);
  // One shape that holds all stands for all, where no annotations hang on the others.
  const auto collapse = [](auto& shapes, const auto& annotated) {
    const auto plain = [&](const auto& shape) { return shape.is_any(); };
    const auto found = std::ranges::find_if(shapes, plain);
    if (found != shapes.end() && std::ranges::none_of(shapes, annotated)) shapes = {*found};
  };
  collapse(a.arrays, [](const ArrayShape& shape) {
    return shape.evaluated > 0 || !shape.evaluated_by.empty();
  });
  collapse(a.objects, [](const ObjectShape& shape) { return !shape.nothing_evaluated; });
  return a;
}

ValueSet SchemaSets::complement(const ValueSet& set) {
  ValueSet made;
  made.null = !set.null;
  made.yes = !set.yes;
  made.no = !set.no;
  if (!set.any_number) set_numbers(made, difference(all_numbers(), set.numbers));
  made.texts = grammar::complement(set.texts);
  made.arrays = {ArrayShape{}};
  for (const ArrayShape& shape : set.arrays) made.arrays = both(made.arrays, complement(shape));
  made.objects = {ObjectShape{}};
  for (const ObjectShape& shape : set.objects) made.objects = both(made.objects, complement(shape));
  return made;
}

template void SchemaSets::add(std::vector<ArrayShape>&, ArrayShape);
template void SchemaSets::add(std::vector<ObjectShape>&, ObjectShape);
template std::vector<ArrayShape> SchemaSets::both(const std::vector<ArrayShape>&,
                                                  const std::vector<ArrayShape>&);
template std::vector<ObjectShape> SchemaSets::both(const std::vector<ObjectShape>&,
                                                   const std::vector<ObjectShape>&);

}  // namespace bittern::chat::grammar
