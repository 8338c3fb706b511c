// Perplexity of a text by llama.cpp's protocol (tools/perplexity, default mode), so that numbers
// compare: the whole text is tokenised once and cut into disjoint chunks of `context` tokens, the
// tail dropped; where the vocabulary begins texts with BOS, a chunk's first token is replaced by
// it. The predictions made at positions context/2 .. context-2 are scored, so each has at least
// half a context before it. Error: PPL * sqrt((mean(nll^2) - mean(nll)^2) / (count - 1)), tokens
// taken as independent.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace bittern::eval {

struct PerplexityOptions {
  int64_t context = 512;                    // tokens in a chunk, at least 4
  std::optional<int64_t> chunk_limit = {};  // none: all
  std::optional<int32_t> first_token = {};  // replaces each chunk's first token (BOS)
};

struct Perplexity {
  double perplexity = 0.0;
  double error = 0.0;     // one standard error
  double mean_nll = 0.0;  // nats per token; log(perplexity)
  int64_t scored_tokens = 0;
  int64_t chunks = 0;
};

// Runs one chunk from an empty sequence and calls `score(position, logits)` with the logits
// [vocab_size] of every position from `first_position` on, ascending.
using ScorePosition = std::function<void(int64_t position, const float* logits)>;
using RunChunk = std::function<void(std::span<const int32_t> tokens, int64_t first_position,
                                    const ScorePosition& score)>;

// Called after each chunk with the values so far.
using OnChunk = std::function<void(const Perplexity& so_far, int64_t chunk_count)>;

// Chunks the protocol takes from so many tokens.
int64_t chunk_count(int64_t token_count, const PerplexityOptions& options);

// Throws Error{bad_input} where the text has fewer than two chunks.
Perplexity measure_perplexity(std::span<const int32_t> tokens, int64_t vocab_size,
                              const PerplexityOptions& options, const RunChunk& run,
                              const OnChunk& on_chunk);

}  // namespace bittern::eval
