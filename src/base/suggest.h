// The name a user probably meant: nearest by edits (insert, remove, replace, swap neighbours).
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace bittern {

// Edits from one text to the other (Damerau-Levenshtein, no letter edited twice).
int edit_distance(std::string_view from, std::string_view to);

// The candidate nearest to `word`, the first of equals; nothing where none is near enough to be
// a slip of the finger (at most a third of the longer length, at least one edit allowed).
std::optional<std::string_view> suggest(std::string_view word,
                                        std::span<const std::string_view> candidates);

}  // namespace bittern
