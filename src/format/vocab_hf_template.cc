// "post_processor" of tokenizer.json: what stands around one text and two. Type ids and offsets are
// not kept; the ids of the encoding are. Source: processors of `tokenizers`.
#include "base/error.h"
#include "format/vocab_builder.h"

namespace bittern::format {
namespace {

using json::Value;
using text::TemplatePiece;
using Kind = TemplatePiece::Kind;
using Template = std::vector<TemplatePiece>;

int32_t checked_id(const Value& at, std::string_view field, const Value& value,
                   const text::VocabSpec& spec) {
  const int64_t id = value.as_integer(field);
  if (id < 0 || id >= static_cast<int64_t>(spec.tokens.size()))
    bad_input("{}: {}: an id of 0 to {} expected, got {}", at.file_name(), field,
              static_cast<int64_t>(spec.tokens.size()) - 1, id);
  return static_cast<int32_t>(id);
}

// The ids of a special token in a template.
std::vector<int32_t> template_ids(const Value& stage, std::string_view name,
                                  const text::VocabSpec& spec) {
  constexpr std::string_view kField = "post_processor.special_tokens";
  const auto table = stage.find("special_tokens");
  const auto token = table ? table->find(name) : std::nullopt;
  const auto ids = token ? token->find("ids") : std::nullopt;
  if (!ids)
    bad_input("{}: {}: ids of '{}' expected, got none", stage.file_name(), kField, printable(name));
  std::vector<int32_t> out;
  for (const Value& id : ids->elements(kField)) out.push_back(checked_id(stage, kField, id, spec));
  return out;
}

Template read_template(const Value& stage, std::string_view key, const text::VocabSpec& spec) {
  const std::string field = fmt::format("post_processor.{}", key);
  const auto list = stage.find(key);
  if (!list) bad_input("{}: {}: a list expected, got none", stage.file_name(), field);
  Template out;
  for (const Value& piece : list->elements(field)) {
    if (const auto sequence = piece.find("Sequence")) {
      const std::string_view id = sequence->get_string("id").value_or("A");
      out.push_back({.kind = id == "B" ? Kind::second : Kind::first, .ids = {}});
      continue;
    }
    const auto special = piece.find("SpecialToken");
    const auto name = special ? special->get_string("id") : std::nullopt;
    if (!name)
      bad_input("{}: {}: Sequence or SpecialToken expected, got neither", stage.file_name(), field);
    out.push_back({.kind = Kind::tokens, .ids = template_ids(stage, *name, spec)});
  }
  return out;
}

bool has(const Template& pieces, Kind kind) {
  for (const TemplatePiece& piece : pieces)
    if (piece.kind == kind) return true;
  return false;
}

void read_template_processing(const Value& stage, text::VocabSpec& spec) {
  spec.single = read_template(stage, "single", spec);
  if (!has(spec.single, Kind::first) || has(spec.single, Kind::second))
    unsupported(stage, "post_processor.single", "a template without text");
  if (stage.get("pair")) spec.pair = read_template(stage, "pair", spec);
}

// {"sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}; Roberta has two separators between texts.
void read_cls_sep(const Value& stage, bool roberta, text::VocabSpec& spec) {
  const auto id_of = [&](std::string_view key) {
    const std::string field = fmt::format("post_processor.{}", key);
    const auto pair = stage.find(key);
    if (!pair) bad_input("{}: {}: expected, got none", stage.file_name(), field);
    const auto elements = pair->elements(field);
    if (elements.size() != 2)
      bad_input("{}: {}: a token and its id expected, got {} elements", stage.file_name(), field,
                elements.size());
    return checked_id(stage, field, elements[1], spec);
  };
  const TemplatePiece cls{.kind = Kind::tokens, .ids = {id_of("cls")}};
  const TemplatePiece sep{.kind = Kind::tokens, .ids = {id_of("sep")}};
  const TemplatePiece first{.kind = Kind::first, .ids = {}};
  const TemplatePiece second{.kind = Kind::second, .ids = {}};
  spec.single = {cls, first, sep};
  spec.pair = {cls, first, sep};
  if (roberta) spec.pair.push_back(sep);
  spec.pair.push_back(second);
  spec.pair.push_back(sep);
}

}  // namespace

void simplify_template(text::VocabSpec& spec) {
  const Template& pieces = spec.single;
  size_t text = 0;
  while (text < pieces.size() && pieces[text].kind != Kind::first) ++text;
  const auto is_one = [&](size_t at) { return pieces[at].ids.size() == 1; };
  const size_t behind = text < pieces.size() ? pieces.size() - text - 1 : 0;
  if (text >= pieces.size() || text > 1 || behind > 1) return;
  if ((text == 1 && !is_one(0)) || (behind == 1 && !is_one(text + 1))) return;
  if (behind == 1 && pieces[text + 1].kind != Kind::tokens) return;
  spec.add_bos = text == 1;
  spec.add_eos = behind == 1;
  if (spec.add_bos) spec.bos = pieces[0].ids[0];
  if (spec.add_eos) spec.eos = pieces[text + 1].ids[0];
  spec.single.clear();
}

void read_post_processor(const Value& root, text::VocabSpec& spec) {
  constexpr std::string_view kField = "post_processor";
  const auto part = root.get(kField);
  if (!part) return;
  for (const Value& stage : stages_of(*part, kField, "processors")) {
    const std::string type = type_of(stage, kField);
    if (type == "ByteLevel") continue;  // moves offsets alone
    if (!spec.single.empty()) unsupported(root, kField, "a second template");
    if (type == "TemplateProcessing") {
      read_template_processing(stage, spec);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      read_cls_sep(stage, type == "RobertaProcessing", spec);
    } else {
      unsupported(root, kField, fmt::format("'{}'", printable(type)));
    }
  }
  simplify_template(spec);
}

}  // namespace bittern::format
