#include "api/generate_options.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "api/buffers.h"
#include "api/chat_conversation.h"
#include "api/sized_struct.h"
#include "base/error.h"

namespace bittern::api {
namespace {

uint64_t drawn_seed() {
  // 32 bits: short enough to be typed again.
  return std::random_device{}();
}

engine::SamplingOptions sampling_of(const bittern_generate_options& given, int64_t context) {
  engine::SamplingOptions sampling;
  for (const bittern_logit_bias& entry :
       span_of(given.logit_bias, given.logit_bias_count, "logit_bias"))
    sampling.logit_bias.push_back({entry.token, entry.bias});
  sampling.repeat_last_n = given.repeat_last_n < 0 ? context : given.repeat_last_n;
  sampling.repeat_penalty = given.repeat_penalty;
  sampling.frequency_penalty = given.frequency_penalty;
  sampling.presence_penalty = given.presence_penalty;
  sampling.dry_multiplier = given.dry_multiplier;
  sampling.dry_base = given.dry_base;
  sampling.dry_allowed_length = given.dry_allowed_length;
  sampling.dry_last_n = std::max<int64_t>(-1, given.dry_last_n);
  if (given.dry_breakers != nullptr)
    sampling.dry_breakers = texts_of(given.dry_breakers, given.dry_breaker_count, "dry_breakers");
  sampling.top_n_sigma = given.top_n_sigma;
  sampling.top_k = given.top_k;
  sampling.typical_p = given.typical_p;
  sampling.top_p = given.top_p;
  sampling.min_p = given.min_p;
  sampling.xtc_probability = given.xtc_probability;
  sampling.xtc_threshold = given.xtc_threshold;
  sampling.temperature = given.temperature;
  sampling.seed = given.seed;
  if (given.samplers != nullptr) sampling.stages = engine::parse_stages(given.samplers, "samplers");
  return sampling;
}

std::vector<int32_t> prompt_of(Instance& instance, const bittern_generate_options& given) {
  const bool chats = given.message_count > 0 || given.chat_json != nullptr;
  const int sources = (given.prompt != nullptr) + (given.prompt_tokens != nullptr) + chats;
  if (sources != 1)
    fail(ErrorKind::usage, "prompt: one of prompt, prompt_tokens and messages expected, got {}",
         sources);
  if (given.prompt_tokens != nullptr)
    return {given.prompt_tokens, given.prompt_tokens + given.prompt_token_count};
  if (!chats) {
    return engine::encode(
        instance.tokenizer(),
        {.text = std::string(text_of(given.prompt, given.prompt_bytes, "prompt"))});
  }
  const engine::Prompt prompt = render_chat(
      instance, span_of(given.messages, given.message_count, "messages"), given.chat_json);
  return engine::encode(instance.tokenizer(), prompt);
}

engine::ConstraintCache::Shared constraint_of(Instance& instance,
                                              const bittern_generate_options& given) {
  const int kinds = (given.json_schema != nullptr) + (given.json_object != 0) +
                    (given.regex != nullptr) + (given.choices != nullptr) +
                    (given.grammar != nullptr);
  if (kinds == 0) return nullptr;
  if (kinds > 1)
    fail(ErrorKind::usage,
         "at most one of json_schema, json_object, regex, choices and grammar expected, got {}",
         kinds);
  engine::ConstraintCache& cache = instance.constraints();
  if (given.json_schema != nullptr) return cache.json_schema(given.json_schema);
  if (given.json_object != 0) return cache.json_object();
  if (given.regex != nullptr) return cache.regex(given.regex);
  if (given.grammar != nullptr) return cache.gbnf(given.grammar);
  return cache.choice(texts_of(given.choices, given.choice_count, "choices"));
}

std::optional<int64_t> unless_negative(int64_t value) {
  return value < 0 ? std::nullopt : std::optional(value);
}

}  // namespace

bittern_generate_options default_generate_options(const bittern_model* model) {
  engine::SamplingOptions sampling;
  std::optional<int64_t> max_tokens;
  if (model != nullptr) {
    const model::Model& known = model->instance->model();
    sampling = engine::default_sampling(known.generation, known.config.file);
    max_tokens = known.generation.max_tokens;
  }
  bittern_generate_options options = {};
  options.size = sizeof options;
  options.prompt_bytes = BITTERN_UNTIL_NUL;
  options.max_tokens = max_tokens.value_or(-1);
  options.seed = drawn_seed();
  options.temperature = sampling.temperature;
  options.top_k = sampling.top_k;
  options.top_p = sampling.top_p;
  options.min_p = sampling.min_p;
  options.typical_p = sampling.typical_p;
  options.top_n_sigma = sampling.top_n_sigma;
  options.xtc_probability = sampling.xtc_probability;
  options.xtc_threshold = sampling.xtc_threshold;
  options.repeat_penalty = sampling.repeat_penalty;
  options.frequency_penalty = sampling.frequency_penalty;
  options.presence_penalty = sampling.presence_penalty;
  options.repeat_last_n = sampling.repeat_last_n;
  options.dry_multiplier = sampling.dry_multiplier;
  options.dry_base = sampling.dry_base;
  options.dry_allowed_length = sampling.dry_allowed_length;
  options.dry_last_n = sampling.dry_last_n;
  options.n = 1;
  options.logprobs = -1;
  options.prompt_logprobs = -1;
  options.reuse_prefix = 1;
  return options;
}

engine::Request request_of(Instance& instance, const bittern_generate_options* given) {
  require(given, "options");
  const bittern_generate_options options =
      taken(given, kGenerateOptionsFirstSize, default_generate_options(nullptr));
  engine::Request request;
  request.sampling = sampling_of(options, instance.session().options.context);
  engine::validate(request.sampling, ErrorKind::usage, "options");
  request.max_tokens = unless_negative(options.max_tokens);
  request.min_tokens = options.min_tokens;
  request.stops = texts_of(options.stops, options.stop_count, "stops");
  const auto stop_tokens = span_of(options.stop_tokens, options.stop_token_count, "stop_tokens");
  request.stop_tokens.assign(stop_tokens.begin(), stop_tokens.end());
  request.ignore_end_of_generation = options.ignore_eos != 0;
  request.top_log_probability_count = unless_negative(options.logprobs);
  request.prompt_log_probability_count = unless_negative(options.prompt_logprobs);
  request.choices = options.n;
  request.best_of = options.best_of;
  request.priority = options.priority;
  if (options.tenant != nullptr) request.tenant = options.tenant;
  request.reuse_prefix = options.reuse_prefix != 0;
  request.prompt = prompt_of(instance, options);
  request.constraint = constraint_of(instance, options);
  return request;
}

}  // namespace bittern::api
