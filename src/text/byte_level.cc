#include "text/byte_level.h"

#include "base/utf8.h"
#include "text/nfc.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

std::vector<bool> special_ids(const VocabSpec& spec) {
  std::vector<bool> special(spec.tokens.size());
  for (size_t i = 0; i < spec.kinds.size(); ++i) {
    special[i] = spec.kinds[i] == TokenKind::control || spec.kinds[i] == TokenKind::unknown;
  }
  for (const AddedToken& token : spec.added) {
    if (token.special) special[static_cast<size_t>(token.id)] = true;
  }
  return special;
}

std::string lossy(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    const utf8::Decoded decoded = utf8::decode(text);
    if (decoded.valid) {
      out += text.substr(0, decoded.length);
    } else {
      utf8::append(out, decoded.code_point);
    }
    text.remove_prefix(decoded.length);
  }
  return out;
}

}  // namespace

ByteLevelTokenizer::ByteLevelTokenizer(VocabSpec spec, const Split& split)
    : Tokenizer(std::move(spec)),
      split_(split),
      tokens_(spec_),
      bpe_(spec_, tokens_),
      raw_added_(spec_, false),
      normalized_added_(spec_, true),
      special_(special_ids(spec_)) {}

std::vector<int32_t> ByteLevelTokenizer::encode(std::string_view text,
                                                const EncodeOptions& options) const {
  std::string repaired;
  if (!utf8::is_valid(text)) {
    repaired = lossy(text);
    text = repaired;
  }
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 2);
  Scratch scratch;
  if (options.add_special && spec_.add_bos) ids.push_back(spec_.bos);
  for (const AddedTokens::Segment& segment : raw_added_.split(text, options.parse_special)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      encode_segment(segment.text, options, scratch, ids);
    }
  }
  if (options.add_special && spec_.add_eos) ids.push_back(spec_.eos);
  return ids;
}

// Text between the added tokens of raw text: normalised, then searched for the others.
void ByteLevelTokenizer::encode_segment(std::string_view text, const EncodeOptions& options,
                                        Scratch& scratch, std::vector<int32_t>& out) const {
  std::string normalised;
  if (spec_.nfc && !is_surely_nfc(text)) {
    normalised = to_nfc(text);
    text = normalised;
  }
  for (const AddedTokens::Segment& segment : normalized_added_.split(text, options.parse_special)) {
    if (segment.id >= 0) {
      out.push_back(segment.id);
    } else {
      encode_plain(segment.text, scratch, out);
    }
  }
}

// Text without added tokens. The Digits stage, where there is one, cuts first: what stands
// between two digits is split as if it were a whole text.
void ByteLevelTokenizer::encode_plain(std::string_view text, Scratch& scratch,
                                      std::vector<int32_t>& out) const {
  if (!split_.isolate_digits) return encode_stage(text, scratch, out);
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text.substr(at));
    if (properties(decoded.code_point) & kDigit) {
      if (begin < at) encode_stage(text.substr(begin, at - begin), scratch, out);
      encode_stage(text.substr(at, decoded.length), scratch, out);
      begin = at + decoded.length;
    }
    at += decoded.length;
  }
  if (begin < text.size()) encode_stage(text.substr(begin), scratch, out);
}

void ByteLevelTokenizer::encode_stage(std::string_view text, Scratch& scratch,
                                      std::vector<int32_t>& out) const {
  const auto with_prefix = [&](std::string_view part) -> std::string_view {
    if (!spec_.add_prefix_space || part.starts_with(' ')) return part;
    scratch.prefixed.assign(1, ' ');
    scratch.prefixed += part;
    return scratch.prefixed;
  };
  if (split_.regex_in_byte_level) text = with_prefix(text);
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, split_.first_piece(text));
    text.remove_prefix(piece.size());
    bpe_.encode_piece(split_.regex_in_byte_level ? piece : with_prefix(piece), scratch.bpe, out);
  }
}

std::string ByteLevelTokenizer::token_bytes(int32_t id, const DecodeOptions& options) const {
  if (id < 0 || id >= vocab_size()) return {};
  if (options.skip_special && special_[static_cast<size_t>(id)]) return {};
  return std::string(tokens_.bytes(id));
}

}  // namespace bittern::text
