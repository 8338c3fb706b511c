// What the name of a GGUF vocabulary's model means: the kind of model, the stages around it and its
// defaults. Each fills a spec that holds the tokens and their kinds. Private to src/format.
#pragma once

#include "format/checkpoint.h"
#include "text/vocab_spec.h"

namespace bittern::format {

void gguf_byte_level_stages(const Metadata& metadata, text::VocabSpec& spec);     // "gpt2"
void gguf_sentencepiece_stages(const Metadata& metadata, text::VocabSpec& spec);  // "llama"
void gguf_word_piece_stages(const Metadata& metadata, text::VocabSpec& spec);     // "bert"
void gguf_unigram_stages(const Metadata& metadata, text::VocabSpec& spec);        // "t5"
void gguf_gemma4_stages(const Metadata& metadata, text::VocabSpec& spec);         // "gemma4"

}  // namespace bittern::format
