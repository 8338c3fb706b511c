#include "text/tokenizer_json_support.h"

#include "base/error.h"
#include "base/file_map.h"
#include "base/json.h"
#include "text/split.h"

namespace bittern::text {
namespace {

void put(VocabSpec& spec, int64_t id, std::string_view token, TokenKind kind) {
  const auto index = static_cast<size_t>(id);
  if (spec.tokens.size() <= index) {
    spec.tokens.resize(index + 1);
    spec.kinds.resize(index + 1, TokenKind::unused);
  }
  spec.tokens[index] = token;
  spec.kinds[index] = kind;
}

void read_model(const json::Value& model, VocabSpec& spec) {
  for (const auto& [token, id] : model.find("vocab")->members("vocab")) {
    put(spec, id.as_integer("id"), token, TokenKind::normal);
  }
  for (const json::Value& merge : model.find("merges")->elements("merges")) {
    if (merge.is(json::Kind::array)) {
      const auto pair = merge.elements("merge");
      spec.merges.emplace_back(pair.at(0).as_string("merge"), pair.at(1).as_string("merge"));
    } else {
      const std::string_view both = merge.as_string("merge");
      const size_t space = both.find(' ');
      spec.merges.emplace_back(both.substr(0, space), both.substr(space + 1));
    }
  }
  spec.ignore_merges = model.get_boolean("ignore_merges").value_or(false);
}

void read_added(const json::Value& root, VocabSpec& spec) {
  for (const json::Value& value : root.find("added_tokens")->elements("added_tokens")) {
    AddedToken token;
    token.id = static_cast<int32_t>(value.get_integer("id").value());
    token.content = value.get_string("content").value();
    token.special = value.get_boolean("special").value();
    token.single_word = value.get_boolean("single_word").value();
    token.lstrip = value.get_boolean("lstrip").value();
    token.rstrip = value.get_boolean("rstrip").value();
    token.normalized = value.get_boolean("normalized").value();
    put(spec, token.id, token.content,
        token.special ? TokenKind::control : TokenKind::user_defined);
    spec.added.push_back(std::move(token));
  }
}

// ByteLevel | Sequence[Digits, ByteLevel] | Sequence[Split, ByteLevel without its expression]
void read_split(const json::Value& pre, VocabSpec& spec) {
  spec.split = kByteLevelSplit;
  if (pre.get_string("type") == "Sequence") {
    const json::Value first = pre.find("pretokenizers")->elements("pretokenizers").at(0);
    if (const auto pattern = first.get("pattern")) {
      spec.split = split_name_for_regex(pattern->get_string("Regex").value());
    } else {
      spec.split = kDigitsSplit;
    }
  }
}

void read_bos(const json::Value& root, VocabSpec& spec) {
  std::optional<json::Value> processor = root.get("post_processor");
  if (processor && processor->get("processors")) {
    processor = processor->find("processors")->elements("processors").back();
  }
  if (!processor || !processor->get("single")) return;
  const json::Value first = processor->find("single")->elements("single").at(0);
  const std::string_view name = first.get("SpecialToken")->get_string("id").value();
  for (const AddedToken& token : spec.added) {
    if (token.content == name) spec.bos = token.id;
  }
  spec.add_bos = true;
}

}  // namespace

VocabSpec read_tokenizer_json(const std::filesystem::path& path) {
  const auto document =
      json::Document::parse(read_text_file(path, int64_t{1} << 30), path.filename().string());
  const json::Value root = document->root();
  VocabSpec spec;
  spec.source = document->file_name();
  read_model(*root.find("model"), spec);
  read_added(root, spec);
  read_split(*root.find("pre_tokenizer"), spec);
  read_bos(root, spec);
  const auto normalizer = root.get("normalizer");
  spec.nfc = normalizer && normalizer->get_string("type") == "NFC";
  return spec;
}

}  // namespace bittern::text
