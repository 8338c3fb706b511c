// The rows. A spelling is compared letter by letter with what a tokenizer.json says, so every
// spelling in use is here.
#include "text/split.h"

#include <algorithm>
#include <array>

#include "text/split_deepseek.h"
#include "text/split_gpt2.h"

namespace bittern::text {
namespace {

using Spelling = std::span<const SplitStage>;

constexpr SplitStage regex(std::string_view pattern) {
  return {PreTokenizerKind::split_regex, pattern, false};
}

// GPT-2's own expression in a Split, as some files have it in front of ByteLevel without one.
constexpr std::array kGpt2 = {
    regex(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)")};
constexpr std::array kSmollm = {SplitStage{PreTokenizerKind::digits, {}, true}};
// The second spelling is cl100k's: the possessive marks cannot change a match, and \s*[\r\n]
// already reaches the last line end of a run.
constexpr std::array kLlama = {
    regex(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
          R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kCl100k = {
    regex(R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3})"
          R"(| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr std::array kQwen2 = {
    regex(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
          R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kBailing = {regex(R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N})"
                                       R"(| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr std::array kQwen35 = {
    regex(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
          R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kSeedCoder = {
    regex("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}"
          "| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")};
constexpr std::array kUfakzeka = {regex(R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                        R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kGpt4o = {
    regex(R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kTekken = {
    regex(R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
          R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
          R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kDeepseekV3 = {
    regex(R"(\p{N}{1,3})"), regex("[一-龥\u3040-ゟ゠-ヿ]+"),
    regex("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
          "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
          "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")};

constexpr std::array kGpt2Spellings = {Spelling(kGpt2)};
constexpr std::array kSmollmSpellings = {Spelling(kSmollm)};
constexpr std::array kLlamaSpellings = {Spelling(kLlama), Spelling(kCl100k)};
constexpr std::array kQwen2Spellings = {Spelling(kQwen2), Spelling(kBailing)};
constexpr std::array kQwen35Spellings = {Spelling(kQwen35)};
constexpr std::array kSeedCoderSpellings = {Spelling(kSeedCoder)};
constexpr std::array kUfakzekaSpellings = {Spelling(kUfakzeka)};
constexpr std::array kGpt4oSpellings = {Spelling(kGpt4o)};
constexpr std::array kTekkenSpellings = {Spelling(kTekken)};
constexpr std::array kDeepseekV3Spellings = {Spelling(kDeepseekV3)};

constexpr std::array kSplits = {
    // name, spellings, isolate_digits, regex_in_byte_level, matches_all, cut
    Split{kByteLevelSplit, kGpt2Spellings, false, true, true, scan::cut<scan::gpt2_piece<>>},
    Split{kDigitsSplit, kSmollmSpellings, true, true, true, scan::cut<scan::single_digits_piece>},
    Split{"llama-bpe", kLlamaSpellings, false, false, true,
          scan::cut<scan::llama3_piece<scan::Llama3>>},
    Split{"qwen2", kQwen2Spellings, false, false, true, scan::cut<scan::llama3_piece<scan::Qwen2>>},
    Split{"qwen35", kQwen35Spellings, false, false, true,
          scan::cut<scan::llama3_piece<scan::Qwen35>>},
    Split{"seed-coder", kSeedCoderSpellings, false, false, true,
          scan::cut<scan::llama3_piece<scan::SeedCoder>>},
    Split{"ufakzeka", kUfakzekaSpellings, false, false, true,
          scan::cut<scan::llama3_piece<scan::Ufakzeka>>},
    Split{"gpt-4o", kGpt4oSpellings, false, false, true, scan::cut<scan::o200k_piece<scan::O200k>>},
    Split{"tekken", kTekkenSpellings, false, false, true,
          scan::cut<scan::o200k_piece<scan::Tekken>>},
    Split{"deepseek-v3", kDeepseekV3Spellings, false, false, false,
          scan::cut<scan::deepseek_v3_piece>},
};

// Whether a step of a tokenizer.json is a stage of a row.
bool equals(const PreTokenizerStep& step, const SplitStage& stage, bool matches_all) {
  if (step.kind != stage.kind) return false;
  if (step.kind == PreTokenizerKind::digits) return step.individual == stage.individual;
  const bool isolates = step.behavior == SplitBehavior::isolated ||
                        (matches_all && step.behavior == SplitBehavior::removed && step.invert);
  return isolates && step.pattern == stage.pattern;
}

bool equals(std::span<const PreTokenizerStep> steps, Spelling stages, bool matches_all) {
  return std::ranges::equal(steps, stages,
                            [&](const PreTokenizerStep& step, const SplitStage& stage) {
                              return equals(step, stage, matches_all);
                            });
}

}  // namespace

std::span<const Split> splits() { return kSplits; }

const Split* find_split(std::string_view name) {
  const SplitName* known = find_split_name(name);
  if (known == nullptr || known->split.empty()) return nullptr;
  return &*std::ranges::find(kSplits, known->split, &Split::name);
}

const Split* split_for_steps(std::span<const PreTokenizerStep> steps) {
  if (steps.empty() || steps.back().kind != PreTokenizerKind::byte_level) return nullptr;
  const PreTokenizerStep& byte_level = steps.back();
  const auto stages = steps.first(steps.size() - 1);
  if (stages.empty()) return byte_level.use_regex ? find_split(kByteLevelSplit) : nullptr;
  for (const Split& split : kSplits) {
    // A stage of its own with GPT-2's expression is the same where no prefix tells them apart.
    const bool as_stage = split.name == kByteLevelSplit && !byte_level.add_prefix_space;
    const bool in_byte_level = split.regex_in_byte_level && !as_stage;
    if (split.name == kByteLevelSplit && !as_stage) continue;
    if (in_byte_level != byte_level.use_regex) continue;
    for (const Spelling spelling : split.spellings) {
      if (equals(stages, spelling, split.matches_all)) return &split;
    }
  }
  return nullptr;
}

std::string_view split_name_for_regex(std::string_view regex) {
  for (const Split& split : kSplits) {
    for (const Spelling spelling : split.spellings) {
      if (spelling.size() == 1 && spelling[0].kind == PreTokenizerKind::split_regex &&
          spelling[0].pattern == regex)
        return split.name;
    }
  }
  return {};
}

}  // namespace bittern::text
