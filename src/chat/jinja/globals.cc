// Functions that every template sees: jinja2's own and those that transformers adds.
#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/tables.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

using Args = const Arguments&;

Object raise_exception(Interpreter& run, const Object&, Args args) {
  const Parameters p(run, "raise_exception", args, {"message"}, 1);
  run.fail(to_text(run.heap, p.at(0))->bytes);
}

Object strftime_now(Interpreter& run, const Object&, Args args) {
  const Parameters p(run, "strftime_now", args, {"format"}, 1);
  const std::string format(p.text(0).bytes);
  if (format.empty()) return of(run.heap.literal(""));
  char text[1024];
  // Zero is an error or an empty result, which no format of a date means to be.
  const size_t size = std::strftime(text, sizeof text, format.c_str(), &run.now);
  if (size == 0) run.fail("strftime_now: a format of at most 1000 characters of result expected");
  return run.heap.string({text, size}, p.text(0).has_user());
}

Object range(Interpreter& run, const Object&, Args args) {
  const Parameters p(run, "range", args, {"", "", ""}, 1);
  RangeObject range{.start = p.given(1) ? p.whole(0) : 0,
                    .stop = p.given(1) ? p.whole(1) : p.whole(0),
                    .step = p.whole_or(2, 1)};
  if (range.step == 0) run.fail("range: a step of 0");
  // Distances as unsigned: the two ends may be further apart than 2^63.
  const bool forward = range.step > 0;
  const bool any = forward ? range.start < range.stop : range.start > range.stop;
  const uint64_t low = static_cast<uint64_t>(forward ? range.start : range.stop);
  const uint64_t high = static_cast<uint64_t>(forward ? range.stop : range.start);
  const uint64_t step =
      forward ? static_cast<uint64_t>(range.step) : uint64_t{0} - static_cast<uint64_t>(range.step);
  const uint64_t count = any ? (high - low - 1) / step + 1 : 0;
  if (count > static_cast<uint64_t>(kRangeMax))
    run.fail(fmt::format("range: at most {} values expected", kRangeMax));
  range.count = static_cast<int64_t>(count);
  Object object(Type::range);
  object.range = run.heap.make<RangeObject>(range);
  return object;
}

std::vector<Entry> pairs_of(Interpreter& run, const Object& value) {
  std::vector<Entry> entries;
  if (value.is(Type::dict)) {
    entries.assign(value.mapping->entries.begin(), value.mapping->entries.end());
    return entries;
  }
  for (const Object& pair : elements(run.heap, value)) {
    const auto items = elements(run.heap, pair);
    if (items.size() != 2) run.fail("dict: pairs expected");
    entries.push_back({items[0], items[1]});
  }
  return entries;
}

// dict(mapping or pairs, name=value...)
std::vector<Entry> dict_entries(Interpreter& run, std::string_view function, Args args) {
  if (args.positional.size() > 1) run.fail(fmt::format("{}: at most one value expected", function));
  std::vector<Entry> entries;
  if (!args.positional.empty()) entries = pairs_of(run, args.positional[0]);
  // Names may come out of a caller's dictionary (**), so they count as a user's.
  for (const auto& [name, value] : args.named)
    entries.push_back({run.heap.string(name, true), value});
  return entries;
}

Object dict(Interpreter& run, const Object&, Args args) {
  return run.heap.dict(dict_entries(run, "dict", args));
}

Object make_namespace(Interpreter& run, const Object&, Args args) {
  Namespace* made = run.heap.make<Namespace>(
      Namespace{.members = decltype(Namespace::members)(run.heap.memory())});
  const Object all = run.heap.dict(dict_entries(run, "namespace", args));
  for (const Entry& entry : all.mapping->entries) {
    if (!entry.key.is(Type::string)) run.fail("namespace: names expected as keys");
    if (entry.key.string->bytes.starts_with('_'))
      run.fail("a namespace's names cannot begin with an underscore");
    made->members.emplace_back(entry.key.string->bytes, entry.value);
  }
  Object object(Type::name_space);
  object.name_space = made;
  return object;
}

Object cycler(Interpreter& run, const Object&, Args args) {
  if (args.positional.empty() || !args.named.empty()) run.fail("cycler: values expected");
  Object object(Type::cycler);
  object.cycler = run.heap.make<Cycler>(Cycler{.items = run.heap.copy(args.positional)});
  return object;
}

Object joiner(Interpreter& run, const Object&, Args args) {
  const Parameters p(run, "joiner", args, {"sep"});
  Object object(Type::joiner);
  object.joiner = run.heap.make<Joiner>(Joiner{.separator = p.text_or(0, ", ")});
  return object;
}

Object lipsum(Interpreter& run, const Object&, Args) {
  run.fail("lipsum is not supported in a chat template");
}

constexpr GlobalRow kGlobals[] = {
    {"cycler", cycler},
    {"dict", dict},
    {"joiner", joiner},
    {"lipsum", lipsum},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"range", range},
    {"strftime_now", strftime_now},
};

}  // namespace

const GlobalRow* find_global(std::string_view name) {
  const auto* found = std::find_if(std::begin(kGlobals), std::end(kGlobals),
                                   [&](const GlobalRow& row) { return row.name == name; });
  return found == std::end(kGlobals) ? nullptr : found;
}

}  // namespace bittern::chat::jinja
