// A small reader of tokenizer.json for the tests of src/text, so that they do not depend on the
// floor above (src/format/vocab_hf.cc is the real one, with its own tests).
#pragma once

#include <filesystem>

#include "text/vocab_spec.h"

namespace bittern::text {

VocabSpec read_tokenizer_json(const std::filesystem::path& path);

}  // namespace bittern::text
