// The stages around a tokeniser's model, as plain data: what normalises a text, what cuts it, what
// joins tokens to text again, what stands around an encoded text. The stages are those of
// tokenizer.json (research note H 5.1) and the normaliser and decoder of SentencePiece (H 5.3);
// readers of every container end here. A field that a kind does not name is not looked at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bittern::text {

enum class NormalizerKind : uint8_t {
  nfc,
  nfd,
  nfkc,
  nfkd,
  lowercase,
  strip,          // White_Space: left, right
  strip_accents,  // combining marks, without decomposing
  nmt,
  replace_text,   // pattern, content
  replace_regex,  // pattern (Oniguruma), content
  prepend,        // content, before a text that is not empty
  byte_level,
  bert,           // bert
  precompiled,    // content: a SentencePiece charsmap, by grapheme as in tokenizer.json
  sentencepiece,  // content: a charsmap or nothing, by longest prefix; sentencepiece
};

struct BertOptions {
  bool clean_text = true;
  bool chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

// NormalizerSpec of a SentencePiece model.
struct SentencePieceOptions {
  bool add_dummy_prefix = true;  // "▁" before a text
  // Whether text behind a special token gets the prefix too, or only the start of the whole text.
  bool prefix_every_segment = false;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool whitespace_as_suffix = false;  // the dummy "▁" stands behind the text
};

struct NormalizerStep {
  NormalizerKind kind = NormalizerKind::nfc;
  std::string pattern = {}, content = {};
  bool left = true, right = true;
  BertOptions bert = {};
  SentencePieceOptions sentencepiece = {};
};

enum class PreTokenizerKind : uint8_t {
  split_text,        // pattern, behavior, invert
  split_regex,       // pattern (Oniguruma), behavior, invert
  byte_level,        // add_prefix_space, use_regex
  metaspace,         // pattern (the replacement), prepend, split
  whitespace,        // \w+|[^\w\s]+
  whitespace_split,  // at White_Space
  char_delimiter,    // pattern (one character)
  digits,            // individual
  punctuation,       // behavior
  bert,
  unicode_scripts,
  fixed_length,  // length
};

// What becomes of the matches of a pattern when text is split at it.
enum class SplitBehavior : uint8_t {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous
};

// When Metaspace puts its replacement in front of a piece: first means at the start of the text.
enum class Prepend : uint8_t { never, first, always };

struct PreTokenizerStep {
  PreTokenizerKind kind = PreTokenizerKind::byte_level;
  std::string pattern = {};
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;
  bool add_prefix_space = true;
  bool use_regex = true;
  Prepend prepend = Prepend::always;
  bool split = true;
  bool individual = false;
  int64_t length = 5;  // characters
};

enum class DecoderKind : uint8_t {
  byte_level,
  metaspace,      // pattern (the replacement), prepend
  byte_fallback,  // "<0xHH>"
  fuse,
  strip,          // pattern (one character), start, stop
  replace_text,   // pattern, content
  replace_regex,  // pattern, content
  bpe,            // pattern (the end-of-word suffix)
  word_piece,     // pattern (the continuation prefix), cleanup
  ctc,            // pattern (the pad token), content (the word delimiter), cleanup
  join,           // a space between tokens: what tokenizer.json means without a decoder
  sentencepiece,  // content (what unknown tokens read as), sentencepiece
};

struct DecoderStep {
  DecoderKind kind = DecoderKind::byte_level;
  std::string pattern = {}, content = {};
  Prepend prepend = Prepend::always;
  int64_t start = 0, stop = 0;
  bool cleanup = true;
  SentencePieceOptions sentencepiece = {};
};

// A part of what an encoding is put together from.
struct TemplatePiece {
  enum class Kind : uint8_t { tokens, first, second };  // ids, or the first or second text
  Kind kind = Kind::first;
  std::vector<int32_t> ids;
};

}  // namespace bittern::text
