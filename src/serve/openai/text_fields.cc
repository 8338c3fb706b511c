#include "serve/openai/text_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "serve/limits.h"
#include "serve/openai/error.h"

namespace bittern::serve::openai {
namespace {

constexpr int64_t kCountMax = std::numeric_limits<int32_t>::max();
constexpr double kPenaltyMax = 100.0;
constexpr double kBiasMax = 100.0;

struct NumberField {
  std::string_view name;
  std::optional<double> SamplingFields::*target;
  double least, most;
};
// OpenAI's ranges are narrower for temperature (2) and penalties (2).
constexpr NumberField kNumbers[] = {
    {"temperature", &SamplingFields::temperature, 0.0, kPenaltyMax},
    {"top_p", &SamplingFields::top_p, 0.0, 1.0},
    {"min_p", &SamplingFields::min_p, 0.0, 1.0},
    {"typical_p", &SamplingFields::typical_p, 0.0, 1.0},
    {"top_n_sigma", &SamplingFields::top_n_sigma, -1.0, kPenaltyMax},
    {"xtc_probability", &SamplingFields::xtc_probability, 0.0, 1.0},
    {"xtc_threshold", &SamplingFields::xtc_threshold, 0.0, 1.0},
    {"dry_multiplier", &SamplingFields::dry_multiplier, 0.0, kPenaltyMax},
    {"dry_base", &SamplingFields::dry_base, 1.0, kPenaltyMax},
    {"repeat_penalty", &SamplingFields::repeat_penalty, 1e-3, kPenaltyMax},
    {"frequency_penalty", &SamplingFields::frequency_penalty, -kPenaltyMax, kPenaltyMax},
    {"presence_penalty", &SamplingFields::presence_penalty, -kPenaltyMax, kPenaltyMax},
};

struct IntegerField {
  std::string_view name;
  std::optional<int64_t> SamplingFields::*target;
  int64_t least, most;
};
constexpr IntegerField kIntegers[] = {
    {"top_k", &SamplingFields::top_k, -1, kCountMax},
    {"repeat_last_n", &SamplingFields::repeat_last_n, -1, kCountMax},
    {"dry_allowed_length", &SamplingFields::dry_allowed_length, 0, kCountMax},
    {"dry_penalty_last_n", &SamplingFields::dry_last_n, -1, kCountMax},
    {"seed", &SamplingFields::seed, std::numeric_limits<int64_t>::min(),
     std::numeric_limits<int64_t>::max()},
};

int32_t token_of(std::string_view digits, const std::string& path) {
  int32_t token = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), token);
  if (error != std::errc() || end != digits.data() + digits.size() || token < 0)
    refuse(path, error_code::kValue, "token ids expected as names, got \"{}\"", printable(digits));
  return token;
}

// {"50256": -100}
std::vector<engine::LogitBias> read_logit_bias(Fields& fields) {
  std::vector<engine::LogitBias> biases;
  const auto value = fields.take("logit_bias");
  if (!value) return biases;
  const std::string path = fields.path("logit_bias");
  if (!value->is(json::Kind::object))
    refuse(path, error_code::kType, "object expected, got {}", json::kind_name(value->kind()));
  for (const auto& [name, bias] : value->members(path))
    biases.push_back(
        {token_of(name, path),
         static_cast<float>(number_of(bias, path + "." + printable(name), -kBiasMax, kBiasMax))});
  return biases;
}

SamplingFields read_sampling(Fields& fields) {
  SamplingFields sampling;
  for (const NumberField& row : kNumbers)
    sampling.*row.target = fields.number(row.name, row.least, row.most);
  for (const IntegerField& row : kIntegers)
    sampling.*row.target = fields.integer(row.name, row.least, row.most);
  // vLLM's name; its penalty looks at the whole text.
  if (const auto penalty = fields.number("repetition_penalty", 1e-3, kPenaltyMax)) {
    if (sampling.repeat_penalty)
      refuse(fields.path("repetition_penalty"), error_code::kValue,
             "the same as repeat_penalty, of which one is expected");
    sampling.repeat_penalty = penalty;
    if (!sampling.repeat_last_n) sampling.repeat_last_n = -1;
  }
  sampling.dry_breakers = fields.texts("dry_sequence_breakers");
  if (const auto names = fields.texts("samplers")) {
    try {
      sampling.stages = engine::parse_stages(fmt::format("{}", fmt::join(*names, ";")), "samplers");
    } catch (const Error& error) {
      refuse(fields.path("samplers"), error_code::kValue, "{}", error.message());
    }
  }
  sampling.logit_bias = read_logit_bias(fields);
  return sampling;
}

std::vector<std::string> read_stops(Fields& fields) {
  std::vector<std::string> stops;
  const auto value = fields.take("stop");
  if (!value) return stops;
  const std::string path = fields.path("stop");
  if (value->is(json::Kind::string))
    stops.push_back(text_of(*value, path));
  else
    stops = texts_of(*value, path);
  if (stops.size() > kStopsMax)
    refuse(path, error_code::kValue, "at most {} texts expected, got {}", kStopsMax, stops.size());
  for (const std::string& stop : stops) {
    if (stop.empty() || stop.size() > kStopBytesMax)
      refuse(path, error_code::kValue, "texts of 1 to {} bytes expected, got {}", kStopBytesMax,
             stop.size());
  }
  return stops;
}

std::vector<int32_t> read_stop_tokens(Fields& fields) {
  std::vector<int32_t> tokens;
  const auto value = fields.take("stop_token_ids");
  if (!value) return tokens;
  const std::string path = fields.path("stop_token_ids");
  for (const json::Value& element : elements_of(*value, path))
    tokens.push_back(
        static_cast<int32_t>(integer_of(element, element_path(path, tokens.size()), 0, kCountMax)));
  return tokens;
}

using Kind = ConstraintField::Kind;

// A schema, as an object or (guided_json allows it) as its text.
ConstraintField schema_field(const json::Value& value, std::string path) {
  const bool is_text = value.is(json::Kind::string);
  return {.kind = Kind::json_schema,
          .text = is_text ? text_of(value, path) : value.to_text(),
          .choices = {},
          .path = std::move(path)};
}

// {"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}. `strict` changes nothing:
// a schema is always kept to.
std::optional<ConstraintField> read_response_format(Fields& fields) {
  const auto value = fields.take("response_format");
  if (!value) return std::nullopt;
  Fields format(*value, fields.path("response_format"));
  const json::Value type_value = format.require("type");
  const std::string type = text_of(type_value, format.path("type"));
  std::optional<ConstraintField> constraint;
  if (type == "json_object") {
    constraint = {
        .kind = Kind::json_object, .text = {}, .choices = {}, .path = format.path("type")};
    // llama.cpp's server.
    if (const auto schema = format.take("schema"))
      constraint = schema_field(*schema, format.path("schema"));
  } else if (type == "json_schema") {
    Fields described(format.require("json_schema"), format.path("json_schema"));
    described.require("name");
    described.ignore("description");
    described.boolean("strict");
    if (const auto schema = described.take("schema"))
      constraint = schema_field(*schema, described.path("schema"));
    else
      constraint = {
          .kind = Kind::json_object, .text = {}, .choices = {}, .path = format.path("type")};
    described.finish();
  } else if (type != "text") {
    refuse(format.path("type"), error_code::kValue,
           "text, json_object or json_schema expected, got \"{}\"", printable(type));
  }
  format.finish();
  return constraint;
}

// The members of vLLM's structured_outputs, and its older guided_ fields, under `prefix`.
void read_structures(Fields& fields, std::string_view prefix, std::vector<ConstraintField>& found) {
  const auto name = [&](std::string_view rest) { return fmt::format("{}{}", prefix, rest); };
  if (const auto schema = fields.take(name("json")))
    found.push_back(schema_field(*schema, fields.path(name("json"))));
  if (auto text = fields.text(name("regex")))
    found.push_back({Kind::regex, *std::move(text), {}, fields.path(name("regex"))});
  if (auto texts = fields.texts(name("choice")))
    found.push_back({Kind::choice, {}, *std::move(texts), fields.path(name("choice"))});
  if (auto text = fields.text(name("grammar")))
    found.push_back({Kind::gbnf, *std::move(text), {}, fields.path(name("grammar"))});
  if (fields.boolean(name("json_object")).value_or(false))
    found.push_back({Kind::json_object, {}, {}, fields.path(name("json_object"))});
  fields.refuse(name("structural_tag"), "structural tags are not supported");
  fields.refuse(name("whitespace_pattern"), "spaces between the tokens of JSON cannot be chosen");
}

std::optional<ConstraintField> read_constraint(Fields& fields) {
  std::vector<ConstraintField> found;
  if (auto format = read_response_format(fields)) found.push_back(*std::move(format));
  if (const auto value = fields.take("structured_outputs")) {
    Fields structures(*value, fields.path("structured_outputs"));
    read_structures(structures, "", found);
    structures.finish();
  }
  read_structures(fields, "guided_", found);
  if (const auto schema = fields.take("json_schema"))  // llama.cpp's server
    found.push_back(schema_field(*schema, fields.path("json_schema")));
  if (auto text = fields.text("grammar"))
    found.push_back({Kind::gbnf, *std::move(text), {}, fields.path("grammar")});
  if (found.size() > 1)
    refuse(found[1].path, error_code::kValue, "not with {}: a text is held to one grammar",
           found[0].path);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

void read_stream(Fields& fields, TextFields& text) {
  text.stream = fields.boolean("stream").value_or(false);
  const auto options = fields.take("stream_options");
  if (!options) return;
  if (!text.stream)
    refuse(fields.path("stream_options"), error_code::kValue, "only with \"stream\": true");
  Fields inner(*options, fields.path("stream_options"));
  text.stream_usage = inner.boolean("include_usage").value_or(false);
  inner.boolean("include_obfuscation");  // padding against observers: there are none here
  inner.finish();
}

engine::SamplingOptions apply(const SamplingFields& fields, const TextDefaults& defaults) {
  engine::SamplingOptions options = defaults.sampling;
  const auto set = [](auto& target, const auto& given) {
    if (given) target = *given;
  };
  set(options.temperature, fields.temperature);
  set(options.top_k, fields.top_k);
  options.top_k = std::max<int64_t>(0, options.top_k);
  set(options.top_p, fields.top_p);
  set(options.min_p, fields.min_p);
  set(options.typical_p, fields.typical_p);
  set(options.top_n_sigma, fields.top_n_sigma);
  set(options.xtc_probability, fields.xtc_probability);
  set(options.xtc_threshold, fields.xtc_threshold);
  set(options.dry_multiplier, fields.dry_multiplier);
  set(options.dry_base, fields.dry_base);
  set(options.dry_allowed_length, fields.dry_allowed_length);
  set(options.dry_last_n, fields.dry_last_n);
  set(options.dry_breakers, fields.dry_breakers);
  set(options.repeat_penalty, fields.repeat_penalty);
  set(options.repeat_last_n, fields.repeat_last_n);
  if (options.repeat_last_n < 0) options.repeat_last_n = defaults.context;
  set(options.frequency_penalty, fields.frequency_penalty);
  set(options.presence_penalty, fields.presence_penalty);
  set(options.stages, fields.stages);
  for (const engine::LogitBias& bias : fields.logit_bias) {
    if (bias.token >= defaults.token_count)
      refuse("logit_bias", error_code::kValue, "token ids below {} expected, got {}",
             defaults.token_count, bias.token);
    options.logit_bias.push_back(bias);
  }
  options.seed = defaults.seed;
  if (fields.seed && *fields.seed >= 0) options.seed = static_cast<uint64_t>(*fields.seed);
  return options;
}

engine::ConstraintCache::Shared compile(const ConstraintField& field,
                                        engine::ConstraintCache& constraints) {
  try {
    switch (field.kind) {
      case Kind::json_object:
        return constraints.json_object();
      case Kind::json_schema:
        return constraints.json_schema(field.text);
      case Kind::regex:
        return constraints.regex(field.text);
      case Kind::choice:
        return constraints.choice(field.choices);
      case Kind::gbnf:
        return constraints.gbnf(field.text);
    }
  } catch (const Error& error) {
    const bool is_unsupported = error.kind() == ErrorKind::unsupported;
    refuse(field.path, is_unsupported ? error_code::kUnsupported : error_code::kValue, "{}",
           error.message());
  }
  return nullptr;
}

}  // namespace

TextFields read_text_fields(Fields& fields) {
  TextFields text;
  text.model = fields.text("model").value_or("");
  text.sampling = read_sampling(fields);
  text.min_tokens = fields.integer("min_tokens", 0, kCountMax).value_or(0);
  text.stops = read_stops(fields);
  text.stop_tokens = read_stop_tokens(fields);
  text.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  text.choices = fields.integer("n", 1, kChoicesMax).value_or(1);
  text.constraint = read_constraint(fields);
  text.priority =
      static_cast<int32_t>(fields.integer("priority", -kCountMax, kCountMax).value_or(0));
  text.cache_salt = fields.text("cache_salt").value_or("");
  if (text.cache_salt.size() > kCacheSaltBytesMax)
    refuse(fields.path("cache_salt"), error_code::kValue, "at most {} bytes expected, got {}",
           kCacheSaltBytesMax, text.cache_salt.size());
  text.cache_prompt = fields.boolean("cache_prompt").value_or(true);
  read_stream(fields, text);
  fields.ignore("user");
  fields.ignore("metadata");
  return text;
}

void refuse_unsupported(Fields& fields) {
  constexpr std::string_view kOnlyDefault = "only the default is supported";
  fields.refuse("allowed_token_ids", "not supported; guided_choice and logit_bias are");
  fields.refuse("bad_words", "not supported; logit_bias is");
  fields.refuse("truncate_prompt_tokens", "prompts are never cut");
  fields.refuse("prompt_logprobs", "not supported; completions have echo with logprobs");
  fields.refuse("use_beam_search", "not supported; completions have best_of");
  fields.refuse("lora", "adapters are not supported");
  if (!fields.boolean("skip_special_tokens").value_or(true))
    refuse(fields.path("skip_special_tokens"), error_code::kUnsupported, "{}", kOnlyDefault);
  if (fields.boolean("include_stop_str_in_output").value_or(false))
    refuse(fields.path("include_stop_str_in_output"), error_code::kUnsupported, "{}", kOnlyDefault);
}

engine::Request apply(const TextFields& fields, const TextDefaults& defaults,
                      engine::ConstraintCache& constraints) {
  engine::Request request;
  request.sampling = apply(fields.sampling, defaults);
  request.max_tokens = fields.max_tokens ? fields.max_tokens : defaults.max_tokens;
  request.min_tokens = fields.min_tokens;
  request.stops = fields.stops;
  request.stop_tokens = fields.stop_tokens;
  request.ignore_end_of_generation = fields.ignore_eos;
  if (fields.constraint) request.constraint = compile(*fields.constraint, constraints);
  request.choices = fields.choices;
  request.priority = -fields.priority;
  request.tenant = fields.cache_salt;
  request.reuse_prefix = fields.cache_prompt;
  return request;
}

void require_fit(const std::vector<int32_t>& prompt, int64_t context, const std::string& path) {
  const auto count = static_cast<int64_t>(prompt.size());
  if (count == 0) refuse(path, error_code::kValue, "at least one token expected");
  if (count > context)
    refuse(path, error_code::kContextLength,
           "{} tokens, more than the maximum context length of {} tokens", count, context);
}

}  // namespace bittern::serve::openai
