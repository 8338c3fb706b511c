// Constrained decoding: which tokens may come next so that the whole text matches a JSON Schema, a
// regular expression, one of some choices or a GBNF grammar.
//
//   auto trie = std::make_shared<TokenTrie>(tokenizer);            once per tokenizer
//   auto constraint = std::make_shared<Constraint>(                once per grammar; requests with
//       compile_json_schema(text), trie);                          the same grammar share it
//   Matcher matcher(constraint);                                   once per sequence
//   matcher.mask(bits); ... sample ... matcher.accept(token);
//
// The same grammar and vocabulary give the same masks, always. A Grammar and a TokenTrie are
// immutable and shared freely; a Constraint and its matchers belong to one thread at a time.
// What is supported and what is refused: docs/constrained.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/grammar/limits.h"
#include "chat/grammar/token_trie.h"

namespace bittern::chat::grammar {

struct Program;
class Configurations;
class Masks;

class Grammar {
 public:
  explicit Grammar(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  const std::shared_ptr<const Program>& program() const { return program_; }
  // States of the compiled automata.
  size_t state_count() const;

 private:
  std::shared_ptr<const Program> program_;
};

// Between the tokens of JSON.
enum class JsonSpace : uint8_t {
  none,      // {"a":1,"b":[1,2]}
  flexible,  // none, one space, or a line end and at most 20 spaces or tabs: any usual layout
};
struct JsonOptions {
  JsonSpace space = JsonSpace::flexible;
};

// Each throws Error{bad_input} (not well-formed, nothing can match, a limit of limits.h) or
// Error{unsupported} (a construct that cannot be honoured, named; never ignored). All end within
// the limits, whatever the text.

// Draft 2020-12. Errors name the JSON pointer of the keyword.
Grammar compile_json_schema(std::string_view schema, const JsonOptions& options = {});
// Any JSON object.
Grammar json_object(const JsonOptions& options = {});
// The whole text matches; ECMA-262 syntax with the u flag, without look-around, references and \b.
Grammar compile_regex(std::string_view expression);
// One of the texts, exactly.
Grammar compile_choice(std::span<const std::string> choices);
// llama.cpp's grammar language; the rule `root` matches the whole text.
Grammar compile_gbnf(std::string_view grammar);

// A grammar over a vocabulary, with the caches that its matchers share.
class Constraint {
 public:
  // Past about `cache_limit` bytes the caches start afresh, which changes no mask.
  Constraint(Grammar grammar, std::shared_ptr<const TokenTrie> trie,
             size_t cache_limit = kCacheBytesMax);
  ~Constraint();
  Constraint(const Constraint&) = delete;
  Constraint& operator=(const Constraint&) = delete;

  const TokenTrie& trie() const { return *trie_; }
  // Of the caches, about.
  size_t cache_bytes() const;

 private:
  friend class Matcher;
  void start_afresh();

  Grammar grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  size_t cache_limit_;
  std::unique_ptr<Configurations> configurations_;
  std::unique_ptr<Masks> masks_;
  uint64_t generation_ = 0;  // of the caches: numbers of an older one mean nothing
};

// One sequence. A copy is cheap and goes its own way.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<Constraint> constraint);

  // Sets exactly the bits of the tokens that may come next: bit id % 64 of word id / 64. Tokens
  // that end a generation are among them exactly where the text may end; behind one, none is set.
  // False where no bit is set, which before an end can only be with a vocabulary that lacks bytes.
  // `bits` has trie().mask_words() words, or more; those behind are cleared. Throws
  // Error{bad_input} where a hostile grammar reaches a limit.
  bool mask(std::span<uint64_t> bits);
  // Takes a token; false, and no change, where the mask forbids it.
  bool accept(int32_t token);
  // Takes plain text, whole or not at all (one step for rollback()).
  bool accept_text(std::string_view text);
  // Takes back the last `count` accepted tokens (at most all of them).
  void rollback(size_t count);

  // The text so far is a whole match.
  bool is_complete();
  // A token that ends a generation was accepted.
  bool is_finished() const { return finished_; }
  // The text that must come next whatever is sampled, at most `limit` bytes; not always whole
  // characters. Empty where there is a choice, or the text may end.
  std::string forced(size_t limit = 256);
  // Accepted tokens.
  size_t length() const { return history_.size(); }

 private:
  struct Entry {
    size_t text_end;
    int32_t configuration;
  };
  // Brings the configuration up to date with the caches.
  int32_t current();
  void push(int32_t configuration, size_t text_end);

  std::shared_ptr<Constraint> constraint_;
  std::string text_;  // all accepted bytes, to find the way again in fresh caches
  std::vector<Entry> history_;
  uint64_t generation_;
  int32_t start_;
  bool finished_ = false;
};

}  // namespace bittern::chat::grammar
