// The values of tokenizer.ggml.pre: which row of the split table each means, or, where there is no
// scanner, which stages. Private to src/text; split.h is the way in.
#pragma once

#include <span>
#include <string_view>

#include "text/split.h"

namespace bittern::text {

struct StagedName {
  std::string_view name;
  std::span<const SplitStage> stages;
  // ByteLevel with its own expression stands before the stage of this index; -1: last, without.
  int byte_level_at;
};

// Names with stages in place of a row.
std::span<const StagedName> staged_names();

}  // namespace bittern::text
