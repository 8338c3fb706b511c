/* bittern.h: run a language model inside your own program. C99, no other header of Bittern needed;
 * link with -lbittern (pkg-config bittern). A first program: examples/c/generate.c; the guide:
 * docs/library.md.
 *
 * Rules that hold for every function
 *
 *   Errors    What can fail returns a status: BITTERN_OK, a positive kind of error, or a negative
 *             status that is no error. After an error bittern_last_error() says what was wrong, in
 *             one line, on the thread that made the call. Results are written only where the status
 *             is BITTERN_OK, but for counts as said below. Nothing here ends the process, prints
 *             (unless `verbosity` asks for it), installs a signal handler or lets a C++ exception
 *             through. NULL where a pointer is needed is BITTERN_ERROR_USAGE.
 *   Buffers   Results go into the caller's memory. A function that fills an array takes its
 *             `capacity` and writes to `count` how long the result is. Capacity 0 asks for that
 *             alone and is BITTERN_OK; a capacity that is too small is BITTERN_ERROR_USAGE, with
 *             `count` set and nothing else written. So a guess that is large enough takes one call.
 *   Texts     UTF-8. A text that comes with a length may hold any byte; BITTERN_UNTIL_NUL as its
 *             length means that it ends at its first NUL. All other texts end at a NUL. Nothing is
 *             kept of what was passed once the call has returned.
 *   Options   Structs grow at their end. The first field says how large the caller's is;
 *             bittern_*_init() sets it and every default, so fill a struct by it and change what is
 *             to be different. Programs built with an older header go on working; one built with a
 *             newer header than the library is refused where it sets what the library has not.
 *             Structs without `size` never change, but those that the library fills and owns
 *             (bittern_delta) may grow at their end.
 *   Threads   Any function may be called from any thread, and several at once on one model. One
 *             request or sequence is used by one thread at a time, but for
 * bittern_request_cancel(). Whoever frees a handle sees to it that no other call uses it, then or
 * later; only requests and sequences outlive their model. Callbacks run on the thread that called,
 *             never on one of the library's. Handles do not survive fork().
 *
 * The same model, options and seed give the same text, whatever else runs, and the same text as
 * `bittern run`. */
#ifndef BITTERN_H
#define BITTERN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BITTERN_API __attribute__((visibility("default")))
#else
#define BITTERN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Counts additions to this header; bittern_api_version() is that of the library. */
#define BITTERN_API_VERSION 1

/* As a length: the text ends at its first NUL. */
#define BITTERN_UNTIL_NUL ((size_t)-1)

enum {
  BITTERN_OK = 0,
  /* Kinds of errors, by the numbers that are the exit statuses of `bittern`. */
  BITTERN_ERROR_USAGE = 2,         /* an argument that can never be right */
  BITTERN_ERROR_BAD_INPUT = 3,     /* a file, template or grammar that cannot be accepted */
  BITTERN_ERROR_RESOURCES = 4,     /* not enough memory or disk, or the queue is full */
  BITTERN_ERROR_UNSUPPORTED = 5,   /* understood, but not possible here or with this model */
  BITTERN_ERROR_INTERNAL = 70,     /* a bug in Bittern */
  BITTERN_ERROR_INTERRUPTED = 130, /* the callback said so */
  /* No errors, but nothing was delivered. */
  BITTERN_END = -1,    /* there is nothing more */
  BITTERN_TIMEOUT = -2 /* nothing came in time */
};

/* "0.1.0" */
BITTERN_API const char* bittern_version(void);
/* BITTERN_API_VERSION of the library; a program needs one that is at least its own. */
BITTERN_API int32_t bittern_api_version(void);
/* The last error of this thread; "" where there was none. Valid until its next error. */
BITTERN_API const char* bittern_last_error(void);

/* Models ---------------------------------------------------------------------------------- */

/* A loaded model with the threads that run it. */
typedef struct bittern_model bittern_model;

enum { BITTERN_KV_F32 = 0, BITTERN_KV_F16 = 1, BITTERN_KV_INT8 = 2 };
enum {
  BITTERN_ACTIVATIONS_NATIVE = 0, /* what the weights' format is made for */
  BITTERN_ACTIVATIONS_F32 = 1     /* exact, and slower */
};
enum {
  BITTERN_HEAD_AUTO = 0,   /* whichever is faster */
  BITTERN_HEAD_COARSE = 1, /* an 8-bit copy and the rows that can still win: the same tokens */
  BITTERN_HEAD_FULL = 2
};

typedef struct bittern_load_options {
  size_t size;
  int64_t context;             /* positions of a sequence; 0: the model's maximum, or what fits */
  int64_t sequences;           /* that run at once; others wait. Default 4 */
  int64_t max_queued_requests; /* that wait; more are BITTERN_ERROR_RESOURCES. Default 512 */
  int64_t max_guesses;         /* of what follows a text, by how it went on before: changes no
                                  text, makes edits and extracts faster; default 0 */
  int32_t threads;             /* 0: the physical cores that quota and affinity leave */
  int32_t kv_type;             /* BITTERN_KV_..., of keys and values; default F16 */
  int32_t activations;         /* BITTERN_ACTIVATIONS_... */
  int32_t head;                /* BITTERN_HEAD_... */
  int32_t verbosity;           /* to standard error: 0 nothing (default), 1 warnings, 2 details */
  int32_t reserved;            /* 0 */
  const char* cache;           /* packed weights for the next load: NULL in the store of models,
                                  "off", or a folder */
  const char* gguf_dialect;    /* NULL: decided by the file */
} bittern_load_options;

BITTERN_API int32_t bittern_load_options_init(bittern_load_options* options, size_t size);

/* Opens and loads `model`: a path or the name of a pulled model. `options` may be NULL. Memory is
 * planned, and refused, before it is taken. */
BITTERN_API int32_t bittern_model_load(const char* model, const bittern_load_options* options,
                                       bittern_model** loaded);
/* Ends its requests (BITTERN_FINISH_CANCELLED), waits for its threads and frees it; a sequence
 * keeps the weights until it is freed too. NULL is allowed. Once only. */
BITTERN_API void bittern_model_free(bittern_model* model);

typedef struct bittern_model_info {
  const char* path; /* texts live as long as the model */
  const char* name;
  const char* architecture;
  const char* format;
  const char* backend;    /* the instruction set that runs it */
  int64_t vocab_size;     /* width of a row of logits */
  int64_t token_count;    /* of the tokenizer; 0: none */
  int64_t embedding_size; /* width of an embedding */
  int64_t layer_count;
  int64_t context;     /* positions of a sequence */
  int64_t max_context; /* what the model was made for */
  int64_t sequences;
  int32_t threads;
  int32_t can_generate; /* 0: an encoder, for bittern_embed() only */
  int32_t has_pooling;  /* its files say how it embeds */
  int32_t has_chat_template;
  int32_t bos_token, eos_token; /* -1: none */
  double load_seconds;
} bittern_model_info;

/* Fills the first `size` bytes of `info`: pass sizeof(bittern_model_info). */
BITTERN_API int32_t bittern_model_get_info(const bittern_model* model, bittern_model_info* info,
                                           size_t size);

/* Since the model was loaded, as of the last step that ended. */
typedef struct bittern_stats {
  int64_t queued_requests, running_sequences, waiting_sequences;
  int64_t finished_requests, preemptions;
  int64_t prompt_tokens, cached_tokens, generated_tokens; /* of what has ended */
  int64_t guessed_tokens, accepted_guesses;
  int64_t steps;
  int64_t used_pages, kept_pages, page_count; /* of keys and values, 64 positions each */
  double model_seconds, other_seconds;        /* of the steps */
} bittern_stats;

BITTERN_API int32_t bittern_model_get_stats(const bittern_model* model, bittern_stats* stats,
                                            size_t size);

/* Text and tokens -------------------------------------------------------------------------- */

enum {
  BITTERN_ADD_SPECIAL = 1,   /* tokenize: with what the model expects around a text (BOS, EOS) */
  BITTERN_PARSE_SPECIAL = 2, /* tokenize: "</s>" becomes that token; never for a user's text */
  BITTERN_KEEP_SPECIAL = 4   /* detokenize: special tokens are spelled out */
};

BITTERN_API int32_t bittern_tokenize(const bittern_model* model, const char* text, size_t bytes,
                                     int32_t flags, int32_t* tokens, size_t capacity,
                                     size_t* count);
/* Invalid UTF-8 becomes U+FFFD. `capacity` is to hold a NUL too, which `bytes` does not count. */
BITTERN_API int32_t bittern_detokenize(const bittern_model* model, const int32_t* tokens,
                                       size_t count, int32_t flags, char* text, size_t capacity,
                                       size_t* bytes);
/* The bytes of one token, which may be part of a character; not for joining: the first token of a
 * text may read differently. `capacity` as above. */
BITTERN_API int32_t bittern_token_bytes(const bittern_model* model, int32_t token, char* text,
                                        size_t capacity, size_t* bytes);

typedef struct bittern_message {
  const char* role; /* "system", "user", "assistant", "tool" */
  const char* content;
} bittern_message;

/* What the model's chat template makes of a conversation. `json`, where not NULL, is an object
 * with what messages alone cannot say; its `messages` (as in OpenAI's API) come behind those of the
 * array. Other members: `tools`, `documents`, `add_generation_prompt` (true), `continue_final`
 * ("content": the last message is left open), `chat_template` (Jinja, in place of the model's),
 * `chat_template_kwargs`. */
BITTERN_API int32_t bittern_apply_chat_template(const bittern_model* model,
                                                const bittern_message* messages,
                                                size_t message_count, const char* json, char* text,
                                                size_t capacity, size_t* bytes);
/* The tokens of that. Better than bittern_tokenize() of the text: what a message spells never
 * becomes a special token. */
BITTERN_API int32_t bittern_tokenize_chat(const bittern_model* model,
                                          const bittern_message* messages, size_t message_count,
                                          const char* json, int32_t* tokens, size_t capacity,
                                          size_t* count);

/* Generation ------------------------------------------------------------------------------- */

typedef struct bittern_logit_bias {
  int32_t token;
  float bias; /* -INFINITY bans the token */
} bittern_logit_bias;

/* Defaults are the model's own (generation_config.json, general.sampling.*) where it has any. The
 * prompt is exactly one of a text as it is, tokens, and a conversation. At most one of json_schema,
 * json_object, regex, choices and grammar says what the text must match (docs/constrained.md). */
typedef struct bittern_generate_options {
  size_t size;

  const char* prompt;
  size_t prompt_bytes; /* default BITTERN_UNTIL_NUL */
  const int32_t* prompt_tokens;
  size_t prompt_token_count;
  const bittern_message* messages; /* as in bittern_apply_chat_template() */
  size_t message_count;
  const char* chat_json;

  int64_t max_tokens;       /* negative: until the context is full */
  int64_t min_tokens;       /* no token ends the text before */
  const char* const* stops; /* texts before which it stops */
  size_t stop_count;
  const int32_t* stop_tokens; /* besides the model's own */
  size_t stop_token_count;

  uint64_t seed;      /* drawn by _init(): the same options give the same text */
  double temperature; /* 0: the likeliest token */
  int64_t top_k;      /* 0: off */
  double top_p, min_p, typical_p;
  double top_n_sigma; /* negative: off */
  double xtc_probability, xtc_threshold;
  double repeat_penalty, frequency_penalty, presence_penalty;
  int64_t repeat_last_n; /* tokens that penalties look at; negative: all */
  double dry_multiplier, dry_base;
  int64_t dry_allowed_length, dry_last_n;
  const char* const* dry_breakers; /* NULL: the usual ones */
  size_t dry_breaker_count;
  const char* samplers; /* "top_k;temperature": which act, in this order; NULL: all */
  const bittern_logit_bias* logit_bias;
  size_t logit_bias_count;

  const char* json_schema;
  const char* regex;
  const char* grammar; /* GBNF */
  const char* const* choices;
  size_t choice_count;

  int64_t n;               /* texts of one prompt; text i draws with seed + i */
  int64_t best_of;         /* 0, or so many are made and the n likeliest delivered, each whole */
  int64_t logprobs;        /* negative: none; else the chosen token's and of so many likeliest */
  int64_t prompt_logprobs; /* likewise, of the prompt's tokens */

  int32_t json_object;  /* any JSON object */
  int32_t ignore_eos;   /* the model's own end is never drawn */
  int32_t priority;     /* higher goes first */
  int32_t reuse_prefix; /* 1: prompts that begin alike share what was computed */
  const char* tenant; /* shares the machine fairly with others, and prefixes with no other; NULL */
} bittern_generate_options;

/* `model` may be NULL: then the defaults are those of no model. */
BITTERN_API int32_t bittern_generate_options_init(bittern_generate_options* options, size_t size,
                                                  const bittern_model* model);

enum {
  BITTERN_FINISH_NONE = 0, /* the text goes on */
  BITTERN_FINISH_STOP_TOKEN = 1,
  BITTERN_FINISH_STOP_STRING = 2,
  BITTERN_FINISH_MAX_TOKENS = 3,
  BITTERN_FINISH_CONTEXT_FULL = 4,
  BITTERN_FINISH_CANCELLED = 5,
  BITTERN_FINISH_FAILED = 6 /* no token could be drawn: `error` says why */
};

typedef struct bittern_logprob {
  double logprob; /* natural logarithm; -INFINITY where impossible */
  int32_t token;
  int32_t reserved;
} bittern_logprob;

/* News of one text. Those of a text come in order, and the last one has a finish_reason. */
typedef struct bittern_delta {
  int32_t choice; /* which of the n texts */
  int32_t finish_reason;
  const char* text; /* whole characters; ends with a NUL that text_bytes does not count */
  size_t text_bytes;
  const int32_t* tokens; /* with the stop token, which is not in the text */
  size_t token_count;
  const bittern_logprob* logprobs;     /* one for each token where asked for, else NULL */
  const bittern_logprob* top_logprobs; /* [token_count, top_count], likeliest first */
  size_t top_count;
  /* Of the prompt's tokens from the second on, with the first delta of choice 0. */
  const bittern_logprob* prompt_logprobs;
  const bittern_logprob* prompt_top_logprobs; /* [prompt_logprob_count, prompt_top_count] */
  size_t prompt_logprob_count;
  size_t prompt_top_count;
  /* With a finish_reason: */
  const char* stop;  /* the stop string that was met, or NULL */
  const char* error; /* of BITTERN_FINISH_FAILED, else NULL */
  int64_t prompt_tokens, cached_tokens, generated_tokens;
} bittern_delta;

/* Not 0 ends all texts of the request. Other functions may be called in it. */
typedef int32_t (*bittern_callback)(void* user, const bittern_delta* delta);

/* Makes the texts and hands over each piece as it comes, on this thread. Returns when all have
 * ended, or BITTERN_ERROR_INTERRUPTED when the callback asked for the end. Several threads may do
 * this on one model: their texts are made side by side. `callback` may be NULL. */
BITTERN_API int32_t bittern_generate(bittern_model* model, const bittern_generate_options* options,
                                     bittern_callback callback, void* user);

/* The same without waiting: a request that is being answered. */
typedef struct bittern_request bittern_request;

BITTERN_API int32_t bittern_submit(bittern_model* model, const bittern_generate_options* options,
                                   bittern_request** request);
/* The next piece, which stays valid until the next call with this request. Waits at most
 * `timeout_ms` (negative: for ever), then BITTERN_TIMEOUT; BITTERN_END behind the last piece. */
BITTERN_API int32_t bittern_request_next(bittern_request* request, int64_t timeout_ms,
                                         const bittern_delta** delta);
/* Ends its texts within a step; their last pieces still come. From any thread. */
BITTERN_API int32_t bittern_request_cancel(bittern_request* request);
/* Cancels it where it has not ended, without waiting. NULL is allowed. */
BITTERN_API void bittern_request_free(bittern_request* request);

/* Logits ----------------------------------------------------------------------------------- */

/* One sequence of tokens with its keys and values, for those who choose tokens themselves. Runs
 * between the steps of requests. */
typedef struct bittern_sequence bittern_sequence;

/* Room for so many positions, at most the context; 0: the context. Takes its memory here. */
BITTERN_API int32_t bittern_sequence_new(bittern_model* model, int64_t positions,
                                         bittern_sequence** sequence);
/* Appends tokens and writes the logits behind the last `wanted` of them, float32
 * [wanted, vocab_size]; `capacity` counts floats and is to hold them. After an error other than
 * BITTERN_ERROR_INTERNAL the sequence is as before. */
BITTERN_API int32_t bittern_sequence_eval(bittern_sequence* sequence, const int32_t* tokens,
                                          size_t count, size_t wanted, float* logits,
                                          size_t capacity);
/* Forgets everything. */
BITTERN_API int32_t bittern_sequence_reset(bittern_sequence* sequence);
BITTERN_API int32_t bittern_sequence_length(const bittern_sequence* sequence, int64_t* length);
BITTERN_API void bittern_sequence_free(bittern_sequence* sequence);

/* Embeddings ------------------------------------------------------------------------------- */

enum {
  BITTERN_POOLING_MODEL = 0, /* what the model's files say; usage where they say nothing */
  BITTERN_POOLING_MEAN = 1,
  BITTERN_POOLING_CLS = 2,
  BITTERN_POOLING_LAST = 3
};

typedef struct bittern_embed_options {
  size_t size;
  int32_t pooling;  /* BITTERN_POOLING_... */
  int32_t truncate; /* 1: a text that is too long is cut; 0: refused */
} bittern_embed_options;

BITTERN_API int32_t bittern_embed_options_init(bittern_embed_options* options, size_t size);

/* A text as embedding_size floats whose squares sum to 1. `options` may be NULL. */
BITTERN_API int32_t bittern_embed(bittern_model* model, const char* text, size_t bytes,
                                  const bittern_embed_options* options, float* vector,
                                  size_t capacity, size_t* count);

#ifdef __cplusplus
}
#endif

#endif
