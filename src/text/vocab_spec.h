// A vocabulary as plain data, neutral to the container it came from. GGUF metadata and
// tokenizer.json are both read into this; tokenizers are built from it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bittern::text {

enum class TokenKind : uint8_t { normal, unknown, control, user_defined, unused, byte };

// A token matched in the raw text before splitting (tokenizer.json "added_tokens"; in GGUF the
// control and user-defined tokens).
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = true;  // left out when decoding with skip_special
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
};

enum class TokenizerModel : uint8_t { byte_level_bpe };  // the others come with issue B

struct VocabSpec {
  std::string source;  // file name, for errors
  TokenizerModel model = TokenizerModel::byte_level_bpe;
  std::string split;  // row of the split table: "gpt-2", "llama-bpe", "qwen2", "smollm", ...
  std::vector<std::string> tokens;  // by id, in the byte-level alphabet; added tokens verbatim
  std::vector<TokenKind> kinds;     // by id
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::vector<AddedToken> added;
  bool ignore_merges = false;     // a whole piece that is in the vocabulary is one token
  bool add_prefix_space = false;  // ByteLevel's add_prefix_space
  bool nfc = false;               // NFC normaliser (qwen)
  int32_t bos = -1, eos = -1, unknown = -1, padding = -1;
  bool add_bos = false, add_eos = false;
  std::vector<int32_t> end_of_generation;  // any of these ends a generation
};

}  // namespace bittern::text
