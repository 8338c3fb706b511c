#include "engine/repeat_drafter.h"

#include "engine/request.h"

namespace bittern::engine {
namespace {

constexpr size_t kMostTenants = 64;

}  // namespace

size_t RepeatDrafter::class_of(int64_t length) {
  size_t found = 0;
  while (found + 1 < kLeastLength.size() && kLeastLength[found + 1] <= length) ++found;
  return found;
}

Guesses RepeatDrafter::guess(std::span<const int32_t> tokens, const GuessLimits& limits) {
  last_record_->learn(last_guesses_, tokens.subspan(static_cast<size_t>(automaton_.length())));
  while (automaton_.length() < std::ssize(tokens))
    automaton_.append(tokens[static_cast<size_t>(automaton_.length())]);
  last_guesses_.clear();
  const SuffixAutomaton::Repeat repeat = automaton_.longest_repeat();
  const TextPool::Match match = pool_ ? pool_->find(tokens, limits.most) : TextPool::Match{};
  if (match.length > repeat.length && !match.following.empty()) {
    last_record_ = &others_[class_of(match.length)];
    last_guesses_.assign(match.following.begin(), match.following.end());
  } else if (repeat.length > 0) {
    last_record_ = &own_[class_of(repeat.length)];
    // A repeat that ends one period ago goes on with what is guessed itself.
    const int64_t period = std::ssize(tokens) - repeat.end;
    for (int64_t place = 0; place < limits.most; ++place)
      last_guesses_.push_back(tokens[static_cast<size_t>(repeat.end + place % period)]);
  }
  return {last_guesses_, last_guesses_.empty() ? 0.0 : last_record_->probability()};
}

void RepeatDrafter::ended(std::span<const int32_t> tokens) {
  if (pool_) pool_->add(tokens);
}

MakeDrafter repeat_drafters(int64_t pool_tokens) {
  if (pool_tokens == 0) return [](const Request&) { return std::make_unique<RepeatDrafter>(); };
  auto pools = std::make_shared<TextPools>(pool_tokens, kMostTenants);
  return [pools](const Request& request) {
    return std::make_unique<RepeatDrafter>(pools->of(request.tenant));
  };
}

}  // namespace bittern::engine
