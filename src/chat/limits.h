// Bounds on what a chat template may do. Templates come with models, so they are outside bytes:
// whatever one does, a render ends within these limits in an answer or a one-line error. Each is
// far above what any published template needs for a conversation that fills a model's context.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::chat {

// Source of one template. The largest published ones have some 30 kB.
inline constexpr size_t kSourceBytesMax = size_t{1} << 20;
// Statements and brackets open at once while parsing.
inline constexpr int kParseDepthMax = 100;
// Height of one expression's tree: `a + b + c` has height 3. Python's own parser, which the
// reference goes through, gives up near 300.
inline constexpr int kExpressionHeightMax = 400;
// Expressions and statements being evaluated inside each other, macro calls included.
inline constexpr int kRunDepthMax = 1200;
// Lists in lists, dictionaries in dictionaries. JSON itself is read to 128.
inline constexpr int kValueDepthMax = 160;

// One step is one expression, one statement, one element of a loop inside a filter, or 64 bytes
// copied. A million-character conversation through a published template takes some 200,000.
inline constexpr int64_t kStepsMax = 20'000'000;
// Everything a render makes (strings, lists, scopes), freed together when it ends.
inline constexpr size_t kHeapBytesMax = size_t{1} << 29;
// One string, and so the rendered text.
inline constexpr size_t kStringBytesMax = size_t{1} << 24;
// Elements of a range, as jinja2's sandbox has it.
inline constexpr int64_t kRangeMax = 100'000;

}  // namespace bittern::chat
