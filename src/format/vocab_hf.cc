// A vocabulary from tokenizer.json and the configuration files beside it.
//
// Meaning of tokenizer.json: tokenizers crate (added_vocabulary.rs, models/bpe, processors). A
// pipeline stage that is not understood is refused by name, because skipping it would silently
// change token ids. The sections `truncation` and `padding` are ignored: they are for training.
// BOS and EOS come from the post-processor alone: transformers 5.23 drops add_bos_token of
// tokenizer_config.json wherever a tokenizer.json exists (measured with five tokenizer
// classes, add_bos_token unset, true and false).
#include <algorithm>
#include <limits>
#include <unordered_map>

#include "base/error.h"
#include "format/vocab.h"
#include "text/split.h"

namespace bittern::format {
namespace {

using json::Kind;
using json::Value;

[[noreturn]] void unsupported(const Value& at, std::string_view field, std::string_view what) {
  fail(ErrorKind::unsupported, "{}: {}: {} is not supported yet", at.file_name(), field, what);
}

std::string type_of(const Value& stage, std::string_view field) {
  const auto type = stage.get_string("type");
  if (!type) bad_input("{}: {}: a type expected, got none", stage.file_name(), field);
  return std::string(*type);
}

// Ids by token text while the vocabulary is read.
struct Builder {
  text::VocabSpec spec;
  std::unordered_map<std::string, int32_t> ids;

  int32_t find(std::string_view token) const {
    const auto found = ids.find(std::string(token));
    return found == ids.end() ? -1 : found->second;
  }
};

// ---- model ----

// Ids may leave holes, but not so many that a hostile id decides how much is allocated.
void read_vocab_object(const Value& model, Builder& out) {
  constexpr int64_t kHolesPerToken = 1, kHolesFree = 1024;
  const auto vocab = model.find("vocab");
  if (!vocab) bad_input("{}: model.vocab: an object expected, got none", model.file_name());
  const auto members = vocab->members("model.vocab");
  const auto count = static_cast<int64_t>(members.size());
  const int64_t limit = std::min<int64_t>(count * (1 + kHolesPerToken) + kHolesFree,
                                          std::numeric_limits<int32_t>::max());
  int64_t largest = -1;
  for (const auto& [token, value] : members) {
    const std::string field = fmt::format("model.vocab '{}'", printable(token));
    const int64_t id = value.as_integer(field);
    if (id < 0 || id >= limit)
      bad_input("{}: {}: an id of 0 to {} expected among {} tokens, got {}", model.file_name(),
                field, limit - 1, count, id);
    if (!out.ids.emplace(token, static_cast<int32_t>(id)).second)
      bad_input("{}: {}: a unique token expected, got it twice", model.file_name(), field);
    largest = std::max(largest, id);
  }
  out.spec.tokens.resize(static_cast<size_t>(largest + 1));
  out.spec.kinds.assign(static_cast<size_t>(largest + 1), text::TokenKind::unused);
  for (const auto& [token, id] : out.ids) {
    const auto position = static_cast<size_t>(id);
    if (out.spec.kinds[position] != text::TokenKind::unused)
      bad_input("{}: model.vocab: unique ids expected, got {} for '{}' and '{}'", model.file_name(),
                id, printable(out.spec.tokens[position]), printable(token));
    out.spec.tokens[position] = token;
    out.spec.kinds[position] = text::TokenKind::normal;
  }
}

std::pair<std::string, std::string> read_merge(const Value& merge) {
  constexpr std::string_view kField = "model.merges";
  if (merge.is(Kind::array)) {
    const auto pair = merge.elements(kField);
    if (pair.size() != 2)
      bad_input("{}: {}: pairs of tokens expected, got {} tokens", merge.file_name(), kField,
                pair.size());
    return {std::string(pair[0].as_string(kField)), std::string(pair[1].as_string(kField))};
  }
  const std::string_view text = merge.as_string(kField);
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
    bad_input("{}: {}: two tokens separated by one space expected, got '{}'", merge.file_name(),
              kField, printable(text));
  return {std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
}

void refuse_model_options(const Value& model) {
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto text = model.get_string(key); text && !text->empty())
      unsupported(model, fmt::format("model.{}", key), fmt::format("'{}'", printable(*text)));
  if (model.get_boolean("byte_fallback").value_or(false))
    unsupported(model, "model.byte_fallback", "a SentencePiece-like vocabulary");
  if (model.get_number("dropout").value_or(0) > 0)
    unsupported(model, "model.dropout", "random merging");
}

void read_model(const Value& root, Builder& out) {
  const auto model = root.find("model");
  if (!model) bad_input("{}: model: an object expected, got none", root.file_name());
  // Files of 2020 leave the type out; only BPE has merges.
  const std::string type(model->get_string("type").value_or(
      model->find("merges").has_value() ? "BPE" : "a model without type"));
  if (type != "BPE") unsupported(*model, "model.type", fmt::format("'{}'", printable(type)));
  refuse_model_options(*model);
  read_vocab_object(*model, out);
  const auto merges = model->find("merges");
  if (!merges) bad_input("{}: model.merges: a list expected, got none", root.file_name());
  for (const Value& merge : merges->elements("model.merges"))
    out.spec.merges.push_back(read_merge(merge));
  out.spec.ignore_merges = model->get_boolean("ignore_merges").value_or(false);
  if (const auto unknown = model->get_string("unk_token")) {
    out.spec.unknown = out.find(*unknown);
    if (out.spec.unknown < 0)
      bad_input("{}: model.unk_token: a token of the vocabulary expected, got '{}'",
                root.file_name(), printable(*unknown));
  }
}

// ---- added tokens ----

// A content that the vocabulary has keeps its id; any other gets the next free one. The "id"
// member is not asked: the reference only warns about it.
void read_added_token(const Value& token, Builder& out) {
  const auto content = token.get_string("content");
  if (!content) bad_input("{}: added_tokens: content expected, got none", token.file_name());
  if (content->empty()) return;
  text::AddedToken added;
  added.content = *content;
  added.special = token.get_boolean("special").value_or(false);
  added.single_word = token.get_boolean("single_word").value_or(false);
  added.lstrip = token.get_boolean("lstrip").value_or(false);
  added.rstrip = token.get_boolean("rstrip").value_or(false);
  added.normalized = token.get_boolean("normalized").value_or(!added.special);
  added.id = out.find(*content);
  if (added.id < 0) {
    added.id = static_cast<int32_t>(out.spec.tokens.size());
    out.ids.emplace(*content, added.id);
    out.spec.tokens.emplace_back(*content);
    out.spec.kinds.push_back(text::TokenKind::normal);
  }
  text::TokenKind& kind = out.spec.kinds[static_cast<size_t>(added.id)];
  if (kind != text::TokenKind::normal)
    bad_input("{}: added_tokens: unique contents expected, got '{}' twice", token.file_name(),
              printable(*content));
  kind = added.special ? text::TokenKind::control : text::TokenKind::user_defined;
  out.spec.added.push_back(std::move(added));
}

// ---- the stages around the model ----

// The stages of a pipeline part: a Sequence's members under `key`, or the part alone.
std::vector<Value> stages_of(const Value& part, std::string_view field, std::string_view key) {
  if (type_of(part, field) != "Sequence") return {part};
  const auto members = part.find(key);
  if (!members) bad_input("{}: {}.{}: a list expected, got none", part.file_name(), field, key);
  return members->elements(field);
}

void read_normalizer(const Value& root, text::VocabSpec& spec) {
  constexpr std::string_view kField = "normalizer";
  const auto normalizer = root.get(kField);
  if (!normalizer) return;
  for (const Value& stage : stages_of(*normalizer, kField, "normalizers")) {
    const std::string type = type_of(stage, kField);
    if (type != "NFC") unsupported(root, kField, fmt::format("'{}'", printable(type)));
    spec.nfc = true;
  }
}

// The expression of a Split stage that isolates its matches.
std::string_view isolating_regex(const Value& stage) {
  const std::string_view behavior = stage.get_string("behavior").value_or("");
  const bool invert = stage.get_boolean("invert").value_or(false);
  const bool isolates = (behavior == "Isolated" && !invert) || (behavior == "Removed" && invert);
  if (!isolates)
    unsupported(stage, "pre_tokenizer.behavior", fmt::format("'{}'", printable(behavior)));
  const auto pattern = stage.find("pattern");
  const auto regex = pattern ? pattern->get_string("Regex") : std::nullopt;
  if (!regex) unsupported(stage, "pre_tokenizer.pattern", "a pattern that is not a Regex");
  return *regex;
}

// The row of the split table for the stages in front of ByteLevel.
std::string split_name(const std::vector<Value>& stages, bool byte_level_regex) {
  if (stages.size() == 1 && byte_level_regex) return std::string(text::kByteLevelSplit);
  const std::string type = type_of(stages[0], "pre_tokenizer");
  if (stages.size() == 2 && type == "Digits" && byte_level_regex &&
      stages[0].get_boolean("individual_digits").value_or(false))
    return std::string(text::kDigitsSplit);
  if (stages.size() == 2 && type == "Split" && !byte_level_regex) {
    const std::string_view regex = isolating_regex(stages[0]);
    const std::string_view name = text::split_name_for_regex(regex);
    if (name.empty())
      unsupported(stages[0], "pre_tokenizer",
                  fmt::format("the expression '{}'", printable(regex, 200)));
    return std::string(name);
  }
  std::string types;
  for (const Value& stage : stages) types += (types.empty() ? "" : ", ") + type_of(stage, "stage");
  unsupported(stages[0], "pre_tokenizer", fmt::format("the sequence '{}'", printable(types)));
}

void read_pre_tokenizer(const Value& root, text::VocabSpec& spec) {
  constexpr std::string_view kField = "pre_tokenizer";
  const auto part = root.get(kField);
  if (!part) unsupported(root, kField, "a vocabulary without one");
  const auto stages = stages_of(*part, kField, "pretokenizers");
  if (stages.empty() || type_of(stages.back(), kField) != "ByteLevel")
    unsupported(root, kField, "a last stage other than ByteLevel");
  const Value& byte_level = stages.back();
  spec.add_prefix_space = byte_level.get_boolean("add_prefix_space").value_or(true);
  spec.split = split_name(stages, byte_level.get_boolean("use_regex").value_or(true));
}

void check_decoder(const Value& root) {
  constexpr std::string_view kField = "decoder";
  const auto part = root.get(kField);
  if (!part) unsupported(root, kField, "a vocabulary without one");
  for (const Value& stage : stages_of(*part, kField, "decoders"))
    if (const std::string type = type_of(stage, kField); type != "ByteLevel")
      unsupported(root, kField, fmt::format("'{}'", printable(type)));
}

// The one id of a special token in a template.
int32_t template_id(const Value& stage, std::string_view name, const Builder& out) {
  constexpr std::string_view kField = "post_processor.special_tokens";
  const auto table = stage.find("special_tokens");
  const auto token = table ? table->find(name) : std::nullopt;
  const auto ids = token ? token->find("ids") : std::nullopt;
  if (!ids)
    bad_input("{}: {}: ids of '{}' expected, got none", stage.file_name(), kField, printable(name));
  const auto list = ids->elements(kField);
  if (list.size() != 1) unsupported(stage, kField, fmt::format("a token of {} ids", list.size()));
  const int64_t id = list[0].as_integer(kField);
  if (id < 0 || id >= static_cast<int64_t>(out.spec.tokens.size()))
    bad_input("{}: {}: an id of 0 to {} expected, got {}", stage.file_name(), kField,
              static_cast<int64_t>(out.spec.tokens.size()) - 1, id);
  return static_cast<int32_t>(id);
}

// "single" of a TemplateProcessing: at most one token before the text and one behind it.
void read_template(const Value& stage, Builder& out) {
  constexpr std::string_view kField = "post_processor.single";
  const auto single = stage.find("single");
  if (!single) bad_input("{}: {}: a list expected, got none", stage.file_name(), kField);
  bool behind_text = false;
  for (const Value& piece : single->elements(kField)) {
    if (piece.find("Sequence")) {
      if (behind_text) unsupported(stage, kField, "text that occurs twice");
      behind_text = true;
      continue;
    }
    const auto special = piece.find("SpecialToken");
    const auto name = special ? special->get_string("id") : std::nullopt;
    if (!name)
      bad_input("{}: {}: Sequence or SpecialToken expected, got neither", stage.file_name(),
                kField);
    bool& add = behind_text ? out.spec.add_eos : out.spec.add_bos;
    if (add) unsupported(stage, kField, "more than one token on a side of the text");
    add = true;
    (behind_text ? out.spec.eos : out.spec.bos) = template_id(stage, *name, out);
  }
  if (!behind_text) unsupported(stage, kField, "a template without text");
}

void read_post_processor(const Value& root, Builder& out) {
  constexpr std::string_view kField = "post_processor";
  const auto part = root.get(kField);
  if (!part) return;
  for (const Value& stage : stages_of(*part, kField, "processors")) {
    const std::string type = type_of(stage, kField);
    if (type == "TemplateProcessing") {
      if (out.spec.add_bos || out.spec.add_eos) unsupported(root, kField, "a second template");
      read_template(stage, out);
    } else if (type != "ByteLevel") {  // ByteLevel only moves offsets
      unsupported(root, kField, fmt::format("'{}'", printable(type)));
    }
  }
}

// ---- special tokens by the files beside tokenizer.json ----

// A token of tokenizer_config.json: its text, or an object that holds it; -1 where absent or not
// in the vocabulary.
int32_t configured_token(const json::Document* document, std::string_view key, const Builder& out) {
  if (document == nullptr) return -1;
  const auto value = document->root().get(key);
  if (!value) return -1;
  if (!value->is(Kind::object)) return out.find(value->as_string(key));
  const auto content = value->get_string("content");
  return content ? out.find(*content) : -1;
}

// eos_token_id of a configuration: a number or a list. Ids past the vocabulary can never be
// generated and are left out.
std::vector<int32_t> configured_ids(const json::Document* document, std::string_view key,
                                    const text::VocabSpec& spec) {
  std::vector<int32_t> ids;
  if (document == nullptr) return ids;
  auto value = document->root().get(key);
  if (!value)
    if (const auto text_config = document->root().get("text_config")) value = text_config->get(key);
  if (!value) return ids;
  const auto list = value->is(Kind::array) ? value->elements(key) : std::vector<Value>{*value};
  for (const Value& element : list) {
    const int64_t id = element.as_integer(key);
    if (id >= 0 && id < static_cast<int64_t>(spec.tokens.size()))
      ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

void read_special(const json::Document* tokenizer_config, const json::Document* config,
                  const json::Document* generation_config, Builder& out) {
  text::VocabSpec& spec = out.spec;
  const auto fill = [](int32_t& id, int32_t candidate) {
    if (id < 0) id = candidate;
  };
  const auto first = [](const std::vector<int32_t>& ids) { return ids.empty() ? -1 : ids[0]; };
  fill(spec.bos, configured_token(tokenizer_config, "bos_token", out));
  fill(spec.bos, first(configured_ids(config, "bos_token_id", spec)));
  fill(spec.eos, configured_token(tokenizer_config, "eos_token", out));
  fill(spec.unknown, configured_token(tokenizer_config, "unk_token", out));
  fill(spec.padding, configured_token(tokenizer_config, "pad_token", out));
  // The generation configuration wins; config.json often names one token too few.
  spec.end_of_generation = configured_ids(generation_config, "eos_token_id", spec);
  if (spec.end_of_generation.empty())
    spec.end_of_generation = configured_ids(config, "eos_token_id", spec);
  if (spec.end_of_generation.empty() && spec.eos >= 0) spec.end_of_generation = {spec.eos};
  fill(spec.eos, first(spec.end_of_generation));
}

}  // namespace

text::VocabSpec vocab_from_tokenizer_json(const json::Document& tokenizer,
                                          const json::Document* tokenizer_config,
                                          const json::Document* config,
                                          const json::Document* generation_config) {
  Builder out;
  out.spec.source = tokenizer.file_name();
  const Value root = tokenizer.root();
  if (!root.is(Kind::object))
    bad_input("{}: an object expected, got {}", root.file_name(), json::kind_name(root.kind()));
  if (const auto version = root.get_string("version"); version && *version != "1.0")
    fail(ErrorKind::unsupported, "{}: version: 1.0 expected, got '{}'", root.file_name(),
         printable(*version));
  read_model(root, out);
  read_normalizer(root, out.spec);
  read_pre_tokenizer(root, out.spec);
  check_decoder(root);
  if (const auto added = root.get("added_tokens"))
    for (const Value& token : added->elements("added_tokens")) read_added_token(token, out);
  read_post_processor(root, out);
  read_special(tokenizer_config, config, generation_config, out);
  return std::move(out.spec);
}

}  // namespace bittern::format
