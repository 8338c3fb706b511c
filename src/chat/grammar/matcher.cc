#include <algorithm>
#include <utility>

#include "base/check.h"
#include "chat/grammar/configurations.h"
#include "chat/grammar/grammar.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/masks.h"

namespace bittern::chat::grammar {

size_t Grammar::state_count() const { return program_->states.size(); }

Constraint::Constraint(Grammar grammar, std::shared_ptr<const TokenTrie> trie, size_t cache_limit)
    : grammar_(std::move(grammar)), trie_(std::move(trie)), cache_limit_(cache_limit) {
  start_afresh();
}
Constraint::~Constraint() = default;

void Constraint::start_afresh() {
  masks_.reset();
  configurations_ = std::make_unique<Configurations>(grammar_.program());
  masks_ = std::make_unique<Masks>(*configurations_, *trie_);
  ++generation_;
}

size_t Constraint::cache_bytes() const { return configurations_->bytes() + masks_->bytes(); }

Matcher::Matcher(std::shared_ptr<Constraint> constraint)
    : constraint_(std::move(constraint)),
      generation_(constraint_->generation_),
      start_(constraint_->configurations_->start()) {}

int32_t Matcher::current() {
  if (constraint_->cache_bytes() > constraint_->cache_limit_) constraint_->start_afresh();
  if (generation_ != constraint_->generation_) {
    // The caches are new: walk the accepted text again.
    Configurations& configurations = *constraint_->configurations_;
    int32_t at = start_ = configurations.start();
    size_t done = 0;
    for (Entry& entry : history_) {
      for (; done < entry.text_end; ++done)
        at = configurations.step(at, static_cast<uint8_t>(text_[done]));
      entry.configuration = at;
    }
    generation_ = constraint_->generation_;
  }
  return history_.empty() ? start_ : history_.back().configuration;
}

bool Matcher::mask(std::span<uint64_t> bits) {
  const size_t words = constraint_->trie_->mask_words();
  BITTERN_CHECK(bits.size() >= words, "{} {}", bits.size(), words);
  std::ranges::fill(bits.subspan(words), 0);
  const int32_t at = current();
  if (finished_) {
    std::ranges::fill(bits, 0);
    return false;
  }
  constraint_->masks_->fill(at, bits.first(words));
  return std::ranges::any_of(bits.first(words), [](uint64_t word) { return word != 0; });
}

bool Matcher::accept(int32_t token) {
  const TokenTrie& trie = *constraint_->trie_;
  if (finished_ || token < 0 || token >= trie.vocab_size()) return false;
  if (std::ranges::find(trie.end_of_generation(), token) != trie.end_of_generation().end()) {
    if (!is_complete()) return false;
    push(current(), text_.size());
    finished_ = true;
    return true;
  }
  const std::string_view bytes = trie.token(token);
  return !bytes.empty() && accept_text(bytes);
}

bool Matcher::accept_text(std::string_view text) {
  if (finished_) return false;
  int32_t at = current();
  for (const char c : text) {
    at = constraint_->configurations_->step(at, static_cast<uint8_t>(c));
    if (at == kDead) return false;
  }
  text_ += text;
  push(at, text_.size());
  return true;
}

void Matcher::push(int32_t configuration, size_t text_end) {
  history_.push_back({text_end, configuration});
}

void Matcher::rollback(size_t count) {
  BITTERN_CHECK(count <= history_.size(), "{} {}", count, history_.size());
  if (count == 0) return;
  history_.resize(history_.size() - count);
  text_.resize(history_.empty() ? 0 : history_.back().text_end);
  finished_ = false;
}

bool Matcher::is_complete() {
  const int32_t at = current();  // first: it may replace the caches
  return constraint_->configurations_->accepting(at);
}

std::string Matcher::forced(size_t limit) {
  std::string text;
  if (finished_) return text;
  int32_t at = current();
  Configurations& configurations = *constraint_->configurations_;
  while (text.size() < limit) {
    const auto byte = configurations.forced(at);
    if (!byte) break;
    text += static_cast<char>(*byte);
    at = configurations.step(at, *byte);
  }
  return text;
}

}  // namespace bittern::chat::grammar
