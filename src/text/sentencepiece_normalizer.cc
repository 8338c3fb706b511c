#include "text/sentencepiece_normalizer.h"

#include "base/utf8.h"

namespace bittern::text {
namespace {

constexpr std::string_view kSpaceSymbol = "\xe2\x96\x81";  // U+2581
constexpr std::string_view kSpace = " ";

}  // namespace

PrefixTrie user_defined_symbols(const VocabSpec& spec) {
  std::vector<std::pair<std::string_view, int32_t>> symbols;
  if (spec.sentencepiece_symbols) {
    for (size_t i = 0; i < spec.tokens.size(); ++i)
      if (spec.kinds[i] == TokenKind::user_defined)
        symbols.emplace_back(spec.tokens[i], static_cast<int32_t>(i));
  }
  return PrefixTrie(std::move(symbols));
}

SentencePieceNormalizer::SentencePieceNormalizer(const NormalizerStep& step, const VocabSpec& spec)
    : options_(step.sentencepiece),
      map_(step.content, spec.source),
      symbols_(user_defined_symbols(spec)) {}

SentencePieceNormalizer::Unit SentencePieceNormalizer::next(std::string_view text) const {
  if (const auto symbol = symbols_.longest(text); symbol.length > 0)
    return {text.substr(0, symbol.length), symbol.length};
  if (const auto rule = map_.longest(text); rule.length > 0) return {rule.replacement, rule.length};
  const size_t length = utf8::decode(text).length;
  return {text.substr(0, length), length};
}

void SentencePieceNormalizer::apply(std::string& text, bool& at_origin) const {
  const std::string_view space = options_.escape_whitespaces ? kSpaceSymbol : kSpace;
  std::string_view rest = text;
  if (options_.remove_extra_whitespaces) {
    for (Unit unit; !rest.empty() && (unit = next(rest)).text == " ";)
      rest.remove_prefix(unit.length);
  }
  std::string out;
  out.reserve(rest.size() + 8);
  const bool prefix =
      options_.add_dummy_prefix && !rest.empty() && (at_origin || options_.prefix_every_segment);
  if (prefix && !options_.whitespace_as_suffix) out += space;
  bool after_space = options_.remove_extra_whitespaces;
  while (!rest.empty()) {
    Unit unit = next(rest);
    rest.remove_prefix(unit.length);
    while (after_space && unit.text.starts_with(' ')) unit.text.remove_prefix(1);
    for (const char c : unit.text) {
      if (c == ' ') {
        out += space;
      } else {
        out += c;
      }
    }
    if (!unit.text.empty())
      after_space = options_.remove_extra_whitespaces && unit.text.ends_with(' ');
  }
  if (options_.remove_extra_whitespaces)
    while (out.ends_with(space)) out.erase(out.size() - space.size());
  if (prefix && options_.whitespace_as_suffix) out += space;
  text = std::move(out);
}

}  // namespace bittern::text
