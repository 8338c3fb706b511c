#include "api/delta_view.h"

#include <utility>

namespace bittern::api {
namespace {

int32_t finish_reason(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::stop_token:
      return BITTERN_FINISH_STOP_TOKEN;
    case engine::FinishReason::stop_string:
      return BITTERN_FINISH_STOP_STRING;
    case engine::FinishReason::max_tokens:
      return BITTERN_FINISH_MAX_TOKENS;
    case engine::FinishReason::context_full:
      return BITTERN_FINISH_CONTEXT_FULL;
    case engine::FinishReason::interrupted:
      return BITTERN_FINISH_CANCELLED;
    case engine::FinishReason::failed:
      return BITTERN_FINISH_FAILED;
  }
  return BITTERN_FINISH_FAILED;
}

bittern_logprob shown(const engine::TokenLogProbability& entry) {
  return {.logprob = entry.value, .token = entry.token, .reserved = 0};
}

}  // namespace

void DeltaView::Rows::set(const std::vector<engine::LogProbabilities>& values) {
  chosen.clear();
  top.clear();
  // As many in every row: the number asked for.
  top_count = values.empty() ? 0 : values.front().top.size();
  for (const engine::LogProbabilities& row : values) {
    chosen.push_back(shown(row.chosen));
    for (const engine::TokenLogProbability& entry : row.top) top.push_back(shown(entry));
  }
}

const bittern_delta* DeltaView::show(engine::Delta delta) {
  delta_ = std::move(delta);
  text_rows_.set(delta_.log_probabilities);
  prompt_rows_.set(delta_.prompt_log_probabilities);
  shown_ = {};
  shown_.choice = static_cast<int32_t>(delta_.choice);
  shown_.text = delta_.text.c_str();
  shown_.text_bytes = delta_.text.size();
  shown_.tokens = delta_.tokens.data();
  shown_.token_count = delta_.tokens.size();
  if (!text_rows_.chosen.empty()) {
    shown_.logprobs = text_rows_.chosen.data();
    shown_.top_logprobs = text_rows_.top.data();
    shown_.top_count = text_rows_.top_count;
  }
  if (!prompt_rows_.chosen.empty()) {
    shown_.prompt_logprobs = prompt_rows_.chosen.data();
    shown_.prompt_top_logprobs = prompt_rows_.top.data();
    shown_.prompt_logprob_count = prompt_rows_.chosen.size();
    shown_.prompt_top_count = prompt_rows_.top_count;
  }
  if (delta_.ending) {
    const engine::Ending& ending = *delta_.ending;
    shown_.finish_reason = finish_reason(ending.reason);
    if (ending.stop) shown_.stop = ending.stop->c_str();
    if (ending.reason == engine::FinishReason::failed) shown_.error = ending.error.c_str();
    shown_.prompt_tokens = ending.usage.prompt_tokens;
    shown_.cached_tokens = ending.usage.cached_tokens;
    shown_.generated_tokens = ending.usage.generated_tokens;
  }
  return &shown_;
}

}  // namespace bittern::api
