// The scanner of DeepSeek-V3: three stages in one. Numbers in threes and runs of Chinese
// characters and kana are cut out, so they end the text for the third stage, which then also cuts
// the runs themselves (a middle dot in katakana is punctuation):
//   [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
//     |\s*[\r\n]+|\s+(?!\S)|\s+
// which leaves out controls that no letter follows: a run of those between two matches is a piece.
#pragma once

#include "text/split_scan.h"

namespace bittern::text::scan {

Place deepseek_v3_piece(Place at, Place end);

}  // namespace bittern::text::scan
