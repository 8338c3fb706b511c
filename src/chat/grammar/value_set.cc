#include "chat/grammar/value_set.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "chat/grammar/decimal.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/nfa.h"
#include "chat/grammar/schema_document.h"

namespace bittern::chat::grammar {
namespace {

// Counts of at most this many characters go into a language at once.
constexpr int64_t kFoldedLength = 80;

Language shared(Automaton automaton) {
  return std::make_shared<const Automaton>(std::move(automaton));
}

// A language and small counts become one language, so that sets are compared exactly.
void fold(TextPart& part) {
  if (part.language == nullptr || (part.min == 0 && part.max < 0)) return;
  if (std::max(part.min, part.max) > kFoldedLength) return;
  part.language = shared(intersection(*part.language, texts_of_length(part.min, part.max)));
  part.min = 0;
  part.max = -1;
}

void add_part(Texts& texts, TextPart part) {
  if (part.max >= 0 && part.min > part.max) return;
  fold(part);
  if (is_nothing(part.language)) return;
  const bool plain = part.min == 0 && part.max < 0;
  if (plain && part.language == nullptr) texts.clear();
  for (TextPart& other : texts) {
    if (other.min != 0 || other.max >= 0) continue;
    if (other.language == nullptr) return;
    if (!plain || part.language == nullptr) continue;
    other.language = either(other.language, part.language);
    if (other.narrowed.empty()) other.narrowed = part.narrowed;
    return;
  }
  if (texts.size() >= kShapesMax)
    bad_input("JSON Schema: a string has more than {} alternatives, the limit", kShapesMax);
  texts.push_back(std::move(part));
}

}  // namespace

bool ArrayShape::is_any() const {
  return prefix.empty() && rest == kAny && min == 0 && max < 0 && counts.empty() && unique.empty();
}

const ObjectShape::Named* ObjectShape::find(const std::string& key) const {
  const auto found = std::ranges::find(named, key, &Named::key);
  return found == named.end() ? nullptr : &*found;
}

FormulaId ObjectShape::value_of(const std::string& key) const {
  if (const Named* found = find(key)) return found->value;
  for (const Region& region : regions)
    if (holds(region.keys, key)) return region.value;
  return kNever;
}

bool ObjectShape::is_any() const {
  return named.empty() && regions.size() == 1 && regions[0].keys == nullptr &&
         regions[0].value == kAny && exists.empty() && min == 0 && max < 0;
}

ValueSet ValueSet::any() {
  ValueSet set;
  set.null = set.yes = set.no = set.any_number = true;
  set.texts.emplace_back();
  set.arrays.emplace_back();
  set.objects.emplace_back();
  return set;
}

bool ValueSet::is_any() const {
  return null && yes && no && any_number && texts.size() == 1 && texts[0].language == nullptr &&
         texts[0].min == 0 && texts[0].max < 0 && arrays.size() == 1 && arrays[0].is_any() &&
         objects.size() == 1 && objects[0].is_any();
}

bool ValueSet::is_empty() const {
  return !null && !yes && !no && !any_number && numbers.matches_nothing() && texts.empty() &&
         arrays.empty() && objects.empty();
}

const Automaton& any_text() {
  static const Automaton made = [] {
    Nfa nfa;
    const int32_t loop = nfa.add_state(), final = nfa.add_state();
    nfa.on_characters(loop, any_character(), loop);
    nfa.on_empty(loop, final);
    return nfa.deterministic(loop, final);
  }();
  return made;
}

Automaton texts_of_length(int64_t min, int64_t max) {
  if (std::max(min, max) > kAutomatonStatesMax / 8)
    bad_input(
        "JSON Schema: a length of {} characters together with a pattern is more than {}, the "
        "limit",
        std::max(min, max), kAutomatonStatesMax / 8);
  Nfa nfa;
  const int32_t final = nfa.add_state();
  int32_t at = nfa.add_state();
  const int32_t start = at;
  const Characters any = any_character();
  for (int64_t count = 0;; ++count) {
    if (count >= min) nfa.on_empty(at, final);
    if (max >= 0 && count == max) break;
    if (max < 0 && count == min) {
      nfa.on_characters(at, any, at);
      break;
    }
    const int32_t next = nfa.add_state();
    nfa.on_characters(at, any, next);
    at = next;
  }
  return nfa.deterministic(start, final);
}

bool is_nothing(const Language& language) {
  return language != nullptr && language->matches_nothing();
}

bool holds(const Language& language, const std::string& text) {
  return language == nullptr || accepts(*language, text);
}

Language both(const Language& a, const Language& b) {
  if (a == nullptr || a == b) return b;
  if (b == nullptr) return a;
  return shared(intersection(*a, *b));
}

Language either(const Language& a, const Language& b) {
  if (a == nullptr || b == nullptr) return nullptr;
  if (a == b) return a;
  Automaton made = union_of(*a, *b);
  return made == any_text() ? nullptr : shared(std::move(made));
}

Language without(const Language& a, const Language& b) {
  if (b == nullptr) return shared({});
  Automaton made = difference(a == nullptr ? any_text() : *a, *b);
  return made == any_text() ? nullptr : shared(std::move(made));
}

Texts both(const Texts& a, const Texts& b) {
  Texts made;
  for (const TextPart& x : a) {
    for (const TextPart& y : b) {
      const int64_t max = x.max < 0 ? y.max : y.max < 0 ? x.max : std::min(x.max, y.max);
      add_part(made, {both(x.language, y.language), std::max(x.min, y.min), max,
                      x.narrowed.empty() ? y.narrowed : x.narrowed});
    }
  }
  return made;
}

Texts either(const Texts& a, const Texts& b) {
  Texts made = a;
  for (const TextPart& part : b) add_part(made, part);
  return made;
}

Texts complement(const Texts& texts) {
  Texts made{TextPart{}};
  for (const TextPart& part : texts) {
    if (!part.narrowed.empty())
      refuse(part.narrowed,
             "this format where texts that break it are asked for (in not, if, oneOf)");
    Texts outside;
    if (part.min > 0) add_part(outside, {.max = part.min - 1});
    if (part.max >= 0) add_part(outside, {.min = part.max + 1});
    if (part.language != nullptr) add_part(outside, {.language = without(nullptr, part.language)});
    made = both(made, outside);
  }
  return made;
}

Language as_language(const Texts& texts) {
  if (texts.empty()) return shared({});
  Language made;
  bool first = true;
  for (const TextPart& part : texts) {
    Language language = part.language;
    if (part.min > 0 || part.max >= 0)
      language = both(language, shared(texts_of_length(part.min, part.max)));
    made = first ? language : either(made, language);
    first = false;
  }
  return made;
}

const Automaton& numbers_of(const ValueSet& set) {
  return set.any_number ? all_numbers() : set.numbers;
}

void set_numbers(ValueSet& set, Automaton numbers) {
  set.any_number = numbers == all_numbers();
  set.numbers = set.any_number ? Automaton{} : std::move(numbers);
}

}  // namespace bittern::chat::grammar
