#include "serve/openai/text_model.h"

#include "base/error.h"
#include "serve/openai/error.h"

namespace bittern::serve::openai {
namespace {

TextDefaults defaults_of(const TextModel& model, uint64_t seed) {
  return {.sampling = model.sampling,
          .max_tokens = model.max_tokens,
          .context = model.context,
          .token_count = model.token_count,
          .seed = seed};
}

// OpenAI's newer name of system messages: a template that has never heard of it would leave them
// out without a word.
void rename_developers(chat::List& messages, const engine::ChatTemplate& chat) {
  if (chat.source().find("developer") != std::string::npos) return;
  for (chat::Value& message : messages) {
    if (*message.find("role")->text() == "developer") message.set("role", "system");
  }
}

engine::Prompt render(const ChatRequest& request, const TextModel& model) {
  const bool has_tools = !request.tools.is_null();
  const engine::ChatTemplate* chat =
      has_tools && model.tool_chat != nullptr ? model.tool_chat : model.chat;
  if (chat == nullptr)
    refuse("messages", error_code::kUnsupported, "the model has no chat template");
  chat::Conversation conversation;
  conversation.messages = request.messages;
  rename_developers(conversation.messages, *chat);
  conversation.tools = request.tools;
  conversation.documents = request.documents;
  conversation.add_generation_prompt = request.add_generation_prompt;
  if (request.continue_final_message) conversation.continue_final = "content";
  conversation.variables = request.template_options;
  try {
    return chat->render(std::move(conversation));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    refuse("messages", error_code::kValue, "{}", error.message());
  }
}

}  // namespace

std::vector<int32_t> prompt_tokens(const PromptField& prompt, const text::Tokenizer& tokenizer,
                                   bool add_special, const std::string& path) {
  if (const auto* text = std::get_if<std::string>(&prompt))
    return tokenizer.encode(*text, {.add_special = add_special});
  const auto& tokens = std::get<std::vector<int32_t>>(prompt);
  for (const int32_t token : tokens) {
    if (token >= tokenizer.vocab_size())
      refuse(path, error_code::kValue, "token ids below {} expected, got {}",
             tokenizer.vocab_size(), token);
  }
  return tokens;
}

PreparedText prepare(const ChatRequest& request, const TextModel& model, uint64_t seed) {
  const engine::Prompt prompt = render(request, model);
  engine::Request one = apply(request.text, defaults_of(model, seed), *model.constraints);
  one.prompt = engine::encode(*model.tokenizer, prompt);
  one.adapters = model.adapters;
  require_fit(one.prompt, model.context, "messages");
  one.top_log_probability_count = request.top_log_probabilities;
  PreparedText prepared;
  prepared.requests.push_back(std::move(one));
  return prepared;
}

PreparedText prepare(const CompletionRequest& request, const TextModel& model, uint64_t seed) {
  TextDefaults defaults = defaults_of(model, seed);
  if (!defaults.max_tokens) defaults.max_tokens = kCompletionTokens;
  engine::Request common = apply(request.text, defaults, *model.constraints);
  common.adapters = model.adapters;
  PreparedText prepared;
  for (size_t index = 0; index < request.prompts.size(); ++index) {
    const PromptField& prompt = request.prompts[index];
    const std::string path = request.prompts.size() == 1 ? "prompt" : element_path("prompt", index);
    engine::Request one = common;
    one.prompt = prompt_tokens(prompt, *model.tokenizer, request.add_special_tokens, path);
    require_fit(one.prompt, model.context, path);
    one.best_of = request.best_of;
    one.top_log_probability_count = request.top_log_probabilities;
    if (request.echo) {
      one.prompt_log_probability_count = request.top_log_probabilities;
      const auto* text = std::get_if<std::string>(&prompt);
      prepared.echoes.push_back(
          text != nullptr ? *text : model.tokenizer->decode(one.prompt, {.skip_special = false}));
    }
    prepared.requests.push_back(std::move(one));
  }
  return prepared;
}

}  // namespace bittern::serve::openai
