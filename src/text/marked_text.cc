#include "text/marked_text.h"

#include <algorithm>
#include <span>

namespace bittern::text {
namespace {

bool writes_marks(const NormalizerStep& step) {
  return step.kind == NormalizerKind::replace_text && step.pattern == " " &&
         step.content == kMarkText;
}

bool prepends_mark(const NormalizerStep& step) {
  return step.kind == NormalizerKind::prepend && step.content == kMarkText;
}

// The replacement of spaces, with a prefix before or behind it.
std::optional<SpaceMarks> marks_of_replacement(std::span<const NormalizerStep> steps) {
  if (std::ranges::count_if(steps, writes_marks) != 1) return std::nullopt;
  const auto prefixes = std::ranges::count_if(steps, prepends_mark);
  if (prefixes > 1 || steps.size() != 1 + static_cast<size_t>(prefixes)) return std::nullopt;
  return SpaceMarks{prefixes == 0 ? Prepend::never : Prepend::always};
}

std::optional<SpaceMarks> marks_of_sentencepiece(const NormalizerStep& step,
                                                 const VocabSpec& spec) {
  const SentencePieceOptions& options = step.sentencepiece;
  const bool has_symbols =
      spec.sentencepiece_symbols &&
      std::ranges::find(spec.kinds, TokenKind::user_defined) != spec.kinds.end();
  if (!step.content.empty() || has_symbols || options.remove_extra_whitespaces ||
      !options.escape_whitespaces || options.whitespace_as_suffix)
    return std::nullopt;
  if (!options.add_dummy_prefix) return SpaceMarks{Prepend::never};
  return SpaceMarks{options.prefix_every_segment ? Prepend::always : Prepend::first};
}

// A text without spaces stays whole.
bool cuts_at_spaces_alone(const PreTokenizerStep& step) {
  return step.kind == PreTokenizerKind::split_text && !step.invert &&
         step.pattern.find(' ') != std::string::npos;
}

}  // namespace

void append_marked(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const size_t at = std::min(text.find(kMarkText), text.size());
    out += text.substr(0, at);
    text.remove_prefix(at);
    for (; text.starts_with(kMarkText); text.remove_prefix(kMarkText.size())) out += kMark;
  }
}

void append_spaces_marked(std::string_view text, std::string& out) {
  size_t at = out.size();
  append_marked(text, out);
  // Written everywhere, so that there is no branch.
  for (; at < out.size(); ++at) out[at] = out[at] == ' ' ? kMark : out[at];
}

void append_unmarked(std::string_view marked, std::string& out) {
  for (const char c : marked) {
    if (c == kMark) {
      out += kMarkText;
    } else {
      out += c;
    }
  }
}

void SpaceMarks::append(std::string_view text, bool at_origin, std::string& out) const {
  const bool wanted = prepend == Prepend::always || (prepend == Prepend::first && at_origin);
  const bool has_one = text.starts_with(' ') || text.starts_with(kMarkText);
  if (wanted && !(unless_there_is_one && has_one)) out += kMark;
  append_spaces_marked(text, out);
}

std::optional<SpaceMarks> space_marks(const VocabSpec& spec) {
  const std::span normalizers(spec.normalizers);
  const std::span cutters(spec.pre_tokenizers);
  if (cutters.size() == 1 && cutters[0].kind == PreTokenizerKind::metaspace) {
    const bool plain = normalizers.empty() && cutters[0].pattern == kMarkText && !cutters[0].split;
    return plain ? std::optional(SpaceMarks{cutters[0].prepend, true}) : std::nullopt;
  }
  if (!std::ranges::all_of(cutters, cuts_at_spaces_alone)) return std::nullopt;
  if (normalizers.size() == 1 && normalizers[0].kind == NormalizerKind::sentencepiece)
    return marks_of_sentencepiece(normalizers[0], spec);
  return marks_of_replacement(normalizers);
}

}  // namespace bittern::text
