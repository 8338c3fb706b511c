#include "engine/plain_generation.h"

#include "engine/sampler.h"
#include "engine/stop_matcher.h"

namespace bittern::engine {

PlainGeneration generate_plainly(const Request& request, SequenceRunner& runner,
                                 const text::Tokenizer& tokenizer) {
  PlainGeneration result;
  Sampler sampler(request.sampling, tokenizer.vocab_size(),
                  breakers_of(tokenizer, request.sampling.dry_breakers));
  StopMatcher matcher(request.stops);
  const auto stream = tokenizer.stream();
  for (const int32_t token : request.prompt) sampler.accept(token);
  const float* logits = runner.step(request.prompt, 1);
  while (std::ssize(result.tokens) < *request.max_tokens) {
    const int32_t token = sampler.sample(logits, std::ssize(result.tokens));
    sampler.accept(token);
    result.tokens.push_back(token);
    if (request.top_log_probability_count)
      result.log_probabilities.push_back(log_probabilities(logits, tokenizer.vocab_size(), token,
                                                           *request.top_log_probability_count));
    if (tokenizer.is_end_of_generation(token)) {
      result.finish_reason = FinishReason::stop_token;
      break;
    }
    result.text += matcher.push(stream->push(token));
    if (matcher.matched()) break;
    if (std::ssize(result.tokens) < *request.max_tokens) logits = runner.step({&token, 1}, 1);
  }
  result.text += matcher.push(stream->finish());
  result.text += matcher.finish();
  if (matcher.matched()) result.finish_reason = FinishReason::stop_string;
  return result;
}

}  // namespace bittern::engine
