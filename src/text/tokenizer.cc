// The checks of a vocabulary, templates, and decoding by bytes.
#include "text/tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/pipeline_tokenizer.h"
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
  for (const auto* pieces : {&spec.single, &spec.pair})
    for (const TemplatePiece& piece : *pieces)
      for (const int32_t id : piece.ids) check_id(spec, "template", id, false);
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

void append_template(std::span<const TemplatePiece> pieces, std::span<const int32_t> first,
                     std::span<const int32_t> second, bool with_tokens, std::vector<int32_t>& out) {
  const auto append = [&](std::span<const int32_t> ids) {
    out.insert(out.end(), ids.begin(), ids.end());
  };
  for (const TemplatePiece& piece : pieces) {
    switch (piece.kind) {
      case TemplatePiece::Kind::tokens:
        if (with_tokens) append(piece.ids);
        break;
      case TemplatePiece::Kind::first:
        append(first);
        break;
      case TemplatePiece::Kind::second:
        append(second);
        break;
    }
  }
}

// Of a tokeniser whose tokens are bytes wherever they stand.
class ByteStream final : public TokenStream {
 public:
  ByteStream(const Tokenizer& tokenizer, const DecodeOptions& options)
      : tokenizer_(tokenizer), options_(options) {}
  std::string push(int32_t id) override {
    return decoder_.push(tokenizer_.token_bytes(id, options_));
  }
  std::string finish() override { return decoder_.finish(); }

 private:
  const Tokenizer& tokenizer_;
  DecodeOptions options_;
  StreamDecoder decoder_;
};

}  // namespace

std::string_view model_name(TokenizerModel model) {
  switch (model) {
    case TokenizerModel::byte_level_bpe:
      return "byte-level BPE";
    case TokenizerModel::bpe:
      return "BPE";
    case TokenizerModel::sentencepiece_bpe:
      return "SentencePiece BPE";
    case TokenizerModel::unigram:
      return "Unigram";
    case TokenizerModel::word_piece:
      return "WordPiece";
    case TokenizerModel::word_level:
      return "WordLevel";
  }
  return "";
}

std::unique_ptr<Tokenizer> Tokenizer::build(VocabSpec spec) {
  check(spec);
  if (spec.model != TokenizerModel::byte_level_bpe)
    return std::make_unique<PipelineTokenizer>(std::move(spec));
  const Split* split = find_split(spec.split);
  if (split == nullptr) {
    fail(ErrorKind::unsupported, "{}: pre-tokeniser \"{}\" is not supported; known: {}",
         spec.source, printable(spec.split), known_splits());
  }
  return std::make_unique<ByteLevelTokenizer>(std::move(spec), *split);
}

std::vector<int32_t> Tokenizer::with_template(std::vector<int32_t> ids) const {
  std::vector<int32_t> out;
  if (spec_.single.empty()) {
    out.reserve(ids.size() + 2);
    if (spec_.add_bos) out.push_back(spec_.bos);
    out.insert(out.end(), ids.begin(), ids.end());
    if (spec_.add_eos) out.push_back(spec_.eos);
  } else {
    append_template(spec_.single, ids, {}, true, out);
  }
  return out;
}

std::vector<int32_t> Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                            const EncodeOptions& options) const {
  const bool surrounded = spec_.add_bos || spec_.add_eos || !spec_.single.empty();
  if (spec_.pair.empty() && surrounded)
    fail(ErrorKind::unsupported, "{}: no template for two texts", spec_.source);
  const EncodeOptions plain{.add_special = false, .parse_special = options.parse_special};
  std::vector<int32_t> out = encode(first, plain);
  const std::vector<int32_t> other = encode(second, plain);
  if (spec_.pair.empty()) {
    out.insert(out.end(), other.begin(), other.end());
    return out;
  }
  const std::vector<int32_t> one = std::exchange(out, {});
  append_template(spec_.pair, one, other, options.add_special, out);
  return out;
}

std::unique_ptr<TokenStream> Tokenizer::stream(const DecodeOptions& options) const {
  return std::make_unique<ByteStream>(*this, options);
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
