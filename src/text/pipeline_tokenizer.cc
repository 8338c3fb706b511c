#include "text/pipeline_tokenizer.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/literal_ranges.h"
#include "text/repair.h"
#include "text/vocab_index.h"

namespace bittern::text {

class PipelineTokenizer::Stream final : public TokenStream {
 public:
  Stream(const PipelineTokenizer& tokenizer, const DecodeOptions& options,
         DecodeChain::Options chain)
      : tokenizer_(tokenizer), options_(options), chain_(tokenizer.spec(), chain) {}

  std::string push(int32_t id) override {
    const auto text = tokenizer_.text_of(id, options_);
    return text ? chain_.push(id, *text) : chain_.skip();
  }
  std::string finish() override { return chain_.finish(); }

 private:
  const PipelineTokenizer& tokenizer_;
  DecodeOptions options_;
  DecodeChain chain_;
};

PipelineTokenizer::PipelineTokenizer(VocabSpec spec)
    : Tokenizer(std::move(spec)),
      normalizer_(spec_),
      pre_tokenizer_(spec_),
      model_(make_token_model(spec_), spec_),
      raw_added_(spec_, false),
      normalized_added_(spec_, true, &normalizer_),
      space_marks_(normalized_added_.empty() ? space_marks(spec_) : std::nullopt),
      text_index_(spec_.tokens.size(), -1),
      special_(spec_.tokens.size()) {
  DecodeChain(spec_, {});  // throws here rather than at the first decoding
  const bool unknown_reads = std::ranges::any_of(
      spec_.decoders, [](const DecoderStep& s) { return s.kind == DecoderKind::sentencepiece; });
  for (size_t i = 0; i < special_.size(); ++i) special_[i] = spec_.kinds[i] == TokenKind::control;
  for (const AddedToken& token : spec_.added) {
    const auto id = static_cast<size_t>(token.id);
    const bool reads = unknown_reads && spec_.kinds[id] == TokenKind::unknown;
    special_[id] = special_[id] || (token.special && !reads);
    if (!token.normalized) continue;
    // Such a token also decodes in its normalised form, and then no longer counts as special.
    std::string text = normalizer_.applied(token.content);
    if (text == token.content) continue;
    special_[id] = false;
    text_index_[id] = static_cast<int32_t>(texts_.size());
    texts_.push_back(std::move(text));
  }
}

std::vector<int32_t> PipelineTokenizer::encode(std::string_view text,
                                               const EncodeOptions& options) const {
  const RepairedText repaired(text, options.literal);
  text = repaired.text();
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 4 * PieceCache::kPiecesAtOnce);
  ModelScratch scratch;
  for (const AddedTokens::Segment& part :
       raw_added_.split(text, options.parse_special, repaired.ranges())) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      const auto offset = static_cast<size_t>(part.text.data() - text.data());
      encode_segment({part.text, offset}, options, repaired.ranges(), scratch, ids);
    }
  }
  return options.add_special ? with_template(std::move(ids)) : ids;
}

// Text between the added tokens of raw text: normalised, searched for the others, cut, encoded.
void PipelineTokenizer::encode_segment(const Segment& segment, const EncodeOptions& options,
                                       std::span<const TextRange> literal, ModelScratch& scratch,
                                       std::vector<int32_t>& out) const {
  bool at_origin = segment.offset == 0;
  if (space_marks_) {
    scratch.marked.clear();
    space_marks_->append(segment.text, at_origin, scratch.marked);
    return model_.encode_marked(scratch.marked, scratch, out);
  }
  std::string normalised(segment.text);
  normalizer_.apply(normalised, at_origin);
  std::vector<TextRange> ranges;
  if (normalized_added_.has_special() && options.parse_special && !literal.empty())
    ranges = literal_ranges(segment.text, segment.offset, literal, normalised,
                            [&](std::string_view text) { return normalizer_.applied(text); });
  for (const AddedTokens::Segment& part :
       normalized_added_.split(normalised, options.parse_special, ranges)) {
    if (part.id >= 0) {
      out.push_back(part.id);
      continue;
    }
    const bool first = at_origin && part.text.data() == normalised.data();
    model_.encode(pre_tokenizer_.apply(part.text, first), scratch, out);
  }
}

std::optional<std::string_view> PipelineTokenizer::text_of(int32_t id,
                                                           const DecodeOptions& options) const {
  if (id < 0 || id >= vocab_size()) return std::nullopt;
  const auto at = static_cast<size_t>(id);
  if (options.skip_special && special_[at]) return std::nullopt;
  if (text_index_[at] >= 0) return texts_[static_cast<size_t>(text_index_[at])];
  if (spec_.tokens[at].empty()) return std::nullopt;
  return spec_.tokens[at];
}

std::string PipelineTokenizer::token_bytes(int32_t id, const DecodeOptions& options) const {
  const auto text = text_of(id, options);
  if (!text) return {};
  const bool falls_back = std::ranges::any_of(spec_.decoders, [](const DecoderStep& step) {
    return step.kind == DecoderKind::byte_fallback || step.kind == DecoderKind::sentencepiece;
  });
  if (const int byte = falls_back ? byte_of_token(*text) : -1; byte >= 0)
    return std::string(1, static_cast<char>(byte));
  if (!spec_.decoders.empty() && spec_.decoders.front().kind == DecoderKind::byte_level)
    if (auto bytes = bytes_of_alphabet(*text)) return *bytes;
  Stream stream(*this, options, {.eager = true, .mid_text = true});
  std::string out = stream.push(id);
  return out + stream.finish();
}

std::unique_ptr<TokenStream> PipelineTokenizer::stream(const DecodeOptions& options) const {
  return std::make_unique<Stream>(*this, options, DecodeChain::Options{.eager = true});
}

std::string PipelineTokenizer::decode(std::span<const int32_t> ids,
                                      const DecodeOptions& options) const {
  Stream stream(*this, options, {});
  std::string out;
  for (const int32_t id : ids) out += stream.push(id);
  return out + stream.finish();
}

}  // namespace bittern::text
