// What methods and filters of texts share.
#pragma once

#include <vector>

#include "chat/jinja/heap.h"
#include "chat/jinja/object.h"

namespace bittern::chat::jinja {

// Where a text stands in another, in time linear in both; npos where it does not.
size_t find_text(std::string_view text, std::string_view wanted, size_t from = 0);
size_t rfind_text(std::string_view text, std::string_view wanted);

enum class Side : uint8_t { left, right, both };
enum class CaseMapping : uint8_t { lower, upper, capitalize, title, swap, fold };

// str.strip and its one-sided forms; `characters` null: white space.
const Str* stripped(Heap& heap, const Str& text, const Str* characters, Side side);
// str.split and rsplit; `separator` null: runs of white space. `most` < 0: no bound.
std::vector<Object> split_text(Heap& heap, const Str& text, const Str* separator, int64_t most,
                               bool from_right);
std::vector<Object> lines_of(Heap& heap, const Str& text, bool keep_ends);
// str.replace; `most` < 0: all.
const Str* replaced(Heap& heap, const Str& text, const Str& old, const Str& with, int64_t most);
const Str* mapped(Heap& heap, const Str& text, CaseMapping mapping);
// Filled to `width` characters; `side` is where the text stands.
const Str* justified(Heap& heap, const Str& text, int64_t width, const Str& fill, Side side);
bool is_lower(const Str& text);
bool is_upper(const Str& text);

}  // namespace bittern::chat::jinja
