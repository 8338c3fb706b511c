// The vocabulary of a checkpoint, whichever container it came in, as the neutral VocabSpec that
// tokenisers are built from. What would change token ids and is not known is refused by name,
// never skipped.
//
//   tokenizer.json                        vocab_hf.cc, vocab_hf_stages.cc, vocab_hf_template.cc
//   tokenizer.model (SentencePiece)       vocab_sentencepiece.cc
//   *.tiktoken, tokenizer.model of ranks  vocab_tiktoken.cc
//   tekken.json                           vocab_tekken.cc
//   vocab.txt; vocab.json and merges.txt  vocab_text.cc
//   tokenizer.ggml.* in GGUF              vocab_gguf.cc, vocab_gguf_stages.cc
#pragma once

#include <filesystem>
#include <optional>

#include "base/json.h"
#include "format/checkpoint.h"
#include "text/vocab_spec.h"

namespace bittern::format {

// The JSON files beside a vocabulary; each may be null.
struct VocabFiles {
  const json::Document* tokenizer_config = nullptr;
  const json::Document* config = nullptr;
  const json::Document* generation_config = nullptr;
};

// tokenizer.ggml.* keys. Throws bad_input for missing or inconsistent keys,
// Error{unsupported} for unknown models and for an unknown pre-tokeniser.
text::VocabSpec vocab_from_gguf(const Metadata& metadata);

// tokenizer.json, with what the files beside it say about special tokens. Throws as above.
text::VocabSpec vocab_from_tokenizer_json(const json::Document& tokenizer,
                                          const VocabFiles& files = {});

// The protobuf of SentencePiece. Throws bad_input where it is not one.
text::VocabSpec vocab_from_sentencepiece(Bytes model, const std::string& file_name,
                                         const VocabFiles& files = {});

// Lines of "base64 rank". The expression that cuts text and the special tokens are not in the file:
// they come from tokenizer_config.json, or from the known vocabularies by their size.
text::VocabSpec vocab_from_tiktoken(std::string_view ranks, const std::string& file_name,
                                    const VocabFiles& files = {});

// Mistral's tekken.json.
text::VocabSpec vocab_from_tekken(const json::Document& tekken, const VocabFiles& files = {});

// BERT's vocab.txt: one token a line.
text::VocabSpec vocab_from_word_list(std::string_view lines, const std::string& file_name,
                                     const VocabFiles& files = {});

// GPT-2's vocab.json and merges.txt.
text::VocabSpec vocab_from_merge_list(const json::Document& vocab, std::string_view merges,
                                      const VocabFiles& files = {});

// Of an opened checkpoint; of a Hugging Face folder the first of the files above that is there.
// Throws bad_input where it has none.
text::VocabSpec read_vocab(const Checkpoint& checkpoint);

// Whether there is something to read a vocabulary from.
bool has_vocab(const Checkpoint& checkpoint);

// Drops added tokens from the end until at most `count` tokens are left: Gemma 3's text models come
// with a vocabulary that names one token (of images) more than they have rows. Stops at a token of
// the model itself and at one that something refers to.
void drop_tokens_without_rows(text::VocabSpec& spec, int64_t count);

// Of a folder that may hold nothing but a vocabulary, or of one of the files above by its content.
// Nothing where the path is neither.
std::optional<text::VocabSpec> read_vocab_file(const std::filesystem::path& path);

}  // namespace bittern::format
