// The checks of a vocabulary, and decoding, which is the same for every model of tokeniser.
#include "text/tokenizer.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/split.h"

namespace bittern::text {
namespace {

void check_id(const VocabSpec& spec, std::string_view field, int32_t id, bool optional) {
  const auto count = static_cast<int64_t>(spec.tokens.size());
  if ((optional && id == -1) || (id >= 0 && id < count)) return;
  bad_input("{}: {}: expected a token id below {}, got {}", spec.source, field, count, id);
}

void check(const VocabSpec& spec) {
  if (spec.tokens.empty()) bad_input("{}: the vocabulary has no tokens", spec.source);
  if (spec.tokens.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    bad_input("{}: too many tokens: {}", spec.source, spec.tokens.size());
  }
  if (spec.kinds.size() != spec.tokens.size()) {
    bad_input("{}: token types: expected one per token ({}), got {}", spec.source,
              spec.tokens.size(), spec.kinds.size());
  }
  check_id(spec, "bos token", spec.bos, !spec.add_bos);
  check_id(spec, "eos token", spec.eos, !spec.add_eos);
  check_id(spec, "unknown token", spec.unknown, true);
  check_id(spec, "padding token", spec.padding, true);
  for (const int32_t id : spec.end_of_generation) check_id(spec, "end of generation", id, false);
  for (const AddedToken& token : spec.added) {
    check_id(spec, "added token \"" + printable(token.content) + "\"", token.id, false);
    if (!utf8::is_valid(token.content)) {
      bad_input("{}: added token {}: expected UTF-8, got \"{}\"", spec.source, token.id,
                printable(token.content));
    }
  }
}

// Appends the characters of `bytes`, U+FFFD for every maximal invalid subpart; returns the
// length of an incomplete character at the end, which is left out.
size_t append_characters(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const utf8::Decoded decoded = utf8::decode(bytes);
    if (decoded.incomplete) return bytes.size();
    if (decoded.valid) {
      out += bytes.substr(0, decoded.length);
    } else {
      utf8::append(out, decoded.code_point);
    }
    bytes.remove_prefix(decoded.length);
  }
  return 0;
}

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::build(VocabSpec spec) {
  check(spec);
  const Split* split = find_split(spec.split);
  if (split == nullptr) {
    fail(ErrorKind::unsupported, "{}: pre-tokeniser \"{}\" is not supported; known: {}",
         spec.source, printable(spec.split), known_splits());
  }
  return std::make_unique<ByteLevelTokenizer>(std::move(spec), *split);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, const DecodeOptions& options) const {
  StreamDecoder stream;
  std::string out;
  for (const int32_t id : ids) out += stream.push(token_bytes(id, options));
  return out + stream.finish();
}

bool Tokenizer::is_end_of_generation(int32_t id) const {
  return id >= 0 && (id == spec_.eos || std::ranges::find(spec_.end_of_generation, id) !=
                                            spec_.end_of_generation.end());
}

std::string StreamDecoder::push(std::string_view token_bytes) {
  pending_ += token_bytes;
  std::string out;
  const size_t incomplete = append_characters(pending_, out);
  pending_.erase(0, pending_.size() - incomplete);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out;
  if (!pending_.empty()) utf8::append(out, 0xfffd);
  pending_.clear();
  return out;
}

}  // namespace bittern::text
