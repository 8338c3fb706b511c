/* Lets a model go on with a prompt, and prints the text as it comes:
 *
 *   cc generate.c $(pkg-config --cflags --libs bittern) -o generate
 *   ./generate MODEL "Once upon a time" [SEED]
 */
#include <bittern.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t print_piece(void* user, const bittern_delta* delta) {
  (void)user;
  fwrite(delta->text, 1, delta->text_bytes, stdout);
  fflush(stdout);
  if (delta->finish_reason == BITTERN_FINISH_FAILED) fprintf(stderr, "%s\n", delta->error);
  return 0; /* anything else would end the text here */
}

static int fail(int32_t status) {
  fprintf(stderr, "generate: %s\n", bittern_last_error());
  return status;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: generate MODEL PROMPT [SEED]\n");
    return 2;
  }

  bittern_model* model;
  int32_t status = bittern_model_load(argv[1], NULL, &model);
  if (status != BITTERN_OK) return fail(status);

  bittern_generate_options options;
  status = bittern_generate_options_init(&options, sizeof options, model);
  if (status == BITTERN_OK) {
    options.prompt = argv[2];
    options.max_tokens = 64;
    if (argc > 3) options.seed = strtoull(argv[3], NULL, 10);
    status = bittern_generate(model, &options, print_piece, NULL);
    printf("\n");
  }
  if (status != BITTERN_OK) fail(status);
  bittern_model_free(model);
  return status;
}
