// The C API as tests use it: handles that free themselves, and what comes back from a request as
// values.
#pragma once

#include <bittern.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bittern::test {

template <auto kFree>
struct FreeBy {
  template <typename Handle>
  void operator()(Handle* handle) const {
    kFree(handle);
  }
};
using ModelHandle = std::unique_ptr<bittern_model, FreeBy<bittern_model_free>>;
using RequestHandle = std::unique_ptr<bittern_request, FreeBy<bittern_request_free>>;
using SequenceHandle = std::unique_ptr<bittern_sequence, FreeBy<bittern_sequence_free>>;

bittern_load_options load_options();
// Loads it, the example model by default; the test ends where it does not.
ModelHandle load(const std::string& path, const bittern_load_options& options = load_options());
ModelHandle load_example(const bittern_load_options& options = load_options());
bittern_model_info info_of(const bittern_model* model);

// "Once upon a time", 32 tokens, seed 1.
bittern_generate_options generate_options(const bittern_model* model);

struct Text {
  std::string text;
  std::vector<int32_t> tokens;
  std::vector<bittern_logprob> logprobs, top_logprobs, prompt_logprobs, prompt_top_logprobs;
  int32_t finish_reason = BITTERN_FINISH_NONE;
  std::string stop, error;
  int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
};
using Texts = std::map<int32_t, Text>;  // by choice

// What a delta adds.
void add(Texts& texts, const bittern_delta& delta);
// All texts of a request; the test fails where it has an error.
Texts generate(bittern_model* model, const bittern_generate_options& options);
std::string text_of(bittern_model* model, const bittern_generate_options& options);

RequestHandle submit(bittern_model* model, const bittern_generate_options& options);
// What is still to come.
Texts rest_of(bittern_request* request);

std::vector<int32_t> tokenize(const bittern_model* model, const std::string& text,
                              int32_t flags = BITTERN_ADD_SPECIAL | BITTERN_PARSE_SPECIAL);

// "2: message" of a call that fails, "ok" of one that does not.
std::string outcome(int32_t status);

}  // namespace bittern::test
