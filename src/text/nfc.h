// The Unicode normalisation forms. NFC is what the Qwen tokenisers apply before splitting; BERT's
// decompose; the others occur in tokenizer.json. Data of Unicode 9.0, as in `tokenizers`; by the
// stability policy the result is the same in every later version for text made of characters that
// version 9.0 knows.
#pragma once

#include <string>
#include <string_view>

namespace bittern::text {

// Each of valid UTF-8. O(n log n) at worst, in the length of the longest run of combining marks.
std::string to_nfc(std::string_view text);
std::string to_nfd(std::string_view text);
std::string to_nfkc(std::string_view text);
std::string to_nfkd(std::string_view text);

// True when no character of the text can change under NFC (the quick check: false means maybe).
bool is_surely_nfc(std::string_view text) noexcept;

}  // namespace bittern::text
