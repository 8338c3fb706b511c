// Compiled grammars of one vocabulary, by their text: requests that ask for the same schema share
// what was compiled and the masks that were found for it. The token trie is built with the first
// of them.
//
//   ConstraintCache constraints(tokenizer);                      one for each engine
//   request.constraint = constraints.json_schema(schema_text);   from any thread
//   engine.submit(std::move(request), sink);
//
// Any thread may ask. What is given back belongs to the thread that steps the engine
// (chat/grammar/grammar.h), so requests of one engine only may use it, and others just pass it on.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/grammar/grammar.h"
#include "text/tokenizer.h"

namespace bittern::engine {

struct ConstraintCacheOptions {
  // Those longest unused are forgotten; requests that run keep theirs.
  size_t most_constraints = 32;
  size_t constraint_bytes = size_t{16} << 20;  // of masks and the like of each, about
};

class ConstraintCache {
 public:
  using Shared = std::shared_ptr<chat::grammar::Constraint>;

  // The tokenizer must outlive it.
  explicit ConstraintCache(const text::Tokenizer& tokenizer, ConstraintCacheOptions options = {});

  // Each throws what compiling throws (chat/grammar/grammar.h): the grammar comes with a request.
  Shared json_schema(std::string_view schema);
  Shared json_object();
  Shared regex(std::string_view expression);
  Shared choice(std::span<const std::string> choices);
  Shared gbnf(std::string_view grammar);

 private:
  Shared find_or_make(std::string key, const std::function<chat::grammar::Grammar()>& compile);
  Shared find(const std::string& key);  // under the lock; null where unknown

  const text::Tokenizer& tokenizer_;
  ConstraintCacheOptions options_;
  std::once_flag trie_once_;
  std::shared_ptr<const chat::grammar::TokenTrie> trie_;

  std::mutex mutex_;                                   // of what follows
  std::vector<std::pair<std::string, Shared>> known_;  // last used last
};

}  // namespace bittern::engine
