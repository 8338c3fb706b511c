// The stages of tokenizer.json around the model, as data. One row of a table per type; a type that
// is in no row is refused by name. Source: research note H 5.1.
#include <algorithm>

#include "base/base64.h"
#include "base/error.h"
#include "base/utf8.h"
#include "format/vocab_builder.h"

namespace bittern::format {
namespace {

using json::Value;
using text::DecoderKind;
using text::DecoderStep;
using text::NormalizerKind;
using text::NormalizerStep;
using text::PreTokenizerKind;
using text::PreTokenizerStep;

constexpr std::string_view kNormalizer = "normalizer";
constexpr std::string_view kPreTokenizer = "pre_tokenizer";
constexpr std::string_view kDecoder = "decoder";

std::string required_string(const Value& stage, std::string_view field, std::string_view key) {
  const auto text = stage.get_string(key);
  if (!text) bad_input("{}: {}.{}: expected, got none", stage.file_name(), field, key);
  return std::string(*text);
}

// One character.
std::string required_character(const Value& stage, std::string_view field, std::string_view key) {
  std::string text = required_string(stage, field, key);
  if (text.empty() || utf8::decode(text).length != text.size())
    bad_input("{}: {}.{}: one character expected, got '{}'", stage.file_name(), field, key,
              printable(text));
  return text;
}

struct Pattern {
  std::string text;
  bool is_regex;
};

// {"String": ...} or {"Regex": ...}
Pattern required_pattern(const Value& stage, std::string_view field) {
  const auto pattern = stage.get("pattern");
  const auto regex = pattern ? pattern->get_string("Regex") : std::nullopt;
  const auto text = pattern ? pattern->get_string("String") : std::nullopt;
  if (regex.has_value() == text.has_value())
    bad_input("{}: {}.pattern: a Regex or a String expected", stage.file_name(), field);
  return {std::string(regex ? *regex : *text), regex.has_value()};
}

text::SplitBehavior behavior_of(const Value& stage, std::string_view default_name) {
  struct Row {
    std::string_view name;
    text::SplitBehavior behavior;
  };
  constexpr Row kRows[] = {{"Removed", text::SplitBehavior::removed},
                           {"Isolated", text::SplitBehavior::isolated},
                           {"MergedWithPrevious", text::SplitBehavior::merged_with_previous},
                           {"MergedWithNext", text::SplitBehavior::merged_with_next},
                           {"Contiguous", text::SplitBehavior::contiguous}};
  const std::string_view name = stage.get_string("behavior").value_or(default_name);
  for (const Row& row : kRows)
    if (row.name == name) return row.behavior;
  unsupported(stage, "pre_tokenizer.behavior", fmt::format("'{}'", printable(name)));
}

text::Prepend prepend_of(const Value& stage, std::string_view field) {
  const std::string_view name = stage.get_string("prepend_scheme").value_or("always");
  const auto add = stage.get_boolean("add_prefix_space");
  if (name != "always" && name != "first" && name != "never")
    unsupported(stage, fmt::format("{}.prepend_scheme", field),
                fmt::format("'{}'", printable(name)));
  // Files before the scheme say add_prefix_space alone; false beside another scheme is an error in
  // the reference unless the scheme is left out.
  if (add == false) {
    if (stage.get_string("prepend_scheme") && name != "never")
      bad_input("{}: {}.prepend_scheme: never expected with add_prefix_space false, got '{}'",
                stage.file_name(), field, name);
    return text::Prepend::never;
  }
  return name == "always"  ? text::Prepend::always
         : name == "first" ? text::Prepend::first
                           : text::Prepend::never;
}

// ---- normalizers ----

void read_bert(const Value& stage, NormalizerStep& step) {
  step.bert.clean_text = stage.get_boolean("clean_text").value_or(true);
  step.bert.chinese_chars = stage.get_boolean("handle_chinese_chars").value_or(true);
  step.bert.lowercase = stage.get_boolean("lowercase").value_or(true);
  step.bert.strip_accents = stage.get_boolean("strip_accents").value_or(step.bert.lowercase);
}

void read_strip(const Value& stage, NormalizerStep& step) {
  step.left = stage.get_boolean("strip_left").value_or(true);
  step.right = stage.get_boolean("strip_right").value_or(true);
}

void read_replace(const Value& stage, NormalizerStep& step) {
  const Pattern pattern = required_pattern(stage, kNormalizer);
  step.kind = pattern.is_regex ? NormalizerKind::replace_regex : NormalizerKind::replace_text;
  step.pattern = pattern.text;
  step.content = required_string(stage, kNormalizer, "content");
}

void read_prepend(const Value& stage, NormalizerStep& step) {
  step.content = required_string(stage, kNormalizer, "prepend");
}

void read_precompiled(const Value& stage, NormalizerStep& step) {
  const std::string text = required_string(stage, kNormalizer, "precompiled_charsmap");
  const auto blob = base64_decode(text);
  if (!blob)
    bad_input("{}: {}.precompiled_charsmap: base64 expected, got '{}'", stage.file_name(),
              kNormalizer, printable(text));
  step.content = *blob;
}

struct NormalizerRow {
  std::string_view type;
  NormalizerKind kind;
  void (*read)(const Value& stage, NormalizerStep& step);  // null: no fields
};
constexpr NormalizerRow kNormalizers[] = {
    {"NFC", NormalizerKind::nfc, nullptr},
    {"NFD", NormalizerKind::nfd, nullptr},
    {"NFKC", NormalizerKind::nfkc, nullptr},
    {"NFKD", NormalizerKind::nfkd, nullptr},
    {"Lowercase", NormalizerKind::lowercase, nullptr},
    {"Strip", NormalizerKind::strip, read_strip},
    {"StripAccents", NormalizerKind::strip_accents, nullptr},
    {"Nmt", NormalizerKind::nmt, nullptr},
    {"Replace", NormalizerKind::replace_text, read_replace},
    {"Prepend", NormalizerKind::prepend, read_prepend},
    {"ByteLevel", NormalizerKind::byte_level, nullptr},
    {"BertNormalizer", NormalizerKind::bert, read_bert},
    {"Precompiled", NormalizerKind::precompiled, read_precompiled},
};

// ---- pre-tokenizers ----

void read_split(const Value& stage, PreTokenizerStep& step) {
  const Pattern pattern = required_pattern(stage, kPreTokenizer);
  step.kind = pattern.is_regex ? PreTokenizerKind::split_regex : PreTokenizerKind::split_text;
  step.pattern = pattern.text;
  step.behavior = behavior_of(stage, "");
  step.invert = stage.get_boolean("invert").value_or(false);
}

void read_byte_level(const Value& stage, PreTokenizerStep& step) {
  step.add_prefix_space = stage.get_boolean("add_prefix_space").value_or(true);
  step.use_regex = stage.get_boolean("use_regex").value_or(true);
}

void read_metaspace(const Value& stage, PreTokenizerStep& step) {
  step.pattern = required_character(stage, kPreTokenizer, "replacement");
  step.prepend = prepend_of(stage, kPreTokenizer);
  step.split = stage.get_boolean("split").value_or(true);
}

void read_delimiter(const Value& stage, PreTokenizerStep& step) {
  step.pattern = required_character(stage, kPreTokenizer, "delimiter");
}

void read_digits(const Value& stage, PreTokenizerStep& step) {
  step.individual = stage.get_boolean("individual_digits").value_or(false);
}

void read_punctuation(const Value& stage, PreTokenizerStep& step) {
  step.behavior = behavior_of(stage, "Isolated");
}

void read_fixed_length(const Value& stage, PreTokenizerStep& step) {
  step.length = stage.get_integer("length").value_or(5);
  if (step.length < 1)
    bad_input("{}: {}.length: at least 1 expected, got {}", stage.file_name(), kPreTokenizer,
              step.length);
}

struct PreTokenizerRow {
  std::string_view type;
  PreTokenizerKind kind;
  void (*read)(const Value& stage, PreTokenizerStep& step);
};
constexpr PreTokenizerRow kPreTokenizers[] = {
    {"Split", PreTokenizerKind::split_text, read_split},
    {"ByteLevel", PreTokenizerKind::byte_level, read_byte_level},
    {"Metaspace", PreTokenizerKind::metaspace, read_metaspace},
    {"Whitespace", PreTokenizerKind::whitespace, nullptr},
    {"WhitespaceSplit", PreTokenizerKind::whitespace_split, nullptr},
    {"CharDelimiterSplit", PreTokenizerKind::char_delimiter, read_delimiter},
    {"Digits", PreTokenizerKind::digits, read_digits},
    {"Punctuation", PreTokenizerKind::punctuation, read_punctuation},
    {"BertPreTokenizer", PreTokenizerKind::bert, nullptr},
    {"UnicodeScripts", PreTokenizerKind::unicode_scripts, nullptr},
    {"FixedLength", PreTokenizerKind::fixed_length, read_fixed_length},
};

// ---- decoders ----

void read_metaspace_decoder(const Value& stage, DecoderStep& step) {
  step.pattern = required_character(stage, kDecoder, "replacement");
  step.prepend = prepend_of(stage, kDecoder);
}

void read_strip_decoder(const Value& stage, DecoderStep& step) {
  constexpr int64_t kMost = 1 << 20;
  step.pattern = required_character(stage, kDecoder, "content");
  step.start = stage.get_integer("start").value_or(0);
  step.stop = stage.get_integer("stop").value_or(0);
  if (step.start < 0 || step.stop < 0 || step.start > kMost || step.stop > kMost)
    bad_input("{}: {}.start, stop: 0 to {} expected, got {} and {}", stage.file_name(), kDecoder,
              kMost, step.start, step.stop);
}

void read_replace_decoder(const Value& stage, DecoderStep& step) {
  const Pattern pattern = required_pattern(stage, kDecoder);
  step.kind = pattern.is_regex ? DecoderKind::replace_regex : DecoderKind::replace_text;
  step.pattern = pattern.text;
  step.content = required_string(stage, kDecoder, "content");
}

void read_bpe_decoder(const Value& stage, DecoderStep& step) {
  step.pattern = stage.get_string("suffix").value_or("</w>");
}

void read_word_piece_decoder(const Value& stage, DecoderStep& step) {
  step.pattern = stage.get_string("prefix").value_or("##");
  step.cleanup = stage.get_boolean("cleanup").value_or(true);
}

void read_ctc(const Value& stage, DecoderStep& step) {
  step.pattern = stage.get_string("pad_token").value_or("<pad>");
  step.content = stage.get_string("word_delimiter_token").value_or("|");
  step.cleanup = stage.get_boolean("cleanup").value_or(true);
}

struct DecoderRow {
  std::string_view type;
  DecoderKind kind;
  void (*read)(const Value& stage, DecoderStep& step);
};
constexpr DecoderRow kDecoders[] = {
    {"ByteLevel", DecoderKind::byte_level, nullptr},
    {"Metaspace", DecoderKind::metaspace, read_metaspace_decoder},
    {"ByteFallback", DecoderKind::byte_fallback, nullptr},
    {"Fuse", DecoderKind::fuse, nullptr},
    {"Strip", DecoderKind::strip, read_strip_decoder},
    {"Replace", DecoderKind::replace_text, read_replace_decoder},
    {"BPEDecoder", DecoderKind::bpe, read_bpe_decoder},
    {"WordPiece", DecoderKind::word_piece, read_word_piece_decoder},
    {"CTC", DecoderKind::ctc, read_ctc},
};

// The steps of a part of the pipeline by its table of rows.
template <typename Step, typename Rows>
void read_part(const Value& root, std::string_view field, std::string_view key, const Rows& rows,
               std::vector<Step>& steps) {
  const auto part = root.get(field);
  if (!part) return;
  for (const Value& stage : stages_of(*part, field, key)) {
    const std::string type = type_of(stage, field);
    const auto row = std::ranges::find_if(rows, [&](const auto& r) { return r.type == type; });
    if (row == std::end(rows)) unsupported(root, field, fmt::format("'{}'", printable(type)));
    Step step;
    step.kind = row->kind;
    if (row->read != nullptr) row->read(stage, step);
    steps.push_back(std::move(step));
  }
}

}  // namespace

void read_normalizers(const Value& root, text::VocabSpec& spec) {
  read_part(root, kNormalizer, "normalizers", kNormalizers, spec.normalizers);
}

void read_pre_tokenizers(const Value& root, text::VocabSpec& spec) {
  read_part(root, kPreTokenizer, "pretokenizers", kPreTokenizers, spec.pre_tokenizers);
}

void read_decoders(const Value& root, text::VocabSpec& spec) {
  read_part(root, kDecoder, "decoders", kDecoders, spec.decoders);
  if (!root.get(kDecoder)) spec.decoders.push_back({.kind = DecoderKind::join});
}

}  // namespace bittern::format
