#include "serve/openai/log_probabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace bittern::serve::openai {
namespace {

constexpr double kImpossible = -9999.0;

double finite(double value) { return std::isfinite(value) ? value : kImpossible; }

std::string bytes_of(const text::Tokenizer& tokenizer, int32_t token) {
  return tokenizer.token_bytes(token, {.skip_special = false});
}

JsonBuilder chat_entry(const text::Tokenizer& tokenizer, const engine::TokenLogProbability& entry) {
  const std::string text = bytes_of(tokenizer, entry.token);
  JsonBuilder bytes = JsonBuilder::array();
  for (const char byte : text) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", text}, {"logprob", finite(entry.value)}, {"bytes", std::move(bytes)}};
}

std::string shown(const std::string& bytes) {
  if (utf8::is_valid(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

// Characters that begin in it.
int64_t character_count(const std::string& bytes) {
  return std::ranges::count_if(
      bytes, [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; });
}

}  // namespace

JsonBuilder chat_log_probabilities(const text::Tokenizer& tokenizer,
                                   std::span<const engine::LogProbabilities> entries) {
  JsonBuilder rows = JsonBuilder::array();
  for (const engine::LogProbabilities& entry : entries) {
    JsonBuilder row = chat_entry(tokenizer, entry.chosen);
    row["top_logprobs"] = JsonBuilder::array();
    for (const engine::TokenLogProbability& other : entry.top)
      row["top_logprobs"].push_back(chat_entry(tokenizer, other));
    rows.push_back(std::move(row));
  }
  return rows;
}

CompletionLogProbabilities::CompletionLogProbabilities()
    : json_{{"tokens", JsonBuilder::array()},
            {"token_logprobs", JsonBuilder::array()},
            {"top_logprobs", JsonBuilder::array()},
            {"text_offset", JsonBuilder::array()}} {}

void CompletionLogProbabilities::add_token(const std::string& bytes) {
  json_["tokens"].push_back(shown(bytes));
  json_["text_offset"].push_back(offset_);
  offset_ += character_count(bytes);
}

void CompletionLogProbabilities::add_first(const text::Tokenizer& tokenizer, int32_t token) {
  add_token(bytes_of(tokenizer, token));
  json_["token_logprobs"].push_back(nullptr);
  json_["top_logprobs"].push_back(nullptr);
}

// The token itself is among the likeliest whatever its rank; of tokens with one text the likeliest
// counts.
void CompletionLogProbabilities::add(const text::Tokenizer& tokenizer,
                                     const engine::LogProbabilities& entry) {
  const std::string bytes = bytes_of(tokenizer, entry.chosen.token);
  add_token(bytes);
  json_["token_logprobs"].push_back(finite(entry.chosen.value));
  JsonBuilder top = JsonBuilder::object();
  for (const engine::TokenLogProbability& other : entry.top) {
    const std::string name = shown(bytes_of(tokenizer, other.token));
    if (!top.contains(name)) top[name] = finite(other.value);
  }
  if (!top.contains(shown(bytes))) top[shown(bytes)] = finite(entry.chosen.value);
  json_["top_logprobs"].push_back(std::move(top));
}

}  // namespace bittern::serve::openai
