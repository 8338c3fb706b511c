// Filters whose result is read once and computed when it is: map, select, unique, ...
#include "base/error.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"

namespace bittern::chat::jinja::sequence_filter {
namespace {

using Args = const Arguments&;

// What a copy of arguments takes.
size_t held_by(Args args) {
  return args.positional.size() * sizeof(args.positional[0]) +
         args.named.size() * sizeof(args.named[0]);
}

// select, reject and their forms with an attribute: items for which a test (or, without one,
// the item's truth) says `wanted`.
Object chosen(Interpreter& run, const Object& value, Args args, bool by_attribute, bool wanted) {
  return run.heap.iterator(
      [&run, value, args, by_attribute, wanted] {
        std::vector<Object> items;
        if (!truth(value)) return items;
        size_t next = 0;
        if (by_attribute && args.positional.empty())
          run.fail("selectattr, rejectattr: an attribute's name expected");
        const AttributePath path(run, by_attribute ? args.positional[next++] : none());
        const bool has_test = args.positional.size() > next;
        std::string_view name;
        Arguments rest;
        if (has_test) {
          if (!args.positional[next].is(Type::string)) run.fail("a test's name expected");
          name = args.positional[next].string->bytes;
          rest.positional.assign(args.positional.begin() + static_cast<std::ptrdiff_t>(next) + 1,
                                 args.positional.end());
          rest.named = args.named;
        }
        for (const Object& item : elements(run.heap, value)) {
          run.heap.charge();
          const Object subject = path.of(item);
          if ((has_test ? run.test(name, subject, rest) : truth(subject)) == wanted)
            items.push_back(item);
        }
        return items;
      },
      held_by(args));
}

std::vector<Object> mapped_items(Interpreter& run, const Object& value, Args args) {
  std::vector<Object> items;
  if (!truth(value)) return items;
  const bool by_attribute = args.positional.empty() && !args.named.empty();
  if (by_attribute) {
    const Parameters p(run, "map", args, {"attribute", "default"}, 1);
    const AttributePath path(run, p.at(0));
    for (const Object& item : elements(run.heap, value)) items.push_back(path.of(item, p.at(1)));
    return items;
  }
  if (args.positional.empty()) run.fail("map: a filter or an attribute expected");
  if (!args.positional[0].is(Type::string)) run.fail("map: a filter's name expected");
  Arguments rest;
  rest.positional.assign(args.positional.begin() + 1, args.positional.end());
  rest.named = args.named;
  for (const Object& item : elements(run.heap, value))
    items.push_back(run.filter(args.positional[0].string->bytes, item, rest));
  return items;
}

}  // namespace

Object select(Interpreter& run, const Object& value, Args args) {
  return chosen(run, value, args, false, true);
}
Object reject(Interpreter& run, const Object& value, Args args) {
  return chosen(run, value, args, false, false);
}
Object select_attribute(Interpreter& run, const Object& value, Args args) {
  return chosen(run, value, args, true, true);
}
Object reject_attribute(Interpreter& run, const Object& value, Args args) {
  return chosen(run, value, args, true, false);
}

Object map(Interpreter& run, const Object& value, Args args) {
  return run.heap.iterator([&run, value, args] { return mapped_items(run, value, args); },
                           held_by(args));
}

Object items(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "items", args);
  return run.heap.iterator([&run, value] {
    std::vector<Object> pairs;
    if (value.is(Type::undefined)) return pairs;
    if (!value.is(Type::dict)) run.fail("items: a dictionary expected");
    for (const Entry& entry : value.mapping->entries)
      pairs.push_back(run.heap.tuple({entry.key, entry.value}));
    return pairs;
  });
}

Object unique(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "unique", args, {"case_sensitive", "attribute"});
  return run.heap.iterator([&run, value, attribute = p.at(1), keep_case = p.truth_or(0, false)] {
    const AttributePath path(run, attribute);
    std::vector<Object> found, keys;
    for (const Object& item : elements(run.heap, value)) {
      const Object raw = path.of(item);
      const Object key = keep_case ? raw : without_case(run, raw);
      run.heap.find(Mapping{}, key);  // fails where the key cannot be hashed
      bool seen = false;
      for (size_t i = 0; i < keys.size() && !seen; ++i) seen = equal(run.heap, keys[i], key);
      if (seen) continue;
      keys.push_back(key);
      found.push_back(item);
    }
    return found;
  });
}

Object batch(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "batch", args, {"linecount", "fill_with"}, 1);
  return run.heap.iterator([&run, value, count = p.at(0), fill = p.at(1)] {
    std::vector<Object> batches, current;
    for (const Object& item : elements(run.heap, value)) {
      if (equal(run.heap, of(static_cast<int64_t>(current.size())), count)) {
        batches.push_back(run.heap.list(current));
        current.clear();
      }
      current.push_back(item);
    }
    if (current.empty()) return batches;
    if (!fill.is(Type::none))
      while (less(run.heap, of(static_cast<int64_t>(current.size())), count)) {
        run.heap.charge(sizeof(Object));
        current.push_back(fill);
      }
    batches.push_back(run.heap.list(current));
    return batches;
  });
}

Object slice(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "slice", args, {"slices", "fill_with"}, 1);
  return run.heap.iterator([&run, value, wanted = p.at(0), fill = p.at(1)] {
    const auto all = elements(run.heap, value);
    if (!wanted.is_whole()) run.fail("slice: an integer expected");
    const int64_t count = wanted.whole();
    if (count == 0) run.fail("slice: at least one slice expected");
    std::vector<Object> slices;
    if (count < 0) return slices;
    const auto parts = static_cast<size_t>(count);
    const size_t each = all.size() / parts, longer = all.size() % parts;
    size_t begin = 0;
    for (size_t i = 0; i < parts; ++i) {
      run.heap.charge();
      const size_t size = each + (i < longer ? 1 : 0);
      std::vector<Object> part(all.begin() + static_cast<std::ptrdiff_t>(begin),
                               all.begin() + static_cast<std::ptrdiff_t>(begin + size));
      if (!fill.is(Type::none) && i >= longer) part.push_back(fill);
      slices.push_back(run.heap.list(part));
      begin += size;
    }
    return slices;
  });
}

}  // namespace bittern::chat::jinja::sequence_filter
