"""The structs of bittern.h, field by field (python/tests/test_layout.py holds them to
tests/api/abi.txt), and its constants."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint64

API_VERSION = 1

OK, END, TIMEOUT = 0, -1, -2
ERROR_USAGE = 2
UNTIL_NUL = ctypes.c_size_t(-1).value

ADD_SPECIAL, PARSE_SPECIAL, KEEP_SPECIAL = 1, 2, 4
KV_TYPES = {"f32": 0, "f16": 1, "int8": 2}
ACTIVATIONS = {"native": 0, "f32": 1}
HEADS = {"auto": 0, "coarse": 1, "full": 2}
POOLINGS = {"model": 0, "mean": 1, "cls": 2, "last": 3}
FINISH_REASONS = {1: "stop_token", 2: "stop_string", 3: "max_tokens", 4: "context_full",
                  5: "cancelled", 6: "failed"}


class LoadOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("context", c_int64),
        ("sequences", c_int64),
        ("max_queued_requests", c_int64),
        ("max_guesses", c_int64),
        ("threads", c_int32),
        ("kv_type", c_int32),
        ("activations", c_int32),
        ("head", c_int32),
        ("verbosity", c_int32),
        ("reserved", c_int32),
        ("cache", c_char_p),
        ("gguf_dialect", c_char_p),
    ]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("path", c_char_p),
        ("name", c_char_p),
        ("architecture", c_char_p),
        ("format", c_char_p),
        ("backend", c_char_p),
        ("vocab_size", c_int64),
        ("token_count", c_int64),
        ("embedding_size", c_int64),
        ("layer_count", c_int64),
        ("context", c_int64),
        ("max_context", c_int64),
        ("sequences", c_int64),
        ("threads", c_int32),
        ("can_generate", c_int32),
        ("has_pooling", c_int32),
        ("has_chat_template", c_int32),
        ("bos_token", c_int32),
        ("eos_token", c_int32),
        ("load_seconds", c_double),
    ]


class Stats(ctypes.Structure):
    _fields_ = [(name, c_int64) for name in (
        "queued_requests", "running_sequences", "waiting_sequences", "finished_requests",
        "preemptions", "prompt_tokens", "cached_tokens", "generated_tokens", "guessed_tokens",
        "accepted_guesses", "steps", "used_pages", "kept_pages", "page_count")] + [
        ("model_seconds", c_double), ("other_seconds", c_double)]


class Message(ctypes.Structure):
    _fields_ = [("role", c_char_p), ("content", c_char_p)]


class LogitBias(ctypes.Structure):
    _fields_ = [("token", c_int32), ("bias", c_float)]


class GenerateOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("prompt", c_char_p),
        ("prompt_bytes", c_size_t),
        ("prompt_tokens", POINTER(c_int32)),
        ("prompt_token_count", c_size_t),
        ("messages", POINTER(Message)),
        ("message_count", c_size_t),
        ("chat_json", c_char_p),
        ("max_tokens", c_int64),
        ("min_tokens", c_int64),
        ("stops", POINTER(c_char_p)),
        ("stop_count", c_size_t),
        ("stop_tokens", POINTER(c_int32)),
        ("stop_token_count", c_size_t),
        ("seed", c_uint64),
        ("temperature", c_double),
        ("top_k", c_int64),
        ("top_p", c_double),
        ("min_p", c_double),
        ("typical_p", c_double),
        ("top_n_sigma", c_double),
        ("xtc_probability", c_double),
        ("xtc_threshold", c_double),
        ("repeat_penalty", c_double),
        ("frequency_penalty", c_double),
        ("presence_penalty", c_double),
        ("repeat_last_n", c_int64),
        ("dry_multiplier", c_double),
        ("dry_base", c_double),
        ("dry_allowed_length", c_int64),
        ("dry_last_n", c_int64),
        ("dry_breakers", POINTER(c_char_p)),
        ("dry_breaker_count", c_size_t),
        ("samplers", c_char_p),
        ("logit_bias", POINTER(LogitBias)),
        ("logit_bias_count", c_size_t),
        ("json_schema", c_char_p),
        ("regex", c_char_p),
        ("grammar", c_char_p),
        ("choices", POINTER(c_char_p)),
        ("choice_count", c_size_t),
        ("n", c_int64),
        ("best_of", c_int64),
        ("logprobs", c_int64),
        ("prompt_logprobs", c_int64),
        ("json_object", c_int32),
        ("ignore_eos", c_int32),
        ("priority", c_int32),
        ("reuse_prefix", c_int32),
        ("tenant", c_char_p),
    ]


class Logprob(ctypes.Structure):
    _fields_ = [("logprob", c_double), ("token", c_int32), ("reserved", c_int32)]


class Delta(ctypes.Structure):
    _fields_ = [
        ("choice", c_int32),
        ("finish_reason", c_int32),
        ("text", POINTER(ctypes.c_char)),  # not c_char_p, which would end at a NUL
        ("text_bytes", c_size_t),
        ("tokens", POINTER(c_int32)),
        ("token_count", c_size_t),
        ("logprobs", POINTER(Logprob)),
        ("top_logprobs", POINTER(Logprob)),
        ("top_count", c_size_t),
        ("prompt_logprobs", POINTER(Logprob)),
        ("prompt_top_logprobs", POINTER(Logprob)),
        ("prompt_logprob_count", c_size_t),
        ("prompt_top_count", c_size_t),
        ("stop", c_char_p),
        ("error", c_char_p),
        ("prompt_tokens", c_int64),
        ("cached_tokens", c_int64),
        ("generated_tokens", c_int64),
    ]


class EmbedOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("pooling", c_int32), ("truncate", c_int32)]


# The class of each struct of the header.
STRUCTS = {
    "bittern_load_options": LoadOptions,
    "bittern_model_info": ModelInfo,
    "bittern_stats": Stats,
    "bittern_message": Message,
    "bittern_logit_bias": LogitBias,
    "bittern_generate_options": GenerateOptions,
    "bittern_logprob": Logprob,
    "bittern_delta": Delta,
    "bittern_embed_options": EmbedOptions,
}
