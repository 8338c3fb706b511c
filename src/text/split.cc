// Scanners read the text once from the left; a whitespace run is looked through to its end at
// most twice, so a scan of the whole text is linear.
#include "text/split.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/utf8.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

struct Char {
  Properties bits;
  size_t length;  // 0 at the end of the text
};

Char char_at(std::string_view text, size_t at) {
  if (at >= text.size()) return {0, 0};
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {table::kProperties[table::kBlockOf[0] * table::kBlockSize + byte], 1};
  const utf8::Decoded decoded = utf8::decode(text.substr(at));
  return {properties(decoded.code_point), decoded.length};
}

bool is_letter(Char c) { return (c.bits & kLetter) != 0; }
bool is_number(Char c) { return (c.bits & kNumber) != 0; }
bool is_space(Char c) { return (c.bits & kSpace) != 0; }
// [^\s\p{L}\p{N}]
bool is_other(Char c) { return c.length > 0 && (c.bits & (kLetter | kNumber | kSpace)) == 0; }
bool is_line_end(char c) { return c == '\n' || c == '\r'; }

template <typename Belongs>
size_t end_of_run(std::string_view text, size_t at, Belongs belongs) {
  for (Char c = char_at(text, at); c.length > 0 && belongs(c); c = char_at(text, at)) {
    at += c.length;
  }
  return at;
}

// 's 't 're 've 'm 'll 'd at the start of the text: the length, or 0.
size_t contraction(std::string_view text, bool any_case) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto at = [&](size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = at(1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' || first == 'v') && at(2) == 'e') return 3;
  if (first == 'l' && at(2) == 'l') return 3;
  // U+017F, the long s, folds to s.
  if (any_case && text.substr(1).starts_with("\xc5\xbf")) return 3;
  return 0;
}

// \s+(?!\S)|\s+ over text that starts with whitespace: a run that is followed by something
// leaves its last character to the next piece, unless that is all there is.
size_t whitespace_piece(std::string_view text) {
  size_t before_last = 0;
  size_t end = 0;
  for (Char c = char_at(text, 0); is_space(c); c = char_at(text, end)) {
    before_last = end;
    end += c.length;
  }
  return end == text.size() || before_last == 0 ? end : before_last;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t gpt2_piece(std::string_view text) {
  if (const size_t length = contraction(text, false)) return length;
  const size_t start = text[0] == ' ' ? 1 : 0;
  const Char c = char_at(text, start);
  if (is_letter(c)) return end_of_run(text, start, is_letter);
  if (is_number(c)) return end_of_run(text, start, is_number);
  if (is_other(c)) return end_of_run(text, start, is_other);
  return whitespace_piece(text);
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,K}| ?[^\s\p{L}\p{N}]+[\r\n]*
//   |\s*[\r\n]+|\s+(?!\S)|\s+
size_t llama3_piece(std::string_view text, int max_numbers) {
  if (const size_t length = contraction(text, true)) return length;
  const Char c = char_at(text, 0);
  if (is_letter(c)) return end_of_run(text, 0, is_letter);
  if (is_number(c)) {
    size_t end = c.length;
    for (int count = 1; count < max_numbers; ++count) {
      const Char next = char_at(text, end);
      if (!is_number(next)) break;
      end += next.length;
    }
    return end;
  }
  if (!is_line_end(text[0]) && is_letter(char_at(text, c.length))) {
    return end_of_run(text, c.length, is_letter);
  }
  const size_t start = text[0] == ' ' ? 1 : 0;
  if (is_other(char_at(text, start))) {
    size_t end = end_of_run(text, start, is_other);
    while (end < text.size() && is_line_end(text[end])) ++end;
    return end;
  }
  // A whitespace run with a line end in it is cut after the last one.
  const size_t run = end_of_run(text, 0, is_space);
  for (size_t end = run; end > 0; --end) {
    if (is_line_end(text[end - 1])) return end;
  }
  return whitespace_piece(text);
}

size_t llama_bpe_piece(std::string_view text) { return llama3_piece(text, 3); }
size_t qwen2_piece(std::string_view text) { return llama3_piece(text, 1); }

constexpr std::array kGpt2Regexes = {
    std::string_view(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+)"
                     R"(|\s+(?!\S)|\s+)"),
};
// The second spelling is cl100k's: the possessive marks cannot change a match, and \s*[\r\n]
// already reaches the last line end of a run.
constexpr std::array kLlamaRegexes = {
    std::string_view(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"),
    std::string_view(R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3})"
                     R"(| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"),
};
constexpr std::array kQwenRegexes = {
    std::string_view(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"),
    std::string_view(R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N})"
                     R"(| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"),
};

constexpr std::array kSplits = {
    Split{kByteLevelSplit, kGpt2Regexes, false, true, gpt2_piece},
    Split{kDigitsSplit, kGpt2Regexes, true, true, gpt2_piece},
    Split{"llama-bpe", kLlamaRegexes, false, false, llama_bpe_piece},
    Split{"qwen2", kQwenRegexes, false, false, qwen2_piece},
};

// Names of tokenizer.ggml.pre whose tokenisers have exactly the row's rule (llama.cpp's table,
// checked against the expressions quoted there). The normaliser is not in a GGUF, so it follows
// the name: GPT-NeoX's vocabulary (mpt, olmo), Cohere's and Qwen's are NFC.
constexpr std::array kSplitNames = {
    // name, row, nfc, ignore_merges, add_bos
    SplitName{"gpt-2", "gpt-2", false, false, false},
    SplitName{"phi-2", "gpt-2", false, false, false},
    SplitName{"mpt", "gpt-2", true, false, false},
    SplitName{"olmo", "gpt-2", true, false, false},
    SplitName{"jais", "gpt-2", false, false, false},
    SplitName{"trillion", "gpt-2", false, false, false},
    SplitName{"mellum", "gpt-2", false, false, false},
    SplitName{"exaone4", "gpt-2", false, false, false},
    SplitName{"granite-docling", "gpt-2", false, false, false},
    SplitName{"smollm", "smollm", false, false, false},
    SplitName{"starcoder", "smollm", false, false, false},
    SplitName{"refact", "smollm", false, false, false},
    SplitName{"command-r", "smollm", true, false, false},
    SplitName{"codeshell", "smollm", false, false, false},
    SplitName{"exaone", "smollm", false, false, false},
    SplitName{"minerva-7b", "smollm", false, false, false},
    SplitName{"mellum2", "smollm", false, false, false},
    SplitName{"llama-bpe", "llama-bpe", false, true, true},
    SplitName{"llama3", "llama-bpe", false, true, true},
    SplitName{"llama-v3", "llama-bpe", false, true, true},
    SplitName{"falcon3", "llama-bpe", false, true, true},
    SplitName{"falcon-h1", "llama-bpe", false, true, true},
    SplitName{"falcon_e", "llama-bpe", false, true, true},
    SplitName{"pixtral", "llama-bpe", false, true, true},
    SplitName{"lfm2", "llama-bpe", false, true, true},
    SplitName{"glm4", "llama-bpe", false, true, false},
    SplitName{"chatglm-bpe", "llama-bpe", false, false, false},
    SplitName{"dbrx", "llama-bpe", false, false, false},
    SplitName{"smaug-bpe", "llama-bpe", false, false, false},
    SplitName{"qwen2", "qwen2", true, false, false},
    SplitName{"deepseek-r1-qwen", "qwen2", true, false, false},
    SplitName{"megrez", "qwen2", true, false, false},
    SplitName{"stablelm2", "qwen2", false, false, false},
    SplitName{"hunyuan", "qwen2", false, false, false},
    SplitName{"solar-open", "qwen2", false, false, false},
    SplitName{"grok-2", "qwen2", false, false, false},
};

}  // namespace

std::span<const Split> splits() { return kSplits; }

std::span<const SplitName> split_names() { return kSplitNames; }

const SplitName* find_split_name(std::string_view name) {
  const auto* it = std::ranges::find(kSplitNames, name, &SplitName::name);
  return it == kSplitNames.end() ? nullptr : it;
}

const Split* find_split(std::string_view name) {
  const SplitName* known = find_split_name(name);
  if (known == nullptr) return nullptr;
  return &*std::ranges::find(kSplits, known->split, &Split::name);
}

std::string_view split_name_for_regex(std::string_view regex) {
  for (const Split& split : kSplits) {
    if (std::ranges::find(split.regexes, regex) != split.regexes.end()) return split.name;
  }
  return {};
}

std::string known_splits() {
  std::string names;
  for (const SplitName& row : kSplitNames) {
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

}  // namespace bittern::text
