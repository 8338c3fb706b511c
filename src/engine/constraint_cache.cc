#include "engine/constraint_cache.h"

#include <fmt/format.h>

#include <algorithm>

namespace bittern::engine {

namespace grammar = chat::grammar;

ConstraintCache::ConstraintCache(const text::Tokenizer& tokenizer, ConstraintCacheOptions options)
    : tokenizer_(tokenizer), options_(options) {}

ConstraintCache::Shared ConstraintCache::json_schema(std::string_view schema) {
  return find_or_make(fmt::format("json_schema:{}", schema),
                      [&] { return grammar::compile_json_schema(schema); });
}

ConstraintCache::Shared ConstraintCache::json_object() {
  return find_or_make("json_object", [] { return grammar::json_object(); });
}

ConstraintCache::Shared ConstraintCache::regex(std::string_view expression) {
  return find_or_make(fmt::format("regex:{}", expression),
                      [&] { return grammar::compile_regex(expression); });
}

ConstraintCache::Shared ConstraintCache::choice(std::span<const std::string> choices) {
  std::string key = "choice";
  for (const std::string& text : choices) key += fmt::format(":{}:{}", text.size(), text);
  return find_or_make(std::move(key), [&] { return grammar::compile_choice(choices); });
}

ConstraintCache::Shared ConstraintCache::gbnf(std::string_view source) {
  return find_or_make(fmt::format("gbnf:{}", source),
                      [&] { return grammar::compile_gbnf(source); });
}

// Compiling may take seconds, so nobody waits for it but who asked; of two who compile the same at
// once one result is kept.
ConstraintCache::Shared ConstraintCache::find_or_make(
    std::string key, const std::function<grammar::Grammar()>& compile) {
  {
    const std::lock_guard lock(mutex_);
    if (Shared known = find(key)) return known;
  }
  grammar::Grammar compiled = compile();
  std::call_once(trie_once_, [&] { trie_ = std::make_shared<grammar::TokenTrie>(tokenizer_); });
  auto made =
      std::make_shared<grammar::Constraint>(std::move(compiled), trie_, options_.constraint_bytes);
  const std::lock_guard lock(mutex_);
  if (Shared known = find(key)) return known;
  if (!known_.empty() && known_.size() >= options_.most_constraints) known_.erase(known_.begin());
  known_.emplace_back(std::move(key), made);
  return made;
}

ConstraintCache::Shared ConstraintCache::find(const std::string& key) {
  const auto found = std::ranges::find(known_, key, &std::pair<std::string, Shared>::first);
  if (found == known_.end()) return nullptr;
  std::rotate(found, found + 1, known_.end());
  return known_.back().second;
}

}  // namespace bittern::engine
