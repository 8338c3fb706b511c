#include "text/character_bpe.h"

#include "base/utf8.h"

namespace bittern::text {

CharacterBpe::CharacterBpe(const VocabSpec& spec)
    : spec_(spec),
      index_(spec),
      byte_tokens_(index_.byte_tokens()),
      table_(spec),
      bpe_(spec, table_) {}

void CharacterBpe::encode(std::string_view piece, ModelScratch& scratch,
                          std::vector<int32_t>& out) const {
  if (spec_.ignore_merges) {
    if (const int32_t id = index_.find(piece); id >= 0) {
      out.push_back(id);
      return;
    }
  }
  scratch.ids.clear();
  symbols_of(piece, scratch.ids);
  bpe_.merge(scratch.ids, scratch.bpe, out);
}

bool CharacterBpe::append_bytes(std::string_view symbol, std::vector<int32_t>& symbols) const {
  if (!spec_.byte_fallback) return false;
  for (const char c : symbol)
    if (byte_tokens_[static_cast<unsigned char>(c)] < 0) return false;
  for (const char c : symbol) symbols.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
  return true;
}

// An unknown token waits for the next character that has a token, so that bytes in between come
// first: a quirk of the reference that files depend on.
void CharacterBpe::symbols_of(std::string_view piece, std::vector<int32_t>& symbols) const {
  const bool decorated = !spec_.continuing_prefix.empty() || !spec_.end_of_word_suffix.empty();
  bool unknown_waits = false;
  std::string buffer;
  for (size_t at = 0; at < piece.size();) {
    const size_t length = utf8::decode(piece.substr(at)).length;
    std::string_view symbol = piece.substr(at, length);
    if (decorated) {
      buffer.clear();
      if (at > 0) buffer += spec_.continuing_prefix;
      buffer += symbol;
      if (at + length == piece.size()) buffer += spec_.end_of_word_suffix;
      symbol = buffer;
    }
    at += length;
    if (const int32_t id = index_.find(symbol); id >= 0) {
      if (unknown_waits) symbols.push_back(spec_.unknown);
      unknown_waits = false;
      symbols.push_back(id);
    } else if (!append_bytes(symbol, symbols) && spec_.unknown >= 0) {
      if (unknown_waits && !spec_.fuse_unknown) symbols.push_back(spec_.unknown);
      unknown_waits = true;
    }
  }
  if (unknown_waits) symbols.push_back(spec_.unknown);
}

}  // namespace bittern::text
