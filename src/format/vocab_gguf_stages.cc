// A GGUF names its model and, for byte-level BPE, its pre-tokeniser; the stages follow from that.
// Where llama.cpp approximates (no NFC, lower case by its own tables) the stages are those of the
// reference tokenisers; ids are equal on its test strings (tests/oracles/test_tokenizers.py).
#include "format/vocab_gguf_stages.h"

#include <algorithm>

#include "base/error.h"
#include "text/split.h"

namespace bittern::format {
namespace {

using text::DecoderKind;
using text::NormalizerKind;
using text::PreTokenizerKind;
using text::TokenizerModel;
using text::TokenKind;

constexpr std::string_view kPre = "tokenizer.ggml.pre";
constexpr std::string_view kSpaceSymbol = "\xe2\x96\x81";  // U+2581
constexpr std::string_view kUnknownSurface = " \xe2\x81\x87 ";

// The first uploads of BitNet 2B-4T have a Llama 3 vocabulary and do not say so.
bool is_unlabelled_bitnet(const Metadata& metadata, size_t token_count) {
  constexpr size_t kLlama3Tokens = 128256;
  const auto architecture = metadata.get_string("general.architecture");
  return (architecture == "bitnet-25" || architecture == "bitnet-b1.58") &&
         token_count == kLlama3Tokens;
}

text::SentencePieceOptions sentencepiece_options(const Metadata& metadata, bool remove_extra) {
  text::SentencePieceOptions options;
  options.add_dummy_prefix = metadata.get_boolean("tokenizer.ggml.add_space_prefix").value_or(true);
  options.remove_extra_whitespaces =
      metadata.get_boolean("tokenizer.ggml.remove_extra_whitespaces").value_or(remove_extra);
  // llama.cpp and the tokenizer.json files of the same vocabularies agree on this one.
  options.prefix_every_segment = true;
  return options;
}

void add_sentencepiece_stages(const Metadata& metadata, const text::SentencePieceOptions& options,
                              text::VocabSpec& spec) {
  text::NormalizerStep normalizer;
  normalizer.kind = NormalizerKind::sentencepiece;
  normalizer.sentencepiece = options;
  constexpr std::string_view kCharsmap = "tokenizer.ggml.precompiled_charsmap";
  if (const MetadataValue* map = metadata.find(kCharsmap)) {
    const bool bytes = map->type == ValueType::array &&
                       (map->element_type == ValueType::u8 || map->element_type == ValueType::i8);
    if (!bytes) bad_input("{}: {}: a list of bytes expected", metadata.file_name, kCharsmap);
    normalizer.content = as_text(map->raw);
  }
  spec.normalizers.push_back(std::move(normalizer));
  text::DecoderStep decoder;
  decoder.kind = DecoderKind::sentencepiece;
  decoder.content = kUnknownSurface;
  decoder.sentencepiece = options;
  spec.decoders.push_back(std::move(decoder));
  spec.sentencepiece_symbols = true;
  spec.single_precision = true;
  spec.byte_fallback = std::ranges::find(spec.kinds, TokenKind::byte) != spec.kinds.end();
}

}  // namespace

void gguf_byte_level_stages(const Metadata& metadata, text::VocabSpec& spec) {
  std::string pre = metadata.get_string(kPre).value_or("default");
  if (pre == "default" && is_unlabelled_bitnet(metadata, spec.tokens.size())) pre = "llama-bpe";
  if (pre == "default")
    fail(ErrorKind::unsupported,
         "{}: {}: missing or 'default', which does not say how text is split; supported: {}",
         metadata.file_name, kPre, text::known_splits());
  const text::SplitName* name = text::find_split_name(pre);
  if (name == nullptr)
    fail(ErrorKind::unsupported, "{}: {}: '{}' is not supported; supported: {}", metadata.file_name,
         kPre, printable(pre), text::known_splits());
  const bool prefix = metadata.get_boolean("tokenizer.ggml.add_space_prefix").value_or(false);
  spec.ignore_merges = name->ignore_merges;
  spec.add_bos = name->add_bos;
  if (!name->split.empty()) {
    spec.model = TokenizerModel::byte_level_bpe;
    spec.split = name->split;
    spec.nfc = name->nfc;
    spec.add_prefix_space = prefix;
    return;
  }
  spec.model = TokenizerModel::bpe;
  if (name->nfc) spec.normalizers.push_back({.kind = NormalizerKind::nfc});
  spec.pre_tokenizers = text::steps_of(*name);
  spec.pre_tokenizers.back().add_prefix_space = prefix;
  spec.decoders.push_back({.kind = DecoderKind::byte_level});
}

void gguf_sentencepiece_stages(const Metadata& metadata, text::VocabSpec& spec) {
  spec.model = TokenizerModel::sentencepiece_bpe;
  spec.bos = 1;
  spec.eos = 2;
  spec.unknown = 0;
  spec.add_bos = true;
  add_sentencepiece_stages(metadata, sentencepiece_options(metadata, false), spec);
}

void gguf_unigram_stages(const Metadata& metadata, text::VocabSpec& spec) {
  spec.model = TokenizerModel::unigram;
  spec.eos = 1;
  spec.unknown = 2;
  spec.padding = 0;
  spec.add_eos = true;
  add_sentencepiece_stages(metadata, sentencepiece_options(metadata, false), spec);
}

// The converter writes "▁word" for "word" and "ing" for "##ing"; names in brackets stay.
void gguf_word_piece_stages(const Metadata& metadata, text::VocabSpec& spec) {
  spec.model = TokenizerModel::word_piece;
  spec.continuing_prefix = "##";
  spec.bos = 101;
  spec.eos = 102;
  spec.unknown = 100;
  spec.padding = 0;
  spec.add_bos = spec.add_eos = true;
  bool has_upper_case = false;
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    std::string& token = spec.tokens[i];
    if (spec.kinds[i] != TokenKind::normal || (token.starts_with('[') && token.ends_with(']')))
      continue;
    has_upper_case =
        has_upper_case || std::ranges::any_of(token, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (token.starts_with(kSpaceSymbol)) {
      token.erase(0, kSpaceSymbol.size());
    } else {
      token.insert(0, "##");
    }
  }
  // A vocabulary without capitals can only be meant for lower-cased text.
  text::NormalizerStep normalizer;
  normalizer.kind = NormalizerKind::bert;
  normalizer.bert.lowercase =
      metadata.get_boolean("tokenizer.ggml.normalizer.lowercase").value_or(!has_upper_case);
  normalizer.bert.strip_accents = normalizer.bert.lowercase;
  spec.normalizers.push_back(std::move(normalizer));
  spec.pre_tokenizers.push_back({.kind = PreTokenizerKind::bert});
  spec.decoders.push_back({.kind = DecoderKind::word_piece, .pattern = "##"});
}

// Merges over characters with spaces as U+2581, text cut at line ends alone.
void gguf_gemma4_stages(const Metadata& metadata, text::VocabSpec& spec) {
  spec.model = TokenizerModel::bpe;
  spec.byte_fallback = true;
  spec.fuse_unknown = true;
  spec.bos = 2;
  spec.eos = 1;
  spec.unknown = 3;
  spec.add_bos = true;
  const bool prefix = metadata.get_boolean("tokenizer.ggml.add_space_prefix").value_or(false);
  if (prefix) spec.normalizers.push_back({.kind = NormalizerKind::prepend, .content = " "});
  spec.normalizers.push_back(
      {.kind = NormalizerKind::replace_text, .pattern = " ", .content = std::string(kSpaceSymbol)});
  spec.pre_tokenizers.push_back(
      {.kind = PreTokenizerKind::split_regex, .pattern = "[^\\n]+|[\\n]+"});
  spec.decoders.push_back(
      {.kind = DecoderKind::replace_text, .pattern = std::string(kSpaceSymbol), .content = " "});
  spec.decoders.push_back({.kind = DecoderKind::byte_fallback});
  spec.decoders.push_back({.kind = DecoderKind::fuse});
}

}  // namespace bittern::format
