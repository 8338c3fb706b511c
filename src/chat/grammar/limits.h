// Bounds on what a grammar may cost. Schemas, expressions and grammars come with requests, so they
// are outside bytes: whatever one does, compiling ends within these limits in a grammar or in a
// one-line error that names the limit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::chat::grammar {

// Source text of a schema, an expression, a grammar or a list of choices.
inline constexpr size_t kSourceBytesMax = size_t{1} << 20;
// Brackets open at once in an expression or a GBNF rule.
inline constexpr int kParseDepthMax = 100;
// Schemas inside schemas while one is brought into normal form.
inline constexpr int kSchemaDepthMax = 120;

// States of one automaton while it is built, and of a whole compiled grammar.
inline constexpr int64_t kAutomatonStatesMax = 60'000;
inline constexpr int64_t kGrammarStatesMax = 250'000;
// Sum over the subsets met while one automaton is made deterministic: bounds time, not only size.
inline constexpr int64_t kSubsetWorkMax = 6'000'000;
// The same over a whole compilation, with products of automata: some seconds at worst.
inline constexpr int64_t kCompileWorkMax = 40'000'000;
// Nodes of the grammar before automata are made of it, and its rules.
inline constexpr int64_t kExpressionNodesMax = 400'000;
inline constexpr int64_t kRulesMax = 50'000;
// A count in {m,n}, minItems and so on.
inline constexpr int64_t kRepeatMax = 1'000'000;
// Copies of a repeated part that are written out; more become calls of a rule for a block.
inline constexpr int64_t kCopiesMax = 64;

// Alternatives of one schema (anyOf times oneOf times what `not` takes apart).
inline constexpr size_t kShapesMax = 400;
// Values of a finite domain under uniqueItems, and states of the search over their subsets.
inline constexpr size_t kUniqueValuesMax = 10;
// Digits of a number in a schema.
inline constexpr size_t kDigitsMax = 400;
// States that count remainders for multipleOf.
inline constexpr int64_t kRemaindersMax = 20'000;

// Rules open at once while text is matched; deeper nesting is not generated.
inline constexpr int32_t kNestingMax = 400;
// Bytes of caches that a constraint keeps before it starts afresh.
inline constexpr size_t kCacheBytesMax = size_t{64} << 20;
// Unions of stacks for one byte: only a hostile grammar gets there.
inline constexpr int64_t kUnionWorkMax = 200'000;
// Tokens longer than this never match.
inline constexpr size_t kTokenBytesMax = 512;

}  // namespace bittern::chat::grammar
