// Ranked tokens as a byte-level BPE vocabulary: what rank files and tekken.json share. Private to
// src/format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "format/vocab_builder.h"

namespace bittern::format {

// Bytes as the characters of the byte-level alphabet.
std::string in_byte_alphabet(std::string_view bytes);

// Fills tokens and merges: tokens[rank] gets the id first_id + rank.
void add_ranks(const std::vector<std::string>& tokens, int32_t first_id, text::VocabSpec& spec);

// A special token of an id that its file gives; `content` must outlive the builder.
void add_ranked_special(std::string_view content, int32_t id, VocabBuilder& out);

}  // namespace bittern::format
