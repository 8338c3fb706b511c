// A vocabulary from tokenizer.ggml.* keys. Defaults where a key is absent, and the rule by which
// tokens end a generation, are those of llama.cpp (src/llama-vocab.cpp); its fallback splits for
// a missing pre-tokeniser are not copied, because they are wrong for nearly every model. What a
// GGUF does not say (the stages around the model) is in vocab_gguf_stages.cc.
#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "format/vocab.h"
#include "format/vocab_gguf_stages.h"

namespace bittern::format {
namespace {

constexpr std::string_view kModel = "tokenizer.ggml.model";
constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";

// GGUF has no list of the tokens that end a generation: llama.cpp collects them by their text.
constexpr std::array<std::string_view, 21> kEndTexts = {"<|eot_id|>",
                                                        "<|im_end|>",
                                                        "<|end|>",
                                                        "<|return|>",
                                                        "<|call|>",
                                                        "<|flush|>",
                                                        "<|calls|>",
                                                        "<end_of_turn>",
                                                        "<|endoftext|>",
                                                        "</s>",
                                                        "<|eom_id|>",
                                                        "<EOT>",
                                                        "_<EOT>",
                                                        "[EOT]",
                                                        "[EOS]",
                                                        "<|end_of_text|>",
                                                        "<end_of_utterance>",
                                                        "<eos>",
                                                        "<turn|>",
                                                        "<|tool_response>",
                                                        "<｜end▁of▁sentence｜>"};
constexpr std::array<std::string_view, 6> kEndKeys = {
    "tokenizer.ggml.eos_token_id",     "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",     "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id", "tokenizer.ggml.fim_sep_token_id"};

void read_tokens(const Metadata& metadata, text::VocabSpec& spec) {
  const auto* tokens = metadata.get_strings(kTokens);
  if (tokens == nullptr || tokens->empty())
    bad_input("{}: {}: a list of tokens expected, got none", metadata.file_name, kTokens);
  if (tokens->size() > size_t{std::numeric_limits<int32_t>::max()})
    bad_input("{}: {}: at most 2^31 tokens expected, got {}", metadata.file_name, kTokens,
              tokens->size());
  spec.tokens = *tokens;
  spec.kinds.assign(tokens->size(), text::TokenKind::normal);
  const auto types = metadata.get_integers(kTypes);
  if (!types) return;
  if (types->size() != tokens->size())
    bad_input("{}: {}: {} elements expected as in {}, got {}", metadata.file_name, kTypes,
              tokens->size(), kTokens, types->size());
  for (size_t i = 0; i < types->size(); ++i) {
    const int64_t type = (*types)[i];
    if (type < 1 || type > 6)
      bad_input("{}: {}: 1 to 6 expected at {}, got {}", metadata.file_name, kTypes, i, type);
    spec.kinds[i] = static_cast<text::TokenKind>(type - 1);
  }
}

// "left right": the space that separates them is the first one behind the first byte, as a
// token may itself begin with a space.
void read_merges(const Metadata& metadata, text::VocabSpec& spec) {
  const auto* merges = metadata.get_strings(kMerges);
  if (merges == nullptr)
    bad_input("{}: {}: expected for byte-pair encoding, got none", metadata.file_name, kMerges);
  spec.merges.reserve(merges->size());
  for (const std::string& merge : *merges) {
    const size_t space = merge.find(' ', 1);
    if (space == std::string::npos || space + 1 == merge.size())
      bad_input("{}: {}: two tokens separated by a space expected, got '{}'", metadata.file_name,
                kMerges, printable(merge));
    spec.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
}

// A token id, or -1 where absent. Some converters write -1 as the largest u32.
int32_t read_id(const Metadata& metadata, std::string_view key, size_t token_count) {
  constexpr int64_t kNone = std::numeric_limits<uint32_t>::max();
  const auto id = metadata.get_integer(key);
  if (!id || *id == -1 || *id == kNone) return -1;
  if (*id < 0 || *id >= static_cast<int64_t>(token_count))
    bad_input("{}: {}: 0 to {} expected, got {}", metadata.file_name, key, token_count - 1, *id);
  return static_cast<int32_t>(*id);
}

bool is_byte_level(const text::VocabSpec& spec) {
  return spec.model == text::TokenizerModel::byte_level_bpe ||
         (!spec.decoders.empty() && spec.decoders[0].kind == text::DecoderKind::byte_level);
}

// The defaults of a model stand in `spec` already.
void read_special(const Metadata& metadata, text::VocabSpec& spec) {
  const size_t count = spec.tokens.size();
  const auto read = [&](std::string_view key, int32_t& id) {
    if (metadata.find(key) != nullptr) id = read_id(metadata, key, count);
    if (id >= static_cast<int32_t>(count)) id = -1;
  };
  read("tokenizer.ggml.bos_token_id", spec.bos);
  read("tokenizer.ggml.eos_token_id", spec.eos);
  // Byte-level vocabularies name one too, but their models have none: what cannot be spelled is
  // left out, in llama.cpp as in the tokenizer.json of the same vocabularies.
  if (!is_byte_level(spec)) read("tokenizer.ggml.unknown_token_id", spec.unknown);
  read("tokenizer.ggml.padding_token_id", spec.padding);
  if (spec.model == text::TokenizerModel::word_piece) {
    read("tokenizer.ggml.cls_token_id", spec.bos);
    read("tokenizer.ggml.seperator_token_id", spec.eos);  // the format's spelling
  }
  spec.add_bos = metadata.get_boolean("tokenizer.ggml.add_bos_token").value_or(spec.add_bos);
  spec.add_eos = metadata.get_boolean("tokenizer.ggml.add_eos_token").value_or(spec.add_eos);
  for (const std::string_view key : kEndKeys)
    if (const int32_t id = read_id(metadata, key, count); id >= 0)
      spec.end_of_generation.push_back(id);
  for (size_t i = 0; i < count; ++i)
    if (std::find(kEndTexts.begin(), kEndTexts.end(), spec.tokens[i]) != kEndTexts.end())
      spec.end_of_generation.push_back(static_cast<int32_t>(i));
  std::sort(spec.end_of_generation.begin(), spec.end_of_generation.end());
  const auto repeated = std::unique(spec.end_of_generation.begin(), spec.end_of_generation.end());
  spec.end_of_generation.erase(repeated, spec.end_of_generation.end());
}

// Tokens that are matched in the text before it is split.
void collect_added(text::VocabSpec& spec) {
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const text::TokenKind kind = spec.kinds[i];
    const bool special = kind == text::TokenKind::control || kind == text::TokenKind::unknown;
    if ((!special && kind != text::TokenKind::user_defined) || spec.tokens[i].empty()) continue;
    spec.added.push_back(
        {.id = static_cast<int32_t>(i), .content = spec.tokens[i], .special = special});
  }
}

void read_scores(const Metadata& metadata, text::VocabSpec& spec) {
  constexpr std::string_view kScores = "tokenizer.ggml.scores";
  const auto scores = metadata.get_floats(kScores);
  if (!scores || scores->size() != spec.tokens.size())
    bad_input("{}: {}: one for each of {} tokens expected, got {}", metadata.file_name, kScores,
              spec.tokens.size(), scores ? scores->size() : 0);
  spec.scores.assign(scores->begin(), scores->end());
}

struct ModelRow {
  std::string_view name;
  void (*read)(const Metadata& metadata, text::VocabSpec& spec);
  bool has_merges, has_scores;
};
constexpr std::array kModels = {
    ModelRow{"gpt2", gguf_byte_level_stages, true, false},
    ModelRow{"llama", gguf_sentencepiece_stages, false, true},
    ModelRow{"bert", gguf_word_piece_stages, false, false},
    ModelRow{"t5", gguf_unigram_stages, false, true},
    ModelRow{"gemma4", gguf_gemma4_stages, true, false},
};

const ModelRow& find_model(const Metadata& metadata) {
  const auto name = metadata.get_string(kModel);
  if (!name) bad_input("{}: {}: expected, got none", metadata.file_name, kModel);
  std::string known;
  for (const ModelRow& row : kModels) {
    if (row.name == *name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  fail(ErrorKind::unsupported, "{}: {}: vocabularies of kind '{}' are not supported; supported: {}",
       metadata.file_name, kModel, printable(*name), known);
}

}  // namespace

text::VocabSpec vocab_from_gguf(const Metadata& metadata) {
  const ModelRow& model = find_model(metadata);
  text::VocabSpec spec;
  spec.source = metadata.file_name;
  read_tokens(metadata, spec);
  model.read(metadata, spec);
  if (model.has_merges) read_merges(metadata, spec);
  if (model.has_scores) read_scores(metadata, spec);
  read_special(metadata, spec);
  collect_added(spec);
  return spec;
}

}  // namespace bittern::format
