// Sets of JSON values. The types of JSON are disjoint, so a set is a set of each type, and "and",
// "or" and "not" work type by type: exactly for null, booleans, numbers and strings (regular
// languages), and for arrays and objects as unions of shapes, each a conjunction of constraints
// whose parts are formulas over schemas, looked into only where something depends on it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "chat/grammar/automaton.h"
#include "chat/grammar/formula.h"

namespace bittern::chat::grammar {

// A regular language; null: every text of the kind (UTF-8 for strings and keys).
using Language = std::shared_ptr<const Automaton>;

struct TextPart {
  Language language{};        // of the decoded text
  int64_t min = 0, max = -1;  // characters; -1: without end
  // The pointer of a format of which `language` is only a part: nothing may be concluded about the
  // texts outside. Empty: exact.
  std::string narrowed{};
};
using Texts = std::vector<TextPart>;  // their union

struct ArrayShape {
  struct Count {  // so many items at index `from` and behind satisfy `item`
    FormulaId item;
    int64_t from = 0, min = 0, max = -1;
    bool operator==(const Count&) const = default;
  };
  static constexpr int64_t kEverything = std::numeric_limits<int64_t>::max();

  std::vector<FormulaId> prefix{};
  FormulaId rest = kAny;
  int64_t min = 0, max = -1;
  std::vector<Count> counts{};
  std::string unique{};  // the pointer of uniqueItems; empty: items may repeat
  // Annotations, for unevaluatedItems: items before this index, and those that satisfy one of
  // these.
  int64_t evaluated = 0;
  std::vector<FormulaId> evaluated_by{};

  FormulaId item(int64_t index) const {
    return index < std::ssize(prefix) ? prefix[static_cast<size_t>(index)] : rest;
  }
  bool is_any() const;
  bool operator==(const ArrayShape&) const = default;
};

struct ObjectShape {
  struct Named {
    std::string key;
    FormulaId value;  // kNever: the key is not there
    bool required = false;
    bool operator==(const Named&) const = default;
  };
  // Of keys that are not named. Regions are disjoint and together hold every key.
  struct Region {
    Language keys;
    FormulaId value;
    bool operator==(const Region&) const = default;
  };
  struct Exists {  // some key of these has such a value
    Language keys;
    FormulaId value;
    bool operator==(const Exists&) const = default;
  };

  // In the order in which they are written; those that are not there behind the others, sorted.
  std::vector<Named> named{};
  std::vector<Region> regions{{nullptr, kAny}};
  std::vector<Exists> exists{};
  int64_t min = 0, max = -1;  // members
  // Annotations, for unevaluatedProperties; `nothing_evaluated` while `evaluated` means nothing.
  Language evaluated{};
  bool nothing_evaluated = true;
  std::string at{};  // the pointer of a schema that it comes from, for errors

  const Named* find(const std::string& key) const;
  FormulaId value_of(const std::string& key) const;
  bool is_any() const;
  // Languages by identity: equal shapes may seem different, never the other way round.
  bool operator==(const ObjectShape&) const = default;
};

struct ValueSet {
  bool null = false, yes = false, no = false;
  bool any_number = false;  // exponents and all; else `numbers`
  Automaton numbers{};      // decimal.h
  Texts texts{};
  std::vector<ArrayShape> arrays{};
  std::vector<ObjectShape> objects{};

  static ValueSet any();
  bool is_any() const;
  // Nothing left; a shape counts as something.
  bool is_empty() const;
};

// UTF-8 of any text.
const Automaton& any_text();
// Texts by their number of characters.
Automaton texts_of_length(int64_t min, int64_t max);

// Null stands for all on both sides. `nothing` of the result: matches_nothing().
Language both(const Language& a, const Language& b);
Language either(const Language& a, const Language& b);
Language without(const Language& a, const Language& b);
bool is_nothing(const Language& language);
bool holds(const Language& language, const std::string& text);

Texts both(const Texts& a, const Texts& b);
Texts either(const Texts& a, const Texts& b);
Texts complement(const Texts& texts);
// One automaton, where the counts are small enough for it (or an Error of a limit).
Language as_language(const Texts& texts);

// The decimal texts of the numbers of a set.
const Automaton& numbers_of(const ValueSet& set);
void set_numbers(ValueSet& set, Automaton numbers);

}  // namespace bittern::chat::grammar
