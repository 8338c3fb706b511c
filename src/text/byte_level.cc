#include "text/byte_level.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/utf8.h"
#include "text/literal_ranges.h"
#include "text/nfc.h"
#include "text/repair.h"
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

}  // namespace

ByteLevelTokenizer::ByteLevelTokenizer(VocabSpec spec, const Split& split)
    : Tokenizer(std::move(spec)),
      split_(split),
      byte_level_split_(*find_split(kByteLevelSplit)),
      tokens_(spec_),
      bpe_(spec_, tokens_),
      raw_added_(spec_, false),
      normalized_added_(spec_, true),
      special_(special_ids(spec_)),
      cache_(std::min(PieceCache::kDefaultEntries, 2 * spec_.tokens.size())) {}

std::vector<int32_t> ByteLevelTokenizer::encode(std::string_view text,
                                                const EncodeOptions& asked) const {
  const RepairedText repaired(text, asked.literal);
  text = repaired.text();
  EncodeOptions options = asked;
  options.literal = repaired.ranges();
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 4 * PieceCache::kPiecesAtOnce);
  Scratch scratch;
  if (options.add_special && spec_.add_bos) ids.push_back(spec_.bos);
  for (const AddedTokens::Segment& segment :
       raw_added_.split(text, options.parse_special, options.literal)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      const auto offset = static_cast<size_t>(segment.text.data() - text.data());
      encode_segment(segment.text, offset, options, scratch, ids);
    }
  }
  if (options.add_special && spec_.add_eos) ids.push_back(spec_.eos);
  return ids;
}

// Text between the added tokens of raw text: normalised, then searched for the others.
void ByteLevelTokenizer::encode_segment(std::string_view raw, size_t offset,
                                        const EncodeOptions& options, Scratch& scratch,
                                        std::vector<int32_t>& out) const {
  std::string normalised;
  std::string_view text = raw;
  if (spec_.nfc && !is_surely_nfc(text)) {
    normalised = to_nfc(text);
    text = normalised;
  }
  std::vector<TextRange> ranges;
  if (!options.literal.empty() && normalized_added_.has_special())
    ranges = literal_ranges(raw, offset, options.literal, text, to_nfc);
  for (const AddedTokens::Segment& segment :
       normalized_added_.split(text, options.parse_special, ranges)) {
    if (segment.id >= 0) {
      out.push_back(segment.id);
    } else {
      encode_plain(segment.text, scratch, out);
    }
  }
}

// Text without added tokens. The scanner of a split with isolated digits knows them; only a prefix
// space, which each part between digits gets, asks for the two stages one by one.
void ByteLevelTokenizer::encode_plain(std::string_view text, Scratch& scratch,
                                      std::vector<int32_t>& out) const {
  if (!split_.isolate_digits || !spec_.add_prefix_space) {
    return encode_stage(split_, text, scratch, out);
  }
  size_t begin = 0;
  const auto encode_part = [&](size_t end) {
    if (begin < end) encode_stage(byte_level_split_, text.substr(begin, end - begin), scratch, out);
    begin = end;
  };
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text.substr(at));
    const bool isolated = (properties(decoded.code_point) & kDigit) != 0;
    if (isolated) encode_part(at);
    at += decoded.length;
    if (isolated) encode_part(at);
  }
  encode_part(text.size());
}

void ByteLevelTokenizer::encode_stage(const Split& split, std::string_view text, Scratch& scratch,
                                      std::vector<int32_t>& out) const {
  const auto with_prefix = [&](std::string_view part) -> std::string_view {
    if (!spec_.add_prefix_space || part.starts_with(' ')) return part;
    scratch.prefixed.assign(1, ' ');
    scratch.prefixed += part;
    return scratch.prefixed;
  };
  if (split.regex_in_byte_level) text = with_prefix(text);
  std::array<size_t, PieceCache::kPiecesAtOnce> lengths;
  while (!text.empty()) {
    const auto some = std::span<const size_t>(lengths).first(split.cut(text, lengths));
    if (split.regex_in_byte_level || !spec_.add_prefix_space) {
      encode_pieces(text, some, scratch, out);
      text.remove_prefix(std::accumulate(some.begin(), some.end(), size_t{0}));
      continue;
    }
    for (const size_t length : some) {
      bpe_.encode_piece(with_prefix(text.substr(0, length)), scratch.bpe, out);
      text.remove_prefix(length);
    }
  }
}

// Pieces that follow each other in `text`.
void ByteLevelTokenizer::encode_pieces(std::string_view text, std::span<const size_t> lengths,
                                       Scratch& scratch, std::vector<int32_t>& out) const {
  std::array<std::string_view, PieceCache::kPiecesAtOnce> pieces;
  const char* const end = text.data() + text.size();
  for (size_t i = 0; i < lengths.size(); ++i) {
    pieces[i] = text.substr(0, lengths[i]);
    text.remove_prefix(lengths[i]);
  }
  cache_.encode(std::span(pieces).first(lengths.size()), end, out,
                [&](std::string_view piece, std::vector<int32_t>& ids) {
                  bpe_.encode_piece(piece, scratch.bpe, ids);
                });
}

std::string ByteLevelTokenizer::token_bytes(int32_t id, const DecodeOptions& options) const {
  if (id < 0 || id >= vocab_size()) return {};
  if (options.skip_special && special_[static_cast<size_t>(id)]) return {};
  return std::string(tokens_.bytes(id));
}

}  // namespace bittern::text
