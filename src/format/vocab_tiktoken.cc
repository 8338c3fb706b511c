// A vocabulary from a rank file: lines of "base64 rank", ranks dense from 0. tiktoken's rule, "join
// the neighbours whose joined bytes have the lowest rank", is a list of merges in disguise: every
// way to cut a token into two tokens is a merge of the token's rank, and a piece that is a token is
// taken whole (ignore_merges). This is also how transformers converts such files.
// The expression and the special tokens are not in the file; they come from tokenizer_config.json
// or from the table below, which knows the published files by their number of ranks.
#include <algorithm>
#include <array>
#include <charconv>

#include "base/base64.h"
#include "base/error.h"
#include "base/utf8.h"
#include "format/vocab_builder.h"
#include "format/vocab_ranks.h"
#include "text/byte_alphabet.h"
#include "text/split.h"

namespace bittern::format {
namespace {

struct SpecialToken {
  std::string_view content;
  int32_t offset;  // behind the last rank
};

constexpr std::array kCl100k = {SpecialToken{"<|endoftext|>", 1}, SpecialToken{"<|fim_prefix|>", 2},
                                SpecialToken{"<|fim_middle|>", 3},
                                SpecialToken{"<|fim_suffix|>", 4},
                                SpecialToken{"<|endofprompt|>", 20}};
constexpr std::array kO200k = {SpecialToken{"<|endoftext|>", 1},
                               SpecialToken{"<|endofprompt|>", 20}};
constexpr std::array kGpt2 = {SpecialToken{"<|endoftext|>", 0}};
constexpr std::array kQwen = {SpecialToken{"<|endoftext|>", 0}, SpecialToken{"<|im_start|>", 1},
                              SpecialToken{"<|im_end|>", 2}};
constexpr std::array kLlama3 = {SpecialToken{"<|begin_of_text|>", 0},
                                SpecialToken{"<|end_of_text|>", 1},
                                SpecialToken{"<|reserved_special_token_0|>", 2},
                                SpecialToken{"<|reserved_special_token_1|>", 3},
                                SpecialToken{"<|finetune_right_pad_id|>", 4},
                                SpecialToken{"<|step_id|>", 5},
                                SpecialToken{"<|start_header_id|>", 6},
                                SpecialToken{"<|end_header_id|>", 7},
                                SpecialToken{"<|eom_id|>", 8},
                                SpecialToken{"<|eot_id|>", 9},
                                SpecialToken{"<|python_tag|>", 10}};

// The published files. `reserved`: special tokens named by a pattern fill the rest of a block.
struct KnownFile {
  size_t ranks;
  std::string_view name, pre;  // `pre`: a name of the split table
  std::span<const SpecialToken> special;
  std::string_view bos, eos;
  bool add_bos;
  std::string_view filler;  // "<|extra_{}|>"
  int32_t filler_from, filler_to, filler_first;
};
constexpr std::array kKnown = {
    KnownFile{50256, "r50k (GPT-2)", "gpt-2", kGpt2, "", "<|endoftext|>", false, "", 0, 0, 0},
    KnownFile{100256, "cl100k", "llama-bpe", kCl100k, "", "<|endoftext|>", false, "", 0, 0, 0},
    KnownFile{199998, "o200k", "gpt-4o", kO200k, "", "<|endoftext|>", false, "", 0, 0, 0},
    KnownFile{151643, "qwen", "qwen2", kQwen, "", "<|endoftext|>", false, "<|extra_{}|>", 3, 208,
              0},
    KnownFile{128000, "Llama 3", "llama-bpe", kLlama3, "<|begin_of_text|>", "<|end_of_text|>", true,
              "<|reserved_special_token_{}|>", 11, 256, 2},
};

const KnownFile& find_known(size_t ranks, const std::string& file) {
  std::string known;
  for (const KnownFile& row : kKnown) {
    if (row.ranks == ranks) return row;
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", row.name, row.ranks);
  }
  fail(ErrorKind::unsupported,
       "{}: {} ranks: which expression cuts its text is not in the file, and the number is none of "
       "{}; convert it to tokenizer.json",
       file, ranks, known);
}

void add_special(const KnownFile& known, VocabBuilder& out) {
  const auto add = [&](std::string content, int32_t offset) {
    const std::string_view kept = out.owned.emplace_back(std::move(content));
    add_ranked_special(kept, static_cast<int32_t>(known.ranks) + offset, out);
  };
  for (const SpecialToken& token : known.special) add(std::string(token.content), token.offset);
  for (int32_t i = known.filler_from; i < known.filler_to; ++i)
    add(fmt::format(fmt::runtime(known.filler), known.filler_first + i - known.filler_from), i);
}

std::vector<std::string> read_ranks(std::string_view lines, const std::string& file) {
  std::vector<std::string> tokens;
  for (size_t number = 1; !lines.empty(); ++number) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view digits = line.substr(std::min(space + 1, line.size()));
    size_t rank = 0;
    const auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    const auto bytes = base64_decode(line.substr(0, space));
    if (!bytes || bytes->empty() || error != std::errc() || last != digits.data() + digits.size())
      bad_input("{}: line {}: base64 and a rank expected, got '{}'", file, number, printable(line));
    if (rank != tokens.size())
      bad_input("{}: line {}: rank {} expected, got {}", file, number, tokens.size(), rank);
    tokens.push_back(*bytes);
  }
  if (tokens.empty()) bad_input("{}: lines of base64 and rank expected, got none", file);
  return tokens;
}

}  // namespace

std::string in_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    utf8::append(out, text::alphabet_of_byte(static_cast<unsigned char>(c)));
  return out;
}

void add_ranked_special(std::string_view content, int32_t id, VocabBuilder& out) {
  text::VocabSpec& spec = out.spec;
  const auto place = static_cast<size_t>(id);
  if (spec.tokens.size() <= place) {
    spec.tokens.resize(place + 1);
    spec.kinds.resize(place + 1, text::TokenKind::unused);
  }
  spec.tokens[place] = content;
  spec.kinds[place] = text::TokenKind::control;
  out.ids.set(content, id);
  spec.added.push_back({.id = id, .content = std::string(content)});
}

void add_ranks(const std::vector<std::string>& tokens, int32_t first_id, text::VocabSpec& spec) {
  std::unordered_map<std::string_view, uint32_t> ranks;
  ranks.reserve(tokens.size());
  for (const std::string& token : tokens)
    if (!ranks.emplace(token, static_cast<uint32_t>(ranks.size())).second)
      bad_input("{}: unique tokens expected, got '{}' twice", spec.source, printable(token));
  spec.tokens.resize(static_cast<size_t>(first_id) + tokens.size());
  spec.kinds.resize(spec.tokens.size(), text::TokenKind::unused);
  std::vector<std::pair<uint32_t, uint32_t>> cuts;
  std::vector<std::string> texts;
  texts.reserve(tokens.size());
  for (const std::string& token : tokens) texts.push_back(in_byte_alphabet(token));
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    const std::string_view token = tokens[rank];
    cuts.clear();
    for (size_t at = 1; at < token.size(); ++at) {
      const auto left = ranks.find(token.substr(0, at));
      if (left == ranks.end()) continue;
      const auto right = ranks.find(token.substr(at));
      if (right != ranks.end()) cuts.emplace_back(left->second, right->second);
    }
    std::ranges::sort(cuts);
    for (const auto& [left, right] : cuts) spec.merges.emplace_back(texts[left], texts[right]);
  }
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    const size_t id = static_cast<size_t>(first_id) + rank;
    spec.tokens[id] = std::move(texts[rank]);
    spec.kinds[id] = text::TokenKind::normal;
  }
  spec.ignore_merges = true;
}

text::VocabSpec vocab_from_tiktoken(std::string_view lines, const std::string& file_name,
                                    const VocabFiles& files) {
  VocabBuilder out;
  text::VocabSpec& spec = out.spec;
  spec.source = file_name;
  const std::vector<std::string> tokens = read_ranks(lines, file_name);
  const KnownFile& known = find_known(tokens.size(), file_name);
  add_ranks(tokens, 0, spec);
  out.model_size = static_cast<int64_t>(tokens.size());
  const text::SplitName* name = text::find_split_name(known.pre);
  if (name == nullptr || name->split.empty())
    fail(ErrorKind::unsupported, "{}: pre-tokeniser '{}' is not supported", file_name, known.pre);
  spec.split = name->split;
  spec.nfc = name->nfc;
  if (files.tokenizer_config != nullptr &&
      files.tokenizer_config->root().get("added_tokens_decoder")) {
    read_added_tokens_decoder(files.tokenizer_config, out);
  } else {
    add_special(known, out);
    spec.bos = out.find(known.bos);
    spec.eos = out.find(known.eos);
  }
  read_special(files, out);
  spec.add_bos = known.add_bos && spec.bos >= 0;
  return std::move(out.spec);
}

}  // namespace bittern::format
