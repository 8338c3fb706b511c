// Mistral's tekken.json:
//   config: pattern, default_vocab_size (with special tokens), default_num_special_tokens, version
//   vocab: [{rank, token_bytes (base64), token_str}, ...], more than the model has
//   special_tokens: [{rank, token_str, is_control}, ...]; files of 2024 have the list below
// A token's id is its rank plus the number of special tokens, whose unnamed rest is filled up.
// Source: mistral-common 1.13 (tekken.py).
#include <algorithm>
#include <array>

#include "base/base64.h"
#include "base/error.h"
#include "format/vocab_builder.h"
#include "format/vocab_ranks.h"
#include "text/split.h"

namespace bittern::format {
namespace {

using json::Value;

constexpr std::string_view kSpecialOf2024[] = {"<unk>",
                                               "<s>",
                                               "</s>",
                                               "[INST]",
                                               "[/INST]",
                                               "[AVAILABLE_TOOLS]",
                                               "[/AVAILABLE_TOOLS]",
                                               "[TOOL_RESULTS]",
                                               "[/TOOL_RESULTS]",
                                               "[TOOL_CALLS]",
                                               "[IMG]",
                                               "<pad>",
                                               "[IMG_BREAK]",
                                               "[IMG_END]",
                                               "[PREFIX]",
                                               "[MIDDLE]",
                                               "[SUFFIX]",
                                               "[SYSTEM_PROMPT]",
                                               "[/SYSTEM_PROMPT]",
                                               "[TOOL_CONTENT]"};

int64_t config_number(const Value& config, std::string_view key) {
  constexpr int64_t kMost = 1 << 24;
  const auto number = config.get_integer(key);
  if (!number || *number < 1 || *number > kMost)
    bad_input("{}: config.{}: 1 to {} expected, got {}", config.file_name(), key, kMost,
              number.value_or(-1));
  return *number;
}

std::vector<std::string> read_tokens(const Value& root, int64_t count) {
  const auto vocab = root.find("vocab");
  if (!vocab) bad_input("{}: vocab: a list expected, got none", root.file_name());
  const auto list = vocab->elements("vocab");
  if (static_cast<int64_t>(list.size()) < count)
    bad_input("{}: vocab: {} tokens expected, got {}", root.file_name(), count, list.size());
  std::vector<std::string> tokens;
  for (int64_t rank = 0; rank < count; ++rank) {
    const Value& token = list[static_cast<size_t>(rank)];
    const auto text = token.get_string("token_bytes");
    const auto bytes = text ? base64_decode(*text) : std::nullopt;
    if (token.get_integer("rank") != rank || !bytes || bytes->empty())
      bad_input("{}: vocab: token_bytes of rank {} expected", root.file_name(), rank);
    tokens.push_back(*bytes);
  }
  return tokens;
}

void read_special_tokens(const Value& root, int64_t count, VocabBuilder& out) {
  std::vector<std::string> names(static_cast<size_t>(count));
  if (const auto list = root.get("special_tokens")) {
    for (const Value& token : list->elements("special_tokens")) {
      const int64_t rank = token.get_integer("rank").value_or(-1);
      const auto text = token.get_string("token_str");
      if (rank < 0 || rank >= count || !text)
        bad_input("{}: special_tokens: a rank of 0 to {} and a token_str expected, got rank {}",
                  root.file_name(), count - 1, rank);
      names[static_cast<size_t>(rank)] = *text;
    }
  } else {
    const size_t known = std::min(std::size(kSpecialOf2024), names.size());
    std::copy_n(kSpecialOf2024, known, names.begin());
  }
  for (size_t rank = 0; rank < names.size(); ++rank) {
    if (names[rank].empty()) names[rank] = fmt::format("<SPECIAL_{}>", rank);
    add_ranked_special(out.owned.emplace_back(names[rank]), static_cast<int32_t>(rank), out);
  }
}

}  // namespace

text::VocabSpec vocab_from_tekken(const json::Document& tekken, const VocabFiles& files) {
  const Value root = tekken.root();
  const auto config = root.find("config");
  const auto pattern = config ? config->get_string("pattern") : std::nullopt;
  if (!pattern) bad_input("{}: config.pattern: expected, got none", tekken.file_name());
  const int64_t specials = config_number(*config, "default_num_special_tokens");
  const int64_t size = config_number(*config, "default_vocab_size");
  if (size <= specials)
    bad_input("{}: config.default_vocab_size: more than {} expected, got {}", tekken.file_name(),
              specials, size);
  VocabBuilder out;
  text::VocabSpec& spec = out.spec;
  spec.source = tekken.file_name();
  const std::vector<std::string> tokens = read_tokens(root, size - specials);
  add_ranks(tokens, static_cast<int32_t>(specials), spec);
  read_special_tokens(root, specials, out);
  spec.model = text::TokenizerModel::bpe;
  spec.pre_tokenizers.push_back(
      {.kind = text::PreTokenizerKind::split_regex, .pattern = std::string(*pattern)});
  spec.pre_tokenizers.push_back(
      {.kind = text::PreTokenizerKind::byte_level, .add_prefix_space = false, .use_regex = false});
  spec.decoders.push_back({.kind = text::DecoderKind::byte_level});
  spec.bos = out.find("<s>");
  spec.eos = out.find("</s>");
  spec.padding = out.find("<pad>");
  choose_byte_level(spec);
  read_special(files, out);
  spec.add_bos = spec.bos >= 0;
  return std::move(out.spec);
}

}  // namespace bittern::format
