// What the readers of vocabularies share: a VocabSpec while it is being filled, and the files
// beside a vocabulary that name its special tokens. Private to src/format.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/json.h"
#include "format/token_ids.h"
#include "format/vocab.h"
#include "text/vocab_spec.h"

namespace bittern::format {

struct VocabBuilder {
  text::VocabSpec spec;
  // By token text: views of the source, which outlives the builder, or of `owned`.
  TokenIds ids;
  std::deque<std::string> owned;
  int64_t model_size = 0;  // tokens that the model itself has, holes not counted

  int32_t find(std::string_view token) const { return ids.find(token); }
};

// Throws Error{unsupported}: "FILE: FIELD: WHAT is not supported yet".
[[noreturn]] void unsupported(const json::Value& at, std::string_view field, std::string_view what);

// The "type" of a stage of tokenizer.json.
std::string type_of(const json::Value& stage, std::string_view field);
// The stages of a pipeline part: the members under `key` of a Sequence, of Sequences inside it too,
// or the part alone.
std::vector<json::Value> stages_of(const json::Value& part, std::string_view field,
                                   std::string_view key);

// tokenizer.json: "normalizer", "pre_tokenizer", "decoder" (vocab_hf_stages.cc).
void read_normalizers(const json::Value& root, text::VocabSpec& spec);
void read_pre_tokenizers(const json::Value& root, text::VocabSpec& spec);
void read_decoders(const json::Value& root, text::VocabSpec& spec);
// "post_processor" (vocab_hf_template.cc).
void read_post_processor(const json::Value& root, text::VocabSpec& spec);

// {"token": id, ...}: ids may leave holes.
void read_token_ids(const json::Value& object, std::string_view field, VocabBuilder& out);
// Merges of two tokens "a b" in one text.
std::pair<std::string, std::string> split_merge(std::string_view text, const std::string& file);
// The byte-level tokeniser instead of stages that mean the same.
void choose_byte_level(text::VocabSpec& spec);

// Adds a token that is matched in raw text. A content that the vocabulary has keeps its id, any
// other gets the next free one; `content` must outlive the builder.
void add_token(text::AddedToken token, std::string_view content, VocabBuilder& out);

// The tokens of tokenizer_config.json's "added_tokens_decoder", by their own ids.
void read_added_tokens_decoder(const json::Document* tokenizer_config, VocabBuilder& out);

// Fills what the vocabulary itself left open: bos, eos, unknown, padding, end_of_generation.
void read_special(const VocabFiles& files, VocabBuilder& out);

// The one precedence of every container: a template of at most one token on each side of the text
// becomes bos and eos with their flags.
void simplify_template(text::VocabSpec& spec);

}  // namespace bittern::format
