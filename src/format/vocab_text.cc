// The vocabularies of before tokenizer.json: BERT's vocab.txt, and GPT-2's vocab.json with
// merges.txt. What surrounds and cuts text follows the tokenizer class that tokenizer_config.json
// names (or the family in config.json), as the slow tokenisers of transformers had it.
#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "format/vocab_builder.h"
#include "text/split.h"

namespace bittern::format {
namespace {

using text::TemplatePiece;

// The next line without its end; nothing behind the last one.
std::optional<std::string_view> next_line(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::optional<bool> config_flag(const VocabFiles& files, std::string_view key) {
  return files.tokenizer_config == nullptr ? std::nullopt
                                           : files.tokenizer_config->root().get_boolean(key);
}

// A token of the model that is special, where it is there; its id or -1.
int32_t mark_special(std::string_view content, bool lstrip, VocabBuilder& out) {
  const int32_t id = out.find(content);
  if (id < 0 || out.spec.kinds[static_cast<size_t>(id)] == text::TokenKind::control) return id;
  text::AddedToken token;
  token.lstrip = lstrip;
  add_token(std::move(token), content, out);
  return id;
}

// The name of a special token: tokenizer_config.json's, or the class's own.
std::string_view special_name(const VocabFiles& files, std::string_view key,
                              std::string_view fallback) {
  if (files.tokenizer_config == nullptr) return fallback;
  const auto value = files.tokenizer_config->root().get(key);
  if (!value) return fallback;
  if (!value->is(json::Kind::object)) return value->as_string(key);
  return value->get_string("content").value_or(fallback);
}

void surround(int32_t cls, int32_t sep, bool two_separators, text::VocabSpec& spec) {
  const auto tokens = [](int32_t id) {
    return TemplatePiece{.kind = TemplatePiece::Kind::tokens, .ids = {id}};
  };
  const TemplatePiece first{.kind = TemplatePiece::Kind::first, .ids = {}};
  const TemplatePiece second{.kind = TemplatePiece::Kind::second, .ids = {}};
  spec.single = {tokens(cls), first, tokens(sep)};
  spec.pair = spec.single;
  if (two_separators) spec.pair.push_back(tokens(sep));
  spec.pair.push_back(second);
  spec.pair.push_back(tokens(sep));
  simplify_template(spec);
}

// What the class of a merge list means beside its merges.
struct MergeClass {
  std::string_view tokenizer_class, family, pre;
  bool roberta;  // <s> text </s>
};
constexpr MergeClass kMergeClasses[] = {
    {"GPT2Tokenizer", "gpt2", "gpt-2", false},
    {"GPT2Tokenizer", "gpt_neo", "gpt-2", false},
    {"GPT2Tokenizer", "gptj", "gpt-2", false},
    {"RobertaTokenizer", "roberta", "gpt-2", true},
    {"BartTokenizer", "bart", "gpt-2", true},
    {"LongformerTokenizer", "longformer", "gpt-2", true},
    {"Qwen2Tokenizer", "qwen2", "qwen2", false},
    {"Qwen2Tokenizer", "qwen3", "qwen2", false},
};

const MergeClass& find_merge_class(const VocabFiles& files, const std::string& file) {
  const auto get = [](const json::Document* document, std::string_view key) {
    return document == nullptr ? std::nullopt : document->root().get_string(key);
  };
  auto name = get(files.tokenizer_config, "tokenizer_class");
  if (name && name->ends_with("Fast")) name->remove_suffix(4);
  const auto family = get(files.config, "model_type");
  if (!name && !family) return kMergeClasses[0];
  for (const MergeClass& row : kMergeClasses)
    if (name ? row.tokenizer_class == *name : row.family == *family) return row;
  fail(ErrorKind::unsupported,
       "{}: {} '{}' is not supported with vocab.json and merges.txt; convert it to tokenizer.json",
       file, name ? "tokenizer_class" : "model_type", printable(name ? *name : *family));
}

}  // namespace

text::VocabSpec vocab_from_word_list(std::string_view lines, const std::string& file_name,
                                     const VocabFiles& files) {
  VocabBuilder out;
  text::VocabSpec& spec = out.spec;
  spec.source = file_name;
  spec.model = text::TokenizerModel::word_piece;
  spec.continuing_prefix = "##";
  while (const auto line = next_line(lines)) {
    if (!utf8::is_valid(*line))
      bad_input("{}: line {}: UTF-8 expected, got '{}'", file_name, spec.tokens.size() + 1,
                printable(*line));
    // Of lines that occur twice the last counts, as in the reference.
    if (const int32_t known = out.ids.find(*line); known >= 0)
      spec.kinds[static_cast<size_t>(known)] = text::TokenKind::unused;
    out.ids.set(*line, static_cast<int32_t>(spec.tokens.size()));
    spec.tokens.emplace_back(*line);
    spec.kinds.push_back(text::TokenKind::normal);
  }
  out.model_size = static_cast<int64_t>(spec.tokens.size());
  spec.unknown = mark_special(special_name(files, "unk_token", "[UNK]"), false, out);
  const int32_t sep = mark_special(special_name(files, "sep_token", "[SEP]"), false, out);
  spec.padding = mark_special(special_name(files, "pad_token", "[PAD]"), false, out);
  const int32_t cls = mark_special(special_name(files, "cls_token", "[CLS]"), false, out);
  mark_special(special_name(files, "mask_token", "[MASK]"), false, out);
  if (spec.unknown < 0 || sep < 0 || cls < 0)
    bad_input("{}: lines [UNK], [CLS] and [SEP] expected, got no {}", file_name,
              spec.unknown < 0 ? "[UNK]"
              : cls < 0        ? "[CLS]"
                               : "[SEP]");
  read_added_tokens_decoder(files.tokenizer_config, out);
  surround(cls, sep, false, spec);

  text::NormalizerStep normalizer;
  normalizer.kind = text::NormalizerKind::bert;
  normalizer.bert.lowercase = config_flag(files, "do_lower_case").value_or(true);
  normalizer.bert.strip_accents =
      config_flag(files, "strip_accents").value_or(normalizer.bert.lowercase);
  normalizer.bert.chinese_chars = config_flag(files, "tokenize_chinese_chars").value_or(true);
  spec.normalizers.push_back(std::move(normalizer));
  spec.pre_tokenizers.push_back({.kind = text::PreTokenizerKind::bert});
  spec.decoders.push_back({.kind = text::DecoderKind::word_piece, .pattern = "##"});
  read_special(files, out);
  return std::move(out.spec);
}

text::VocabSpec vocab_from_merge_list(const json::Document& vocab, std::string_view merges,
                                      const VocabFiles& files) {
  VocabBuilder out;
  text::VocabSpec& spec = out.spec;
  spec.source = vocab.file_name();
  const MergeClass& row = find_merge_class(files, spec.source);
  read_token_ids(vocab.root(), "vocab", out);
  while (const auto line = next_line(merges))
    if (!line->starts_with("#version") && !line->empty())
      spec.merges.push_back(split_merge(*line, spec.source));
  const text::SplitName* name = text::find_split_name(row.pre);
  if (name == nullptr) fail(ErrorKind::internal, "no pre-tokeniser '{}'", row.pre);
  spec.split = name->split;
  spec.nfc = name->nfc;
  spec.add_prefix_space = config_flag(files, "add_prefix_space").value_or(false);
  if (row.roberta) {
    const int32_t cls = mark_special(special_name(files, "bos_token", "<s>"), false, out);
    const int32_t sep = mark_special(special_name(files, "eos_token", "</s>"), false, out);
    if (cls < 0 || sep < 0)
      bad_input("{}: tokens '<s>' and '</s>' expected, got no {}", spec.source,
                cls < 0 ? "'<s>'" : "'</s>'");
    mark_special(special_name(files, "pad_token", "<pad>"), false, out);
    mark_special(special_name(files, "unk_token", "<unk>"), false, out);
    mark_special(special_name(files, "mask_token", "<mask>"), true, out);
    surround(cls, sep, true, spec);
  } else {
    spec.eos = mark_special(special_name(files, "eos_token", "<|endoftext|>"), false, out);
  }
  read_added_tokens_decoder(files.tokenizer_config, out);
  read_special(files, out);
  return std::move(out.spec);
}

}  // namespace bittern::format
