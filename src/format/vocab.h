// The vocabulary of a checkpoint, whichever container it came in, as the neutral VocabSpec that
// tokenisers are built from. Byte-level BPE only; other kinds are named and refused.
#pragma once

#include "base/json.h"
#include "format/checkpoint.h"
#include "text/vocab_spec.h"

namespace bittern::format {

// tokenizer.ggml.* keys. Throws bad_input for missing or inconsistent keys,
// Error{unsupported} for other models than byte-level BPE and for an unknown pre-tokeniser.
text::VocabSpec vocab_from_gguf(const Metadata& metadata);

// tokenizer.json, with what the files beside it (each may be null) say about special tokens.
// Throws as above; a part of the pipeline that would change the ids is refused, never skipped.
text::VocabSpec vocab_from_tokenizer_json(const json::Document& tokenizer,
                                          const json::Document* tokenizer_config,
                                          const json::Document* config,
                                          const json::Document* generation_config);

// Of an opened checkpoint. Throws bad_input where it has none.
text::VocabSpec read_vocab(const Checkpoint& checkpoint);

}  // namespace bittern::format
