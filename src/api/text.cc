// Text to tokens and back, and conversations to both. On the caller's thread: tokenizers and
// templates do not change.
#include "api/buffers.h"
#include "api/chat_conversation.h"
#include "api/instance.h"
#include "api/status.h"

namespace api = bittern::api;
using bittern::ErrorKind;
using bittern::fail;

namespace {

void require_flags(int32_t flags, int32_t known) {
  if ((flags & ~known) != 0)
    fail(ErrorKind::usage, "flags: some of {:#x} expected, got {:#x}", known, flags);
}

void require_token(const bittern::text::Tokenizer& tokenizer, int32_t token) {
  if (token < 0 || token >= tokenizer.vocab_size())
    fail(ErrorKind::usage, "token: 0 to {} expected, got {}", tokenizer.vocab_size() - 1, token);
}

bittern::engine::Prompt chat_prompt(const bittern_model* model, const bittern_message* messages,
                                    size_t message_count, const char* json) {
  api::require(model, "model");
  return api::render_chat(*model->instance, api::span_of(messages, message_count, "messages"),
                          json);
}

}  // namespace

int32_t bittern_tokenize(const bittern_model* model, const char* text, size_t bytes, int32_t flags,
                         int32_t* tokens, size_t capacity, size_t* count) {
  return api::guarded([&] {
    api::require(model, "model");
    require_flags(flags, BITTERN_ADD_SPECIAL | BITTERN_PARSE_SPECIAL);
    const std::vector<int32_t> ids = model->instance->tokenizer().encode(
        api::text_of(text, bytes, "text"), {.add_special = (flags & BITTERN_ADD_SPECIAL) != 0,
                                            .parse_special = (flags & BITTERN_PARSE_SPECIAL) != 0});
    return api::give_array(std::span(ids), tokens, capacity, count);
  });
}

int32_t bittern_detokenize(const bittern_model* model, const int32_t* tokens, size_t count,
                           int32_t flags, char* text, size_t capacity, size_t* bytes) {
  return api::guarded([&] {
    api::require(model, "model");
    require_flags(flags, BITTERN_KEEP_SPECIAL);
    const bittern::text::Tokenizer& tokenizer = model->instance->tokenizer();
    const auto ids = api::span_of(tokens, count, "tokens");
    for (const int32_t id : ids) require_token(tokenizer, id);
    return api::give_text(
        tokenizer.decode(ids, {.skip_special = (flags & BITTERN_KEEP_SPECIAL) == 0}), text,
        capacity, bytes);
  });
}

int32_t bittern_token_bytes(const bittern_model* model, int32_t token, char* text, size_t capacity,
                            size_t* bytes) {
  return api::guarded([&] {
    api::require(model, "model");
    const bittern::text::Tokenizer& tokenizer = model->instance->tokenizer();
    require_token(tokenizer, token);
    return api::give_text(tokenizer.token_bytes(token, {.skip_special = false}), text, capacity,
                          bytes);
  });
}

int32_t bittern_apply_chat_template(const bittern_model* model, const bittern_message* messages,
                                    size_t message_count, const char* json, char* text,
                                    size_t capacity, size_t* bytes) {
  return api::guarded([&] {
    return api::give_text(chat_prompt(model, messages, message_count, json).text, text, capacity,
                          bytes);
  });
}

int32_t bittern_tokenize_chat(const bittern_model* model, const bittern_message* messages,
                              size_t message_count, const char* json, int32_t* tokens,
                              size_t capacity, size_t* count) {
  return api::guarded([&] {
    const bittern::engine::Prompt prompt = chat_prompt(model, messages, message_count, json);
    const std::vector<int32_t> ids = bittern::engine::encode(model->instance->tokenizer(), prompt);
    return api::give_array(std::span(ids), tokens, capacity, count);
  });
}
