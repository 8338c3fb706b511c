#include "serve/openai/text_response.h"

#include <iterator>

#include "base/check.h"
#include "base/error.h"

namespace bittern::serve::openai {

std::string_view finish_reason(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::stop_token:
    case engine::FinishReason::stop_string:
      return "stop";
    case engine::FinishReason::max_tokens:
    case engine::FinishReason::context_full:
      return "length";
    case engine::FinishReason::interrupted:
    case engine::FinishReason::failed:
      break;
  }
  BITTERN_CHECK(false, "{} ends no answer", engine::finish_reason_name(reason));
  return "";
}

JsonBuilder usage_json(const engine::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.generated_tokens},
          {"total_tokens", usage.prompt_tokens + usage.generated_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

TextResponse::TextResponse(const PreparedText& prepared, const text::Tokenizer& tokenizer,
                           ResponseOptions options)
    : tokenizer_(tokenizer), options_(std::move(options)) {
  for (size_t index = 0; index < prepared.requests.size(); ++index) {
    Prompt& prompt = prompts_.emplace_back();
    if (prepared.requests[index].prompt_log_probability_count)
      prompt.tokens = prepared.requests[index].prompt;
    if (!prepared.echoes.empty()) prompt.echo = prepared.echoes[index];
  }
  choices_.resize(prompts_.size() * static_cast<size_t>(options_.choices));
}

void TextResponse::add(int64_t prompt_index, engine::Delta delta) {
  Prompt& prompt = prompts_.at(static_cast<size_t>(prompt_index));
  Choice& choice = choices_.at(static_cast<size_t>(prompt_index * options_.choices + delta.choice));
  choice.text += delta.text;
  std::ranges::move(delta.log_probabilities, std::back_inserter(choice.log_probabilities));
  std::ranges::move(delta.prompt_log_probabilities, std::back_inserter(prompt.log_probabilities));
  if (!delta.ending) return;
  ++ended_;
  const engine::Usage& usage = delta.ending->usage;
  usage_.generated_tokens += usage.generated_tokens;
  if (!std::exchange(prompt.is_counted, true)) {
    usage_.prompt_tokens += usage.prompt_tokens;
    usage_.cached_tokens += usage.cached_tokens;
  }
  choice.ending = std::move(delta.ending);
}

JsonBuilder TextResponse::chat_choice(const Choice& choice, int64_t index) const {
  JsonBuilder log_probabilities = nullptr;
  if (options_.log_probabilities) {
    log_probabilities = {{"content", chat_log_probabilities(tokenizer_, choice.log_probabilities)},
                         {"refusal", nullptr}};
  }
  return {{"index", index},
          {"message", {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}}},
          {"logprobs", std::move(log_probabilities)},
          {"finish_reason", finish_reason(choice.ending->reason)}};
}

JsonBuilder TextResponse::completion_choice(const Choice& choice, const Prompt& prompt,
                                            int64_t index) const {
  JsonBuilder log_probabilities = nullptr;
  if (options_.log_probabilities) {
    CompletionLogProbabilities rows;
    if (!prompt.tokens.empty()) rows.add_first(tokenizer_, prompt.tokens.front());
    for (const auto* entries : {&prompt.log_probabilities, &choice.log_probabilities})
      for (const engine::LogProbabilities& entry : *entries) rows.add(tokenizer_, entry);
    log_probabilities = rows.json();
  }
  return {{"index", index},
          {"text", prompt.echo + choice.text},
          {"logprobs", std::move(log_probabilities)},
          {"finish_reason", finish_reason(choice.ending->reason)}};
}

JsonBuilder TextResponse::json() const {
  JsonBuilder choices = JsonBuilder::array();
  for (size_t index = 0; index < choices_.size(); ++index) {
    const Choice& choice = choices_[index];
    if (choice.ending->reason == engine::FinishReason::failed)
      fail(ErrorKind::internal, "choice {}: {}", index, choice.ending->error);
    if (choice.ending->reason == engine::FinishReason::interrupted)
      fail(ErrorKind::interrupted, "choice {}: interrupted", index);
    const Prompt& prompt = prompts_[index / static_cast<size_t>(options_.choices)];
    const auto number = static_cast<int64_t>(index);
    choices.push_back(options_.kind == TextKind::chat ? chat_choice(choice, number)
                                                      : completion_choice(choice, prompt, number));
  }
  return {{"id", options_.id},
          {"object", options_.kind == TextKind::chat ? "chat.completion" : "text_completion"},
          {"created", options_.created},
          {"model", options_.model},
          {"choices", std::move(choices)},
          {"usage", usage_json(usage_)},
          {"system_fingerprint", options_.fingerprint}};
}

}  // namespace bittern::serve::openai
