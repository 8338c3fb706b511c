// Text in which one byte stands for each "▁" (U+2581), the sign that SentencePiece and what came
// after it write for a space: the byte 0xff, which UTF-8 does not have. So a space that becomes "▁"
// does not move the text behind it, and the words of a text are short.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/vocab_spec.h"

namespace bittern::text {

inline constexpr char kMark = '\xff';
inline constexpr std::string_view kMarkText = "\xe2\x96\x81";

// Appends valid UTF-8 with a mark for each "▁".
void append_marked(std::string_view text, std::string& out);
// The same, and a mark for each space.
void append_spaces_marked(std::string_view text, std::string& out);
// Appends marked text with "▁" for each mark.
void append_unmarked(std::string_view marked, std::string& out);

// What the stages of a vocabulary do where all that they do is to write "▁" for every space, and
// one more in front of the text.
struct SpaceMarks {
  Prepend prepend;          // first: in front of the text that begins the input
  bool unless_there_is_one  // not where the text begins with a space or "▁" itself
      = false;

  // Appends a text (not empty) as the stages make it, marked.
  void append(std::string_view text, bool at_origin, std::string& out) const;
};

// Nothing where the stages do anything else.
std::optional<SpaceMarks> space_marks(const VocabSpec& spec);

}  // namespace bittern::text
