// Any bytes through every pre-tokeniser: the ids are in range, decode to the text (its NFC where
// the tokeniser normalises), and are those of the same text made valid UTF-8. The first byte
// chooses the row and whether special tokens are read.
#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/target.h"
#include "text/byte_alphabet.h"
#include "text/nfc.h"
#include "text/split.h"
#include "text/tokenizer.h"

using namespace bittern;

namespace {

void add_token(text::VocabSpec& spec, const std::string& content, text::TokenKind kind) {
  const auto id = static_cast<int32_t>(spec.tokens.size());
  spec.tokens.push_back(content);
  spec.kinds.push_back(kind);
  if (kind == text::TokenKind::normal) return;
  spec.added.push_back({.id = id, .content = content, .special = kind == text::TokenKind::control});
}

// All bytes and a few merges; added tokens where nothing is normalised.
std::unique_ptr<text::Tokenizer> make_tokenizer(const text::Split& split) {
  text::VocabSpec spec;
  spec.source = "fuzz";
  spec.split = split.name;
  spec.nfc = split.name == "qwen2";
  spec.ignore_merges = split.name == "llama-bpe";
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    utf8::append(token, text::alphabet_of_byte(static_cast<unsigned char>(byte)));
    add_token(spec, token, text::TokenKind::normal);
  }
  const std::pair<const char*, const char*> merges[] = {
      {"a", "a"}, {"aa", "aa"}, {"\xc4\xa0", "\xc4\xa0"}, {"h", "e"}, {"t", "he"}, {"a", "aa"}};
  for (const auto& [left, right] : merges) {
    spec.merges.emplace_back(left, right);
    add_token(spec, std::string(left) + right, text::TokenKind::normal);
  }
  if (!spec.nfc) {
    add_token(spec, "<s>", text::TokenKind::control);
    add_token(spec, "<s", text::TokenKind::user_defined);
    add_token(spec, "word", text::TokenKind::user_defined);
    spec.added.back().single_word = true;
  }
  return text::Tokenizer::build(std::move(spec));
}

std::string made_valid(std::string_view bytes) {
  text::StreamDecoder stream;
  std::string text = stream.push(bytes);
  text += stream.finish();
  return text;
}

void check_text(const text::Tokenizer& tokenizer, std::string_view bytes, bool parse_special) {
  const text::EncodeOptions options{.parse_special = parse_special};
  const std::vector<int32_t> ids = tokenizer.encode(bytes, options);
  for (const int32_t id : ids) {
    BITTERN_CHECK(id >= 0 && id < tokenizer.vocab_size(), "id {}", id);
  }
  const std::string text = made_valid(bytes);
  BITTERN_CHECK(tokenizer.encode(text, options) == ids, "not the ids of the valid text");
  const std::string normal = tokenizer.spec().nfc ? text::to_nfc(text) : text;
  BITTERN_CHECK(tokenizer.decode(ids, {.skip_special = false}) == normal, "not the text");
  BITTERN_CHECK(text::to_nfc(normal) == text::to_nfc(text), "NFC is not idempotent");
  BITTERN_CHECK(!text::is_surely_nfc(text) || text::to_nfc(text) == text, "quick check is wrong");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::unique_ptr<text::Tokenizer>> tokenizers = [] {
    std::vector<std::unique_ptr<text::Tokenizer>> made;
    for (const text::Split& split : text::splits()) made.push_back(make_tokenizer(split));
    return made;
  }();
  if (size == 0) return 0;
  const std::string_view bytes = as_text(fuzz::input(data, size)).substr(1);
  return fuzz::accept_errors(
      [&] { check_text(*tokenizers[data[0] / 2 % tokenizers.size()], bytes, data[0] % 2 == 0); });
}
