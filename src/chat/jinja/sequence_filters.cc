// Filters of lists and other iterables: order, grouping, aggregation.
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/string_operations.h"

namespace bittern::chat::jinja {

AttributePath::AttributePath(Interpreter& run, const Object& attribute) : run_(run) {
  if (attribute.is(Type::none)) return;
  if (!attribute.is(Type::string)) {
    parts_.push_back(attribute);
    return;
  }
  const Str& path = *attribute.string;
  for (const Object& part : split_text(run.heap, path, run.heap.literal("."), -1, false)) {
    const std::string_view text = part.string->bytes;
    int64_t index = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), index);
    const bool digits = !text.empty() && text[0] != '-' &&
                        result.ptr == text.data() + text.size() && result.ec == std::errc();
    parts_.push_back(digits ? jinja::of(index) : part);
  }
}

Object AttributePath::of(const Object& value, const Object& otherwise) const {
  Object found = value;
  for (const Object& part : parts_) {
    found = run_.item(found, part);
    if (found.is(Type::undefined) && !otherwise.is(Type::none)) found = otherwise;
  }
  return found;
}

Object without_case(Interpreter& run, const Object& value) {
  return value.is(Type::string) ? of(mapped(run.heap, *value.string, CaseMapping::lower)) : value;
}

namespace sequence_filter {
namespace {

using Args = const Arguments&;

struct Keyed {
  Object key, item;
};

// Stable, and stable in reverse too.
void sort_keyed(Interpreter& run, std::vector<Keyed>& items, bool reverse) {
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? less(run.heap, b.key, a.key) : less(run.heap, a.key, b.key);
  });
}

Object items_of(Interpreter& run, const std::vector<Keyed>& keyed) {
  std::vector<Object> items;
  for (const Keyed& entry : keyed) items.push_back(entry.item);
  return run.heap.list(items);
}

Object extreme(Interpreter& run, const Object& value, Args args, bool largest) {
  const Parameters p(run, largest ? "max" : "min", args, {"case_sensitive", "attribute"});
  const AttributePath path(run, p.at(1));
  const bool keep_case = p.truth_or(0, false);
  Object best = undefined(run.heap.literal("the extreme of an empty sequence")), best_key = none();
  bool any = false;
  for (const Object& item : elements(run.heap, value)) {
    const Object raw = path.of(item);
    const Object key = keep_case ? raw : without_case(run, raw);
    if (any && !(largest ? less(run.heap, best_key, key) : less(run.heap, key, best_key))) continue;
    any = true;
    best = item;
    best_key = key;
  }
  return best;
}

}  // namespace

Object dict_sort(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "dictsort", args, {"case_sensitive", "by", "reverse"});
  const std::string_view by = p.text_or(1, "key")->bytes;
  if (by != "key" && by != "value") run.fail("dictsort: by: 'key' or 'value' expected");
  if (value.is(Type::undefined)) fail_undefined(run.heap, value);
  if (!value.is(Type::dict)) run.fail("dictsort: a dictionary expected");
  const bool keep_case = p.truth_or(0, false);
  std::vector<Keyed> keyed;
  for (const Entry& entry : value.mapping->entries) {
    const Object& raw = by == "key" ? entry.key : entry.value;
    keyed.push_back(
        {keep_case ? raw : without_case(run, raw), run.heap.tuple({entry.key, entry.value})});
  }
  sort_keyed(run, keyed, p.whole_or(2, 0) != 0);
  return items_of(run, keyed);
}

Object sort(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "sort", args, {"reverse", "case_sensitive", "attribute"});
  const bool keep_case = p.truth_or(1, false);
  // "age,name": one key after the other.
  std::vector<AttributePath> paths;
  if (p.at(2).is(Type::string)) {
    for (const Object& part :
         split_text(run.heap, *p.at(2).string, run.heap.literal(","), -1, false))
      paths.emplace_back(run, part);
  } else {
    paths.emplace_back(run, p.at(2));
  }
  std::vector<Keyed> keyed;
  for (const Object& item : elements(run.heap, value)) {
    std::vector<Object> keys;
    for (const AttributePath& path : paths) {
      const Object key = path.of(item);
      keys.push_back(keep_case ? key : without_case(run, key));
    }
    keyed.push_back({run.heap.list(keys), item});
  }
  sort_keyed(run, keyed, p.whole_or(0, 0) != 0);
  return items_of(run, keyed);
}

Object group_by(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(run, p.at(0));
  const bool keep_case = p.truth_or(2, false);
  std::vector<Keyed> keyed;
  for (const Object& item : elements(run.heap, value)) {
    const Object key = path.of(item, p.at(1));
    keyed.push_back({keep_case ? key : without_case(run, key), item});
  }
  sort_keyed(run, keyed, false);
  std::vector<Object> groups;
  for (size_t begin = 0; begin < keyed.size();) {
    std::vector<Object> members;
    size_t end = begin;
    while (end < keyed.size() && equal(run.heap, keyed[begin].key, keyed[end].key))
      members.push_back(keyed[end++].item);
    if (end == begin) members.push_back(keyed[end++].item);  // a key that equals nothing (nan)
    const Object name = keep_case ? keyed[begin].key : path.of(keyed[begin].item, p.at(1));
    const Object parts[] = {name, run.heap.list(members)};
    groups.push_back(run.heap.sequence(Type::tuple, parts, true));
    begin = end;
  }
  return run.heap.list(groups);
}

Object max(Interpreter& run, const Object& value, Args args) {
  return extreme(run, value, args, true);
}
Object min(Interpreter& run, const Object& value, Args args) {
  return extreme(run, value, args, false);
}

Object sum(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "sum", args, {"attribute", "start"});
  const AttributePath path(run, p.at(0));
  Object total = p.given(1) ? p.at(1) : of(int64_t{0});
  if (total.is(Type::string)) run.fail("sum: texts cannot be summed");
  for (const Object& item : elements(run.heap, value))
    total = binary(run.heap, Operator::add, total, path.of(item));
  return total;
}

Object join(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "join", args, {"d", "attribute"});
  const AttributePath path(run, p.at(1));
  const Object separator = p.given(0) ? p.at(0) : of(run.heap.literal(""));
  TextBuilder out;
  bool first = true;
  for (const Object& item : elements(run.heap, value)) {
    run.heap.charge();
    if (!std::exchange(first, false)) append_str(run.heap, out, separator);
    append_str(run.heap, out, path.of(item));
  }
  return of(run.heap.text(std::move(out)));
}

Object first(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "first", args);
  const auto items = elements(run.heap, value);
  return items.empty() ? undefined(run.heap.literal("the first of nothing")) : items.front();
}

Object last(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "last", args);
  if (value.is(Type::iterator)) run.fail("last: a list expected, got an iterator");
  const auto items = elements(run.heap, value);
  return items.empty() ? undefined(run.heap.literal("the last of nothing")) : items.back();
}

Object list(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "list", args);
  return run.heap.sequence(Type::list, elements(run.heap, value));
}

Object reverse(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "reverse", args);
  if (value.is(Type::string)) return jinja::slice(run.heap, value, none(), none(), of(int64_t{-1}));
  const auto items = elements(run.heap, value);
  std::vector<Object> turned(items.rbegin(), items.rend());
  const Object list = run.heap.list(turned);
  // Of an iterator the reference makes a list, of anything else an iterator.
  if (value.is(Type::iterator)) return list;
  return run.heap.iterator([list] {
    const auto all = list.sequence->items;
    return std::vector<Object>(all.begin(), all.end());
  });
}

}  // namespace sequence_filter
}  // namespace bittern::chat::jinja
