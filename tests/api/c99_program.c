/* Every function of bittern.h, called from C99: that the header is C, that the library links, and
 * that nothing of C++ is needed. Compiled as C++ too. */
#include <bittern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 512

static void expect(int good, int line) {
  if (good) return;
  fprintf(stderr, "c99_program.c:%d: not so; last error: %s\n", line, bittern_last_error());
  exit(1);
}
#define EXPECT(condition) expect((condition) ? 1 : 0, __LINE__)

struct heard {
  char text[4096];
  size_t bytes;
  int32_t finish_reason;
};

static int32_t hear(void* user, const bittern_delta* delta) {
  struct heard* heard = (struct heard*)user;
  if (heard->bytes + delta->text_bytes >= sizeof heard->text) return 1;
  memcpy(heard->text + heard->bytes, delta->text, delta->text_bytes + 1);
  heard->bytes += delta->text_bytes;
  heard->finish_reason = delta->finish_reason;
  return 0;
}

static void try_text(const bittern_model* model) {
  int32_t tokens[ROOM];
  char text[ROOM];
  size_t count = 0, bytes = 0;
  bittern_message message = {"user", "Hello"};
  const char* json = "{\"chat_template\": \"{{ messages[0].content }}\"}";
  EXPECT(bittern_tokenize(model, "Hello", BITTERN_UNTIL_NUL, 0, tokens, ROOM, &count) ==
         BITTERN_OK);
  EXPECT(bittern_detokenize(model, tokens, count, 0, text, ROOM, &bytes) == BITTERN_OK);
  EXPECT(strcmp(text, "Hello") == 0 && bytes == 5);
  EXPECT(bittern_token_bytes(model, tokens[0], text, ROOM, &bytes) == BITTERN_OK);
  EXPECT(strncmp(text, "Hello", bytes) == 0);
  EXPECT(bittern_apply_chat_template(model, &message, 1, json, text, ROOM, &bytes) == BITTERN_OK);
  EXPECT(strcmp(text, "Hello") == 0);
  EXPECT(bittern_tokenize_chat(model, &message, 1, json, tokens, ROOM, &count) == BITTERN_OK);
  EXPECT(count > 0);
}

static void try_generation(bittern_model* model) {
  bittern_generate_options options;
  bittern_request* request = NULL;
  const bittern_delta* delta = NULL;
  struct heard whole = {{0}, 0, 0}, pieces = {{0}, 0, 0};
  EXPECT(bittern_generate_options_init(&options, sizeof options, model) == BITTERN_OK);
  options.prompt = "Once upon a time";
  options.max_tokens = 20;
  EXPECT(bittern_generate(model, &options, hear, &whole) == BITTERN_OK);
  EXPECT(whole.finish_reason != BITTERN_FINISH_NONE);
  EXPECT(bittern_submit(model, &options, &request) == BITTERN_OK);
  while (bittern_request_next(request, -1, &delta) == BITTERN_OK) hear(&pieces, delta);
  EXPECT(strcmp(whole.text, pieces.text) == 0);
  EXPECT(bittern_request_cancel(request) == BITTERN_OK);
  bittern_request_free(request);
}

static void try_numbers(bittern_model* model, const bittern_model_info* info) {
  const int32_t tokens[3] = {1, 2, 3};
  float* floats = (float*)calloc((size_t)info->vocab_size, sizeof(float));
  int64_t length = 0;
  size_t count = 0;
  bittern_sequence* sequence = NULL;
  bittern_embed_options options;
  EXPECT(floats != NULL);
  EXPECT(bittern_sequence_new(model, 16, &sequence) == BITTERN_OK);
  EXPECT(bittern_sequence_eval(sequence, tokens, 3, 1, floats, (size_t)info->vocab_size) ==
         BITTERN_OK);
  EXPECT(bittern_sequence_length(sequence, &length) == BITTERN_OK && length == 3);
  EXPECT(bittern_sequence_reset(sequence) == BITTERN_OK);
  bittern_sequence_free(sequence);
  EXPECT(bittern_embed_options_init(&options, sizeof options) == BITTERN_OK);
  options.pooling = BITTERN_POOLING_MEAN;
  EXPECT(bittern_embed(model, "Hello", BITTERN_UNTIL_NUL, &options, floats,
                       (size_t)info->vocab_size, &count) == BITTERN_OK);
  EXPECT(count == (size_t)info->embedding_size);
  free(floats);
}

int main(int argc, char** argv) {
  bittern_load_options options;
  bittern_model* model = NULL;
  bittern_model_info info;
  bittern_stats stats;
  if (argc != 2) return 2;
  EXPECT(bittern_api_version() >= BITTERN_API_VERSION && bittern_version()[0] != '\0');
  EXPECT(bittern_load_options_init(&options, sizeof options) == BITTERN_OK);
  options.cache = "off";
  EXPECT(bittern_model_load("nowhere.gguf", &options, &model) == BITTERN_ERROR_BAD_INPUT);
  EXPECT(strstr(bittern_last_error(), "nowhere.gguf") != NULL);
  EXPECT(bittern_model_load(argv[1], &options, &model) == BITTERN_OK);
  EXPECT(bittern_model_get_info(model, &info, sizeof info) == BITTERN_OK && info.can_generate);
  try_text(model);
  try_generation(model);
  try_numbers(model, &info);
  EXPECT(bittern_model_get_stats(model, &stats, sizeof stats) == BITTERN_OK);
  EXPECT(stats.finished_requests == 2);
  bittern_model_free(model);
  return 0;
}
