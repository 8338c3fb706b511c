// Special tokens by the files beside a vocabulary: tokenizer_config.json, config.json and
// generation_config.json, in the precedence of transformers 5.23.
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "format/vocab_builder.h"

namespace bittern::format {
namespace {

using json::Kind;
using json::Value;

// A token of tokenizer_config.json: its text, or an object that holds it; -1 where absent or not
// in the vocabulary.
int32_t configured_token(const json::Document* document, std::string_view key,
                         const VocabBuilder& out) {
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

// Makes room for an id that the file names: a few past the end at most, so that a hostile number
// does not decide how much is allocated.
void make_room(int64_t id, const json::Document& document, text::VocabSpec& spec) {
  constexpr int64_t kHolesMax = 4096;
  const auto size = static_cast<int64_t>(spec.tokens.size());
  if (id < 0 || id >= size + kHolesMax)
    bad_input("{}: added_tokens_decoder: an id of 0 to {} expected, got {}", document.file_name(),
              size + kHolesMax - 1, id);
  if (id < size) return;
  spec.tokens.resize(static_cast<size_t>(id) + 1);
  spec.kinds.resize(static_cast<size_t>(id) + 1, text::TokenKind::unused);
  if (!spec.scores.empty()) spec.scores.resize(static_cast<size_t>(id) + 1);
}

}  // namespace

void read_added_tokens_decoder(const json::Document* document, VocabBuilder& out) {
  if (document == nullptr) return;
  const auto table = document->root().get("added_tokens_decoder");
  if (!table) return;
  text::VocabSpec& spec = out.spec;
  for (const auto& [key, value] : table->members("added_tokens_decoder")) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    const auto content = value.get_string("content");
    if (error != std::errc() || end != key.data() + key.size() || !content)
      bad_input("{}: added_tokens_decoder: an id with a content expected, got '{}'",
                document->file_name(), printable(key));
    if (content->empty()) continue;
    make_room(id, *document, spec);
    const auto place = static_cast<size_t>(id);
    text::AddedToken added;
    added.id = static_cast<int32_t>(id);
    added.content = *content;
    added.special = value.get_boolean("special").value_or(false);
    added.single_word = value.get_boolean("single_word").value_or(false);
    added.lstrip = value.get_boolean("lstrip").value_or(false);
    added.rstrip = value.get_boolean("rstrip").value_or(false);
    added.normalized = value.get_boolean("normalized").value_or(!added.special);
    out.ids.set(*content, added.id);
    spec.tokens[place] = *content;
    if (spec.kinds[place] != text::TokenKind::unknown)
      spec.kinds[place] = added.special ? text::TokenKind::control : text::TokenKind::user_defined;
    std::erase_if(spec.added, [&](const text::AddedToken& t) { return t.id == added.id; });
    spec.added.push_back(std::move(added));
  }
}

void drop_tokens_without_rows(text::VocabSpec& spec, int64_t count) {
  const auto is_used = [&](int32_t id) {
    if (id == spec.bos || id == spec.eos || id == spec.unknown || id == spec.padding) return true;
    for (const auto* pieces : {&spec.single, &spec.pair})
      for (const text::TemplatePiece& piece : *pieces)
        if (std::ranges::find(piece.ids, id) != piece.ids.end()) return true;
    return false;
  };
  while (static_cast<int64_t>(spec.tokens.size()) > count) {
    const auto id = static_cast<int32_t>(spec.tokens.size()) - 1;
    const bool added = std::ranges::find(spec.added, id, &text::AddedToken::id) != spec.added.end();
    if (!added || is_used(id)) return;
    std::erase_if(spec.added, [&](const text::AddedToken& token) { return token.id == id; });
    std::erase(spec.end_of_generation, id);
    spec.tokens.pop_back();
    spec.kinds.pop_back();
    if (!spec.scores.empty()) spec.scores.pop_back();
  }
}

void read_special(const VocabFiles& files, VocabBuilder& out) {
  text::VocabSpec& spec = out.spec;
  const auto fill = [](int32_t& id, int32_t candidate) {
    if (id < 0) id = candidate;
  };
  const auto first = [](const std::vector<int32_t>& ids) { return ids.empty() ? -1 : ids[0]; };
  fill(spec.bos, configured_token(files.tokenizer_config, "bos_token", out));
  fill(spec.bos, first(configured_ids(files.config, "bos_token_id", spec)));
  fill(spec.eos, configured_token(files.tokenizer_config, "eos_token", out));
  fill(spec.padding, configured_token(files.tokenizer_config, "pad_token", out));
  // The generation configuration wins; config.json often names one token too few.
  spec.end_of_generation = configured_ids(files.generation_config, "eos_token_id", spec);
  if (spec.end_of_generation.empty())
    spec.end_of_generation = configured_ids(files.config, "eos_token_id", spec);
  if (spec.end_of_generation.empty() && spec.eos >= 0) spec.end_of_generation = {spec.eos};
  fill(spec.eos, first(spec.end_of_generation));
}

}  // namespace bittern::format
