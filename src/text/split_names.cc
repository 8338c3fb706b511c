// Sources: llama.cpp's table of pre-tokenisers (src/llama-vocab.cpp), checked against the
// expressions of the original tokenizer.json files that it quotes; where it quotes none and only
// has an approximation of its own, the name is not here and so refused (afmoe, chameleon, laguna,
// youtu). Bloom's and Falcon's are those of their tokenizer.json, Kimi's of tokenization_kimi.py.
#include "text/split_names.h"

#include <algorithm>
#include <array>

namespace bittern::text {
namespace {

constexpr SplitStage regex(std::string_view pattern) {
  return {PreTokenizerKind::split_regex, pattern, false};
}
constexpr SplitStage digits(bool individual) { return {PreTokenizerKind::digits, {}, individual}; }

constexpr std::array kBloom = {regex(R"( ?[^(\s|[.,!?…。，、।۔،])]+)")};
constexpr std::array kDeepseekCoder = {
    regex(R"([\r\n])"), regex(R"(\s?\p{L}+)"), regex(R"(\s?\p{P}+)"),
    regex(R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)"), digits(true)};
// Its letters are those of its time, so characters of later Unicode are none.
constexpr std::array kDeepseekLlm = {
    regex(R"([\r\n])"),
    regex(R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-Ჺ)"
          R"(Ჽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝ)"
          R"(ℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀)"
          R"(-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)"),
    regex(R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)"),
    regex(R"(\s+$)"),
    regex(R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)"),
    digits(true)};
constexpr std::array kExaoneMoe = {regex(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr std::array kFalcon = {SplitStage{PreTokenizerKind::punctuation, {}, false}, digits(false),
                                regex("[0-9][0-9][0-9]")};
constexpr std::array kJais2 = {regex(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S))"
    R"(|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})")};
constexpr std::array kKimiK2 = {
    regex(R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*)"
          R"([\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+)"
          R"([\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kMinicpm5 = {
    regex(R"(\p{N}{1,3})"), regex(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+)"
                                  R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kSuperbpe = {regex(R"(\p{N}+)"), regex(R"((?=(\d{3})+(?!\d)))")};
constexpr std::array kTinyAya = {
    regex(R"(\d{1,3}(?=(?:\d{3})*\b))"),
    regex(R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};

constexpr std::array kStagedNames = {
    StagedName{"bloom", kBloom, -1},
    StagedName{"poro-chat", kBloom, -1},
    StagedName{"gpt3-finnish", kBloom, -1},
    StagedName{"deepseek-coder", kDeepseekCoder, -1},
    StagedName{"deepseek-llm", kDeepseekLlm, -1},
    StagedName{"exaone-moe", kExaoneMoe, -1},
    StagedName{"falcon", kFalcon, 1},
    StagedName{"jais-2", kJais2, -1},
    StagedName{"kimi-k2", kKimiK2, -1},
    StagedName{"minicpm5", kMinicpm5, -1},
    StagedName{"superbpe", kSuperbpe, -1},
    StagedName{"tiny_aya", kTinyAya, -1},
    StagedName{"cohere2moe", kTinyAya, -1},
};

// The normaliser is not in a GGUF, so it follows the name: GPT-NeoX's vocabulary (mpt, olmo),
// Cohere's and Qwen's are NFC.
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
    SplitName{"midm-2.0", "llama-bpe", false, true, true},
    SplitName{"lfm2", "llama-bpe", false, true, true},
    SplitName{"glm4", "llama-bpe", false, true, false},
    SplitName{"glm5", "llama-bpe", false, true, false},
    SplitName{"chatglm-bpe", "llama-bpe", false, false, false},
    SplitName{"dbrx", "llama-bpe", false, false, false},
    SplitName{"smaug-bpe", "llama-bpe", false, false, false},
    SplitName{"qwen2", "qwen2", true, false, false},
    SplitName{"deepseek-r1-qwen", "qwen2", true, false, false},
    SplitName{"kormo", "qwen2", false, false, false},
    SplitName{"f2llmv2", "qwen2", true, false, false},
    SplitName{"megrez", "qwen2", true, false, false},
    SplitName{"stablelm2", "qwen2", false, false, false},
    SplitName{"hunyuan", "qwen2", false, false, false},
    SplitName{"solar-open", "qwen2", false, false, false},
    SplitName{"grok-2", "qwen2", false, false, false},
    SplitName{"bailingmoe", "qwen2", false, false, false},
    SplitName{"bailingmoe2", "qwen2", false, false, false},
    SplitName{"llada-moe", "qwen2", false, false, false},
    SplitName{"qwen35", "qwen35", true, false, false},
    SplitName{"seed-coder", "seed-coder", false, false, false},
    SplitName{"ufakzeka", "ufakzeka", false, false, false},
    SplitName{"gpt-4o", "gpt-4o", false, false, false},
    SplitName{"llama4", "gpt-4o", false, false, false},
    SplitName{"kanana2", "gpt-4o", false, false, false},
    SplitName{"talkie", "gpt-4o", false, false, false},
    SplitName{"minimax-m2", "gpt-4o", false, false, false},
    SplitName{"granite-embed-multi-97m", "gpt-4o", false, true, false},
    SplitName{"tekken", "tekken", false, true, true},
    SplitName{"deepseek-v3", "deepseek-v3", false, false, false},
    SplitName{"hunyuan-dense", "deepseek-v3", false, false, false},
    SplitName{"hy_v4", "deepseek-v3", false, false, false},
    SplitName{"joyai-llm", "deepseek-v3", false, false, false},
    SplitName{"bloom", "", false, false, false},
    SplitName{"poro-chat", "", false, false, false},
    SplitName{"gpt3-finnish", "", false, false, false},
    SplitName{"deepseek-coder", "", false, false, false},
    SplitName{"deepseek-llm", "", false, false, false},
    SplitName{"exaone-moe", "", false, false, false},
    SplitName{"falcon", "", false, false, false},
    SplitName{"jais-2", "", false, false, false},
    SplitName{"kimi-k2", "", false, false, false},
    SplitName{"minicpm5", "", false, true, false},
    SplitName{"superbpe", "", false, false, false},
    SplitName{"tiny_aya", "", false, false, false},
    SplitName{"cohere2moe", "", false, false, false},
};

PreTokenizerStep byte_level(bool use_regex) {
  PreTokenizerStep step;
  step.kind = PreTokenizerKind::byte_level;
  step.add_prefix_space = false;
  step.use_regex = use_regex;
  return step;
}

PreTokenizerStep step_of(const SplitStage& stage) {
  PreTokenizerStep step;
  step.kind = stage.kind;
  step.pattern = stage.pattern;
  step.individual = stage.individual;
  // Falcon's; the expressions isolate.
  step.behavior = stage.kind == PreTokenizerKind::punctuation ? SplitBehavior::contiguous
                                                              : SplitBehavior::isolated;
  return step;
}

}  // namespace

std::span<const SplitName> split_names() { return kSplitNames; }

std::span<const StagedName> staged_names() { return kStagedNames; }

const SplitName* find_split_name(std::string_view name) {
  const auto* it = std::ranges::find(kSplitNames, name, &SplitName::name);
  return it == kSplitNames.end() ? nullptr : it;
}

std::vector<PreTokenizerStep> steps_of(const SplitName& name) {
  std::vector<PreTokenizerStep> steps;
  const auto* staged = std::ranges::find(kStagedNames, name.name, &StagedName::name);
  if (staged != kStagedNames.end()) {
    for (const SplitStage& stage : staged->stages) {
      if (static_cast<int>(steps.size()) == staged->byte_level_at)
        steps.push_back(byte_level(true));
      steps.push_back(step_of(stage));
    }
    if (staged->byte_level_at < 0) steps.push_back(byte_level(false));
    return steps;
  }
  const Split* split = find_split(name.split);
  if (split->name != kByteLevelSplit) {
    for (const SplitStage& stage : split->spellings.front()) steps.push_back(step_of(stage));
  }
  steps.push_back(byte_level(split->regex_in_byte_level));
  return steps;
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
