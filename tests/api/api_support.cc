#include "api/api_support.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bittern::test {

bittern_load_options load_options() {
  bittern_load_options options;
  EXPECT_EQ(bittern_load_options_init(&options, sizeof options), BITTERN_OK);
  options.cache = "off";
  return options;
}

ModelHandle load(const std::string& path, const bittern_load_options& options) {
  bittern_model* model = nullptr;
  if (bittern_model_load(path.c_str(), &options, &model) != BITTERN_OK)
    throw std::runtime_error(bittern_last_error());
  return ModelHandle(model);
}

ModelHandle load_example(const bittern_load_options& options) {
  return load(BITTERN_SOURCE "/models/bittern-stories.gguf", options);
}

bittern_model_info info_of(const bittern_model* model) {
  bittern_model_info info;
  EXPECT_EQ(bittern_model_get_info(model, &info, sizeof info), BITTERN_OK);
  return info;
}

bittern_generate_options generate_options(const bittern_model* model) {
  bittern_generate_options options;
  EXPECT_EQ(bittern_generate_options_init(&options, sizeof options, model), BITTERN_OK);
  options.prompt = "Once upon a time";
  options.max_tokens = 32;
  options.seed = 1;
  return options;
}

namespace {

void append(std::vector<bittern_logprob>& to, const bittern_logprob* from, size_t count) {
  if (from != nullptr) to.insert(to.end(), from, from + count);
}

int32_t hear(void* user, const bittern_delta* delta) {
  add(*static_cast<Texts*>(user), *delta);
  return 0;
}

}  // namespace

void add(Texts& texts, const bittern_delta& delta) {
  Text& text = texts[delta.choice];
  EXPECT_EQ(text.finish_reason, BITTERN_FINISH_NONE) << "a piece behind the end";
  EXPECT_EQ(delta.text[delta.text_bytes], '\0');
  text.text.append(delta.text, delta.text_bytes);
  text.tokens.insert(text.tokens.end(), delta.tokens, delta.tokens + delta.token_count);
  append(text.logprobs, delta.logprobs, delta.token_count);
  append(text.top_logprobs, delta.top_logprobs, delta.token_count * delta.top_count);
  append(text.prompt_logprobs, delta.prompt_logprobs, delta.prompt_logprob_count);
  append(text.prompt_top_logprobs, delta.prompt_top_logprobs,
         delta.prompt_logprob_count * delta.prompt_top_count);
  text.finish_reason = delta.finish_reason;
  if (delta.finish_reason == BITTERN_FINISH_NONE) {
    EXPECT_EQ(delta.stop, nullptr);
    EXPECT_EQ(delta.error, nullptr);
    return;
  }
  if (delta.stop != nullptr) text.stop = delta.stop;
  if (delta.error != nullptr) text.error = delta.error;
  text.prompt_tokens = delta.prompt_tokens;
  text.cached_tokens = delta.cached_tokens;
  text.generated_tokens = delta.generated_tokens;
}

Texts generate(bittern_model* model, const bittern_generate_options& options) {
  Texts texts;
  EXPECT_EQ(outcome(bittern_generate(model, &options, hear, &texts)), "ok");
  return texts;
}

std::string text_of(bittern_model* model, const bittern_generate_options& options) {
  return generate(model, options)[0].text;
}

RequestHandle submit(bittern_model* model, const bittern_generate_options& options) {
  bittern_request* request = nullptr;
  EXPECT_EQ(outcome(bittern_submit(model, &options, &request)), "ok");
  return RequestHandle(request);
}

Texts rest_of(bittern_request* request) {
  Texts texts;
  const bittern_delta* delta = nullptr;
  int32_t status = bittern_request_next(request, -1, &delta);
  for (; status == BITTERN_OK; status = bittern_request_next(request, -1, &delta))
    add(texts, *delta);
  EXPECT_EQ(status, BITTERN_END) << bittern_last_error();
  return texts;
}

std::vector<int32_t> tokenize(const bittern_model* model, const std::string& text, int32_t flags) {
  size_t count = 0;
  EXPECT_EQ(outcome(bittern_tokenize(model, text.data(), text.size(), flags, nullptr, 0, &count)),
            "ok");
  std::vector<int32_t> tokens(count);
  EXPECT_EQ(outcome(bittern_tokenize(model, text.data(), text.size(), flags, tokens.data(), count,
                                     &count)),
            "ok");
  EXPECT_EQ(count, tokens.size());
  return tokens;
}

std::string outcome(int32_t status) {
  if (status == BITTERN_OK) return "ok";
  return fmt::format("{}: {}", status, bittern_last_error());
}

}  // namespace bittern::test
