#include "chat/grammar_support.h"

#include "base/file_map.h"
#include "base/json.h"
#include "format/vocab.h"
#include "text/tokenizer.h"

namespace bittern::test {

using namespace chat::grammar;

std::shared_ptr<const TokenTrie> byte_vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  tokens.emplace_back();
  return std::make_shared<const TokenTrie>(tokens, std::vector<int32_t>{256});
}

std::shared_ptr<const TokenTrie> trained_vocabulary(const std::string& name) {
  const FileMap file = FileMap::open(std::string(BITTERN_TEST_DATA) + "/text/" + name);
  const auto document = json::Document::parse(as_text(file.bytes()), name);
  const auto tokenizer = text::Tokenizer::build(format::vocab_from_tokenizer_json(*document));
  return std::make_shared<const TokenTrie>(*tokenizer);
}

bool matches(const Grammar& grammar, std::string_view text) {
  Matcher matcher(std::make_shared<Constraint>(grammar, byte_vocabulary()));
  return matcher.accept_text(text) && matcher.is_complete();
}

std::vector<int32_t> allowed(Matcher& matcher, const TokenTrie& trie) {
  std::vector<uint64_t> bits(trie.mask_words());
  matcher.mask(bits);
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < trie.vocab_size(); ++id)
    if ((bits[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0) ids.push_back(id);
  return ids;
}

}  // namespace bittern::test
