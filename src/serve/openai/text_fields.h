// The fields that chat completions and completions share: how tokens are chosen, where the text
// ends, what it must match. OpenAI's names and ranges, and the names of vLLM and llama.cpp's server
// for what OpenAI does not have. Plain data; apply() puts it over a model's defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/constraint_cache.h"
#include "engine/request.h"
#include "engine/sampling_options.h"
#include "serve/openai/fields.h"

namespace bittern::serve::openai {

// Nothing: the default of the model, or of whoever runs it.
struct SamplingFields {
  std::optional<double> temperature, top_p, min_p, typical_p, top_n_sigma;
  std::optional<double> xtc_probability, xtc_threshold, dry_multiplier, dry_base;
  std::optional<double> repeat_penalty, frequency_penalty, presence_penalty;
  std::optional<int64_t> top_k, repeat_last_n, dry_allowed_length, dry_last_n, seed;
  std::optional<std::vector<std::string>> dry_breakers;
  std::optional<std::vector<engine::SamplerStage>> stages;
  std::vector<engine::LogitBias> logit_bias;
};

// What the text must match.
struct ConstraintField {
  enum class Kind : uint8_t { json_object, json_schema, regex, choice, gbnf };
  Kind kind = Kind::json_object;
  std::string text;
  std::vector<std::string> choices;
  std::string path;  // the field it came from
};

struct TextFields {
  std::string model;  // as the request names it
  SamplingFields sampling;
  std::optional<int64_t> max_tokens;
  int64_t min_tokens = 0;
  std::vector<std::string> stops;
  std::vector<int32_t> stop_tokens;
  bool ignore_eos = false;
  int64_t choices = 1;
  std::optional<ConstraintField> constraint;
  int32_t priority = 0;  // as vLLM has it: lower goes first
  std::string cache_salt;
  bool cache_prompt = true;
  bool stream = false;
  bool stream_usage = false;
};

// Takes those fields; the rest of the body is the caller's. Throws FieldError.
TextFields read_text_fields(Fields& fields);

// Known to other servers and not to this one, with the reason, for both kinds of requests.
void refuse_unsupported(Fields& fields);

// What a model answers with where a request is silent.
struct TextDefaults {
  engine::SamplingOptions sampling;
  std::optional<int64_t> max_tokens;
  int64_t context = 0;      // tokens of prompt and text together
  int64_t token_count = 0;  // ids that may be drawn
  uint64_t seed = 0;        // of this request
};

// All of a request but its prompt and its log-probabilities. Throws FieldError: ids beyond the
// vocabulary, a grammar that cannot be compiled.
engine::Request apply(const TextFields& fields, const TextDefaults& defaults,
                      engine::ConstraintCache& constraints);

// A prompt that fits with room for a token; throws FieldError naming `path` where it does not.
void require_fit(const std::vector<int32_t>& prompt, int64_t context, const std::string& path);

}  // namespace bittern::serve::openai
