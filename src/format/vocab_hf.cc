// A vocabulary from tokenizer.json: the model, the added tokens, and the choice of tokeniser.
//
// Meaning: tokenizers crate (added_vocabulary.rs, models, processors; research note H 5.1). The
// sections `truncation` and `padding` are ignored: they are for training. BOS and EOS come from the
// post-processor alone: transformers 5.23 drops add_bos_token of tokenizer_config.json wherever a
// tokenizer.json exists (measured with five tokenizer classes, add_bos_token unset, true, false).
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "format/vocab_builder.h"
#include "text/split.h"

namespace bittern::format {

using json::Kind;
using json::Value;
using text::TokenizerModel;

void unsupported(const Value& at, std::string_view field, std::string_view what) {
  fail(ErrorKind::unsupported, "{}: {}: {} is not supported yet", at.file_name(), field, what);
}

namespace {

// ---- model ----

void read_vocab_object(const Value& model, VocabBuilder& out) {
  const auto vocab = model.find("vocab");
  if (!vocab) bad_input("{}: model.vocab: an object expected, got none", model.file_name());
  read_token_ids(*vocab, "model.vocab", out);
}

std::pair<std::string, std::string> read_merge(const Value& merge) {
  constexpr std::string_view kField = "model.merges";
  if (merge.is(Kind::array)) {
    const auto pair = merge.as_pair();
    if (!pair)
      bad_input("{}: {}: pairs of tokens expected, got {} tokens", merge.file_name(), kField,
                merge.elements(kField).size());
    return {std::string(pair->first.as_string(kField)),
            std::string(pair->second.as_string(kField))};
  }
  return split_merge(merge.as_string(kField), merge.file_name());
}

// The unknown token by its text. Absent: -1, and a model that needs it says so when it does.
void read_unknown(const Value& model, std::string_view default_text, VocabBuilder& out) {
  const auto named = model.get_string("unk_token");
  if (!named && default_text.empty()) return;
  out.spec.unknown = out.find(named.value_or(default_text));
  if (named && out.spec.unknown < 0)
    bad_input("{}: model.unk_token: a token of the vocabulary expected, got '{}'",
              model.file_name(), printable(*named));
}

void read_bpe(const Value& model, VocabBuilder& out) {
  if (model.get_number("dropout").value_or(0) > 0)
    unsupported(model, "model.dropout", "random merging");
  read_vocab_object(model, out);
  text::VocabSpec& spec = out.spec;
  spec.model = TokenizerModel::bpe;
  spec.continuing_prefix = model.get_string("continuing_subword_prefix").value_or("");
  spec.end_of_word_suffix = model.get_string("end_of_word_suffix").value_or("");
  spec.fuse_unknown = model.get_boolean("fuse_unk").value_or(false);
  spec.byte_fallback = model.get_boolean("byte_fallback").value_or(false);
  spec.ignore_merges = model.get_boolean("ignore_merges").value_or(false);
  const auto merges = model.find("merges");
  if (!merges) bad_input("{}: model.merges: a list expected, got none", model.file_name());
  // Most vocabularies have a merge for every token.
  spec.merges.reserve(spec.tokens.size());
  merges->each_element("model.merges",
                       [&](const Value& merge) { spec.merges.push_back(read_merge(merge)); });
  read_unknown(model, "", out);
}

void read_word_piece(const Value& model, VocabBuilder& out) {
  read_vocab_object(model, out);
  out.spec.model = TokenizerModel::word_piece;
  out.spec.continuing_prefix = model.get_string("continuing_subword_prefix").value_or("##");
  out.spec.max_word_chars = model.get_integer("max_input_chars_per_word").value_or(100);
  read_unknown(model, "[UNK]", out);
}

void read_word_level(const Value& model, VocabBuilder& out) {
  read_vocab_object(model, out);
  out.spec.model = TokenizerModel::word_level;
  read_unknown(model, "<unk>", out);
}

void read_unigram(const Value& model, VocabBuilder& out) {
  constexpr std::string_view kField = "model.vocab";
  const auto vocab = model.find("vocab");
  if (!vocab) bad_input("{}: {}: a list expected, got none", model.file_name(), kField);
  text::VocabSpec& spec = out.spec;
  spec.model = TokenizerModel::unigram;
  for (const Value& element : vocab->elements(kField)) {
    const auto pair = element.elements(kField);
    if (pair.size() != 2)
      bad_input("{}: {}: pairs of token and score expected, got {} elements", model.file_name(),
                kField, pair.size());
    const std::string_view token = pair[0].as_string(kField);
    out.ids.set(token, static_cast<int32_t>(spec.tokens.size()));  // the last of equal ones
    spec.tokens.emplace_back(token);
    spec.scores.push_back(pair[1].as_number(kField));
  }
  spec.kinds.assign(spec.tokens.size(), text::TokenKind::normal);
  out.model_size = static_cast<int64_t>(spec.tokens.size());
  spec.byte_fallback = model.get_boolean("byte_fallback").value_or(false);
  if (const auto unknown = model.get_integer("unk_id")) {
    if (*unknown < 0 || *unknown >= out.model_size)
      bad_input("{}: model.unk_id: 0 to {} expected, got {}", model.file_name(), out.model_size - 1,
                *unknown);
    spec.unknown = static_cast<int32_t>(*unknown);
  }
}

// Files of 2020 leave the type out.
std::string_view guess_type(const Value& model) {
  if (model.find("merges")) return "BPE";
  if (const auto vocab = model.find("vocab"); vocab && vocab->is(Kind::array)) return "Unigram";
  if (model.find("max_input_chars_per_word")) return "WordPiece";
  return "a model without type";
}

struct ModelRow {
  std::string_view type;
  void (*read)(const Value& model, VocabBuilder& out);
};
constexpr ModelRow kModels[] = {{"BPE", read_bpe},
                                {"Unigram", read_unigram},
                                {"WordPiece", read_word_piece},
                                {"WordLevel", read_word_level}};

void read_model(const Value& root, VocabBuilder& out) {
  const auto model = root.find("model");
  if (!model) bad_input("{}: model: an object expected, got none", root.file_name());
  const std::string type(model->get_string("type").value_or(guess_type(*model)));
  for (const ModelRow& row : kModels)
    if (row.type == type) return row.read(*model, out);
  unsupported(*model, "model.type", fmt::format("'{}'", printable(type)));
}

// ---- added tokens ----

void read_added_token(const Value& token, VocabBuilder& out) {
  const auto content = token.get_string("content");
  if (!content) bad_input("{}: added_tokens: content expected, got none", token.file_name());
  text::AddedToken added;
  added.special = token.get_boolean("special").value_or(false);
  added.single_word = token.get_boolean("single_word").value_or(false);
  added.lstrip = token.get_boolean("lstrip").value_or(false);
  added.rstrip = token.get_boolean("rstrip").value_or(false);
  added.normalized = token.get_boolean("normalized").value_or(!added.special);
  add_token(std::move(added), *content, out);
}

// ---- byte-level BPE ----

// Whether the stages are those of the byte-level tokeniser, which has scanners and a cache instead
// of stages and gives the same ids.
bool is_byte_level(const text::VocabSpec& spec) {
  const bool plain_bpe = spec.model == TokenizerModel::bpe && !spec.byte_fallback &&
                         spec.continuing_prefix.empty() && spec.end_of_word_suffix.empty() &&
                         !(spec.fuse_unknown && spec.unknown >= 0);
  const bool nfc_alone = std::ranges::all_of(spec.normalizers, [](const text::NormalizerStep& s) {
    return s.kind == text::NormalizerKind::nfc;
  });
  return plain_bpe && nfc_alone && spec.single.empty() && spec.decoders.size() == 1 &&
         spec.decoders[0].kind == text::DecoderKind::byte_level;
}

}  // namespace

// Ids may leave holes, but not so many that a hostile id decides how much is allocated.
void read_token_ids(const Value& object, std::string_view field, VocabBuilder& out) {
  constexpr int64_t kHolesPerToken = 1, kHolesFree = 1024;
  const auto members = object.members(field);
  const auto count = static_cast<int64_t>(members.size());
  const int64_t limit = std::min<int64_t>(count * (1 + kHolesPerToken) + kHolesFree,
                                          std::numeric_limits<int32_t>::max());
  const auto named = [field](std::string_view token) {
    return fmt::format("{} '{}'", field, printable(token));
  };
  text::VocabSpec& spec = out.spec;
  out.ids.reserve(members.size());
  spec.tokens.reserve(members.size());
  for (const auto& [token, value] : members) {
    if (!value.is(Kind::integer)) value.as_integer(named(token));
    const int64_t id = value.as_integer(field);
    if (id < 0 || id >= limit)
      bad_input("{}: {}: an id of 0 to {} expected among {} tokens, got {}", object.file_name(),
                named(token), limit - 1, count, id);
    if (!out.ids.add(token, static_cast<int32_t>(id)))
      bad_input("{}: {}: a unique token expected, got it twice", object.file_name(), named(token));
    const auto place = static_cast<size_t>(id);
    if (place >= spec.tokens.size()) {
      spec.tokens.resize(place + 1);
      spec.kinds.resize(place + 1, text::TokenKind::unused);
    }
    if (spec.kinds[place] != text::TokenKind::unused)
      bad_input("{}: {}: unique ids expected, got {} for '{}' and '{}'", object.file_name(), field,
                id, printable(spec.tokens[place]), printable(token));
    spec.tokens[place] = token;
    spec.kinds[place] = text::TokenKind::normal;
  }
  out.model_size = count;
}

std::pair<std::string, std::string> split_merge(std::string_view text, const std::string& file) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
    bad_input("{}: model.merges: two tokens separated by one space expected, got '{}'", file,
              printable(text));
  return {std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
}

void choose_byte_level(text::VocabSpec& spec) {
  if (!is_byte_level(spec)) return;
  const text::Split* split = text::split_for_steps(spec.pre_tokenizers);
  if (split == nullptr) return;
  spec.model = TokenizerModel::byte_level_bpe;
  spec.split = split->name;
  spec.add_prefix_space = spec.pre_tokenizers.back().add_prefix_space;
  spec.nfc = !spec.normalizers.empty();
  spec.normalizers.clear();
  spec.pre_tokenizers.clear();
  spec.decoders.clear();
}

void add_token(text::AddedToken token, std::string_view content, VocabBuilder& out) {
  if (content.empty()) return;
  text::VocabSpec& spec = out.spec;
  token.content = content;
  token.id = out.find(content);
  if (token.id < 0) {
    // The reference counts on from the number of the model's tokens, holes not counted.
    int64_t next = out.model_size;
    while (next < static_cast<int64_t>(spec.kinds.size()) &&
           spec.kinds[static_cast<size_t>(next)] != text::TokenKind::unused)
      ++next;
    token.id = static_cast<int32_t>(next);
    if (static_cast<size_t>(next) == spec.tokens.size()) {
      spec.tokens.emplace_back();
      spec.kinds.push_back(text::TokenKind::unused);
    }
    spec.tokens[static_cast<size_t>(next)] = content;
    spec.kinds[static_cast<size_t>(next)] = text::TokenKind::normal;
    if (!spec.scores.empty()) spec.scores.resize(spec.tokens.size());
    out.ids.add(content, token.id);
  }
  text::TokenKind& kind = spec.kinds[static_cast<size_t>(token.id)];
  if (kind != text::TokenKind::normal)
    bad_input("{}: added_tokens: unique contents expected, got '{}' twice", spec.source,
              printable(content));
  kind = token.special ? text::TokenKind::control : text::TokenKind::user_defined;
  spec.added.push_back(std::move(token));
}

std::string type_of(const Value& stage, std::string_view field) {
  const auto type = stage.get_string("type");
  if (!type) bad_input("{}: {}: a type expected, got none", stage.file_name(), field);
  return std::string(*type);
}

std::vector<Value> stages_of(const Value& part, std::string_view field, std::string_view key) {
  if (type_of(part, field) != "Sequence") return {part};
  const auto members = part.find(key);
  if (!members) bad_input("{}: {}.{}: a list expected, got none", part.file_name(), field, key);
  std::vector<Value> stages;
  for (const Value& member : members->elements(field))  // depth is bounded by the JSON reader
    for (const Value& stage : stages_of(member, field, key)) stages.push_back(stage);
  return stages;
}

text::VocabSpec vocab_from_tokenizer_json(const json::Document& tokenizer,
                                          const VocabFiles& files) {
  VocabBuilder out;
  out.spec.source = tokenizer.file_name();
  const Value root = tokenizer.root();
  if (!root.is(Kind::object))
    bad_input("{}: an object expected, got {}", root.file_name(), json::kind_name(root.kind()));
  if (const auto version = root.get_string("version"); version && *version != "1.0")
    fail(ErrorKind::unsupported, "{}: version: 1.0 expected, got '{}'", root.file_name(),
         printable(*version));
  read_model(root, out);
  read_normalizers(root, out.spec);
  read_pre_tokenizers(root, out.spec);
  read_decoders(root, out.spec);
  if (const auto added = root.get("added_tokens"))
    for (const Value& token : added->elements("added_tokens")) read_added_token(token, out);
  read_post_processor(root, out.spec);
  choose_byte_level(out.spec);
  read_special(files, out);
  return std::move(out.spec);
}

}  // namespace bittern::format
