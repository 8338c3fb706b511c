// docs/guarantees.md through forward(): the same bits whatever the chunking (G4), the company in
// a step (G3), the threads (G2), the run (G5) and the instruction set (G6); and the same bits from
// every container that holds the same numbers. Compared with memcmp on all logits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "model/golden.h"
#include "model/mutant_backend.h"

namespace bittern::test {
namespace {

using backend::KvType;

struct Subject {
  const char* files;
  const char* golden;
};
constexpr Subject kSubjects[] = {
    {"llama", "llama/golden.bin"},
    {"llama_bias", "llama_bias/golden.bin"},
    {"qwen3", "qwen3/golden.bin"},
    {"bitnet", "bitnet/golden.bin"},
    {"bitnet_256/TQ1_0.gguf", "bitnet_256/golden.bin"},
    {"falcon_e", "falcon_e/golden.bin"},
    {"1bitllm", "1bitllm/golden.bin"},
};
constexpr KvType kKvTypes[] = {KvType::f32, KvType::f16, KvType::int8};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Longer than a page and than an attention chunk where the model's context allows.
std::vector<int32_t> prompt(const Golden& golden, size_t length, size_t shift) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < length; ++i) ids.push_back(golden.ids[(i + shift) % golden.ids.size()]);
  return ids;
}

class ModelGuarantees : public testing::TestWithParam<Subject> {
 protected:
  Golden golden_ = read_golden(GetParam().golden);
  format::Checkpoint open() const { return open_case(GetParam().files); }
};

TEST_P(ModelGuarantees, ChunkingChangesNoBit) {
  Cpu cpu;
  const auto model = bind_case(open(), *cpu);
  for (const KvType type : kKvTypes) {
    Runner runner(*model, *cpu, type);
    const auto whole = runner.run(golden_.ids);
    for (const int64_t chunk : {1, 2, 3, 7, 16, 31})
      EXPECT_TRUE(same_bits(whole, runner.run(golden_.ids, chunk))) << "chunk " << chunk;
  }
}

TEST_P(ModelGuarantees, CompanyInTheStepChangesNoBit) {
  Cpu cpu;
  const auto model = bind_case(open(), *cpu);
  const std::vector<std::vector<int32_t>> prompts = {
      golden_.ids, prompt(golden_, 29, 3), prompt(golden_, 1, 5), prompt(golden_, 17, 11)};
  for (const KvType type : kKvTypes) {
    Runner runner(*model, *cpu, type);
    std::vector<std::vector<float>> alone;
    for (const auto& ids : prompts) alone.push_back(runner.run(ids));
    for (const uint64_t seed : {1, 2, 3}) {
      const auto together = runner.run_interleaved(prompts, seed);
      for (size_t i = 0; i < prompts.size(); ++i)
        EXPECT_TRUE(same_bits(alone[i], together[i])) << "sequence " << i << ", seed " << seed;
    }
  }
}

TEST_P(ModelGuarantees, ThreadsChangeNoBit) {
  for (const KvType type : kKvTypes) {
    std::vector<float> one;
    for (const int threads : {1, 2, 3, 4}) {
      Cpu cpu(threads);
      const auto model = bind_case(open(), *cpu);
      const auto logits = Runner(*model, *cpu, type).run(golden_.ids, 11);
      if (threads == 1) one = logits;
      EXPECT_TRUE(same_bits(one, logits)) << threads << " threads";
    }
  }
}

// The unit for bf16 of AMX has an order of sums of its own (kernel/bf16.h).
bool adds_in_tiles(const model::Model& model) {
  const auto linears = model.linears();
  return std::ranges::any_of(
      linears, [](const backend::Linear* linear) { return linear->kernel == "bf16/amx-bf16"; });
}

TEST_P(ModelGuarantees, InstructionSetsChangeNoBit) {
  for (const KvType type : kKvTypes) {
    std::map<bool, std::vector<float>> first;
    for (const kernel::Table* table : runnable_tables()) {
      Cpu cpu(1, table);
      const auto model = bind_case(open(), *cpu);
      const auto logits = Runner(*model, *cpu, type).run(golden_.ids);
      const auto& same = first.try_emplace(adds_in_tiles(*model), logits).first->second;
      EXPECT_TRUE(same_bits(same, logits)) << table->name;
    }
  }
}

// Another run in the same store, on pages that held something else.
TEST_P(ModelGuarantees, RunsRepeatOnUsedPages) {
  Cpu cpu;
  const auto model = bind_case(open(), *cpu);
  for (const KvType type : kKvTypes) {
    Runner runner(*model, *cpu, type);
    const auto first = runner.run(golden_.ids);
    runner.run(prompt(golden_, 40, 9), 5);
    EXPECT_TRUE(same_bits(first, runner.run(golden_.ids)));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ModelGuarantees, testing::ValuesIn(kSubjects),
                         [](const auto& test) {
                           std::string name = test.param.files;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

// The operations that the CPU backend runs as one (a sum, the norm behind it and the codes; several
// linear layers of one input; all heads of a row), against the same one after the other: every way
// in which the families put them together.
TEST(ModelJoinedOperations, OneRegionOrManyChangesNoBit) {
  const char* kModels[] = {
      "llama",  "llama_bias", "qwen3",  "bitnet",   "bitnet_256/TQ1_0.gguf", "1bitllm",
      "gemma2", "gemma3",     "cohere", "stablelm", "stablelm_parallel",     "falcon",
      "olmo2",  "granite",    "gpt2",   "mixtral",  "qwen3_moe_mixed",       "bert"};
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 21; ++i) ids.push_back(1 + i * 7 % 30);
  ThreadPool pool(2);
  backend::CpuOptions options;
  options.inline_work = 0;
  const auto joined = backend::make_cpu_backend(pool, *runnable_tables().front(), options);
  MutantBackend apart(backend::make_cpu_backend(pool, *runnable_tables().front(), options));
  for (const char* name : kModels) {
    const auto model = bind_case(open_case(name), *joined);
    const bool encodes = model->head == nullptr;  // all its rows stand in one step
    for (const int64_t chunk : encodes ? std::vector<int64_t>{0} : std::vector<int64_t>{0, 1, 5}) {
      EXPECT_TRUE(
          same_bits(Runner(*model, *joined).run(ids, chunk), Runner(*model, apart).run(ids, chunk)))
          << name << ", chunk " << chunk;
    }
  }
}

// Contexts of more than one page and more than one attention chunk.
TEST(ModelGuaranteesLong, ChunkingAcrossPagesAndAttentionChunksChangesNoBit) {
  Cpu cpu;
  const Golden golden = read_golden("bitnet/golden.bin");
  format::Checkpoint checkpoint = open_case("bitnet");
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  model::Config config = model::read_config(checkpoint, arch);
  config.max_context = 600;
  const auto model = model::bind(std::move(checkpoint), arch, config, *cpu, 600);
  const auto ids = prompt(golden, 600, 0);
  for (const KvType type : kKvTypes) {
    Runner runner(*model, *cpu, type, 600);
    const auto whole = runner.run(ids);
    for (const int64_t chunk : {1, 63, 64, 100, 256, 257})
      EXPECT_TRUE(same_bits(whole, runner.run(ids, chunk))) << "chunk " << chunk;
  }
}

#if defined(__x86_64__)

// A mode of the calling thread as a host program may have left it.
class HostFloatMode {
 public:
  explicit HostFloatMode(uint32_t bits) : former_(_mm_getcsr()) { _mm_setcsr(former_ | bits); }
  ~HostFloatMode() { _mm_setcsr(former_); }
  HostFloatMode(const HostFloatMode&) = delete;
  HostFloatMode& operator=(const HostFloatMode&) = delete;

 private:
  uint32_t former_;
};

// Denormals flushed, as a library built with -ffast-math leaves it for the whole process, and the
// three roundings that are not to nearest; in force while the model is opened, bound and run.
TEST(ModelFloatMode, TheCallersModeChangesNoBit) {
  constexpr uint32_t kFlush = 0x8040, kDown = 0x2000, kUp = 0x4000, kTowardsZero = 0x6000;
  const auto run = [](const char* name, int threads, KvType type) {
    Cpu cpu(threads);
    const auto model = bind_case(open_case(name), *cpu);
    std::vector<int32_t> ids;
    for (int32_t i = 0; i < 23; ++i) ids.push_back(1 + i * 7 % 30);
    return Runner(*model, *cpu, type).run(ids, 7);
  };
  for (const char* name : {"llama", "llama_bias", "bitnet", "bitnet_256/TQ1_0.gguf", "1bitllm",
                           "gemma2", "granite", "phi3", "mixtral"}) {
    for (const KvType type : kKvTypes) {
      const std::vector<float> expected = run(name, 1, type);
      for (const int threads : {1, 2}) {
        for (const uint32_t bits : {kFlush, kDown, kUp, kTowardsZero | kFlush}) {
          const HostFloatMode host(bits);
          const uint32_t before = _mm_getcsr() & 0xffc0;
          const std::vector<float> logits = run(name, threads, type);
          EXPECT_EQ(_mm_getcsr() & 0xffc0, before) << "the caller's mode is the caller's";
          EXPECT_TRUE(same_bits(expected, logits))
              << name << ", " << threads << " threads, mode " << std::hex << bits;
        }
      }
    }
  }
}

#endif

std::vector<float> logits_of(format::Checkpoint checkpoint, const std::vector<int32_t>& ids,
                             bool float_activations = false) {
  Cpu cpu(1, nullptr, float_activations);
  const auto model = bind_case(std::move(checkpoint), *cpu);
  return Runner(*model, *cpu).run(ids);
}

// The same numbers, the same bits, whatever file they came from. TQ1_0, TQ2_0 and the packed
// folder hold the same codes, scales and (decoded) embedding.
TEST(ModelForms, ContainersOfTheSameNumbersGiveTheSameBits) {
  const std::pair<const char*, const char*> kPairs[] = {
      {"llama", "llama/model.gguf"},           {"qwen3", "qwen3/model.gguf"},
      {"bitnet", "bitnet/model.gguf"},         {"1bitllm", "1bitllm/model.gguf"},
      {"bitnet_256", "bitnet_256/TQ1_0.gguf"}, {"bitnet_256", "bitnet_256/TQ2_0.gguf"},
  };
  for (const auto& [folder, file] : kPairs) {
    const Golden golden = read_golden(std::string(folder) + "/golden.bin");
    // The embedding of the ternary files, which is the head too, is Q8_0.
    EXPECT_TRUE(same_bits(logits_of(open_case(folder), golden.ids, true),
                          logits_of(open_case(file), golden.ids, true)))
        << file;
  }
  const Golden golden = read_golden("llama_bias/golden.silu.bin");
  EXPECT_TRUE(same_bits(logits_of(open_case("llama_bias", "config.silu.json"), golden.ids),
                        logits_of(open_case("llama_bias/model.gguf"), golden.ids)));
}

// Masters quantised at load and the same weights packed beforehand. Only the scale's last bits
// may differ: the packed file holds it as torch's float mean.
TEST(ModelForms, PackedAndMastersAgree) {
  const Golden golden = read_golden("bitnet/golden.bin");
  EXPECT_LE(relative_error(golden, logits_of(open_case("bitnet_packed"), golden.ids)), 1e-5);
}

// Replaces the embedding's codec, its values multiplied by `factor` first (the norms undo it).
format::Checkpoint with_embedding(const char* files, codec::Id id, float factor) {
  format::Checkpoint checkpoint = open_case(files);
  for (TensorView& tensor : checkpoint.tensors) {
    if (tensor.name != "model.embed_tokens.weight") continue;
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    decode_rows(tensor, 0, tensor.rows(), values.data());
    for (float& value : values) value *= factor;
    const codec::Codec& codec = codec::get(id);
    const auto bytes = codec.tensor_bytes(tensor.rows(), tensor.columns());
    checkpoint.buffers.emplace_back(static_cast<size_t>(*bytes));
    codec.encode(values.data(), tensor.rows(), tensor.columns(), checkpoint.buffers.back().data());
    tensor.codec = id;
    tensor.bytes = checkpoint.buffers.back();
  }
  return checkpoint;
}

// Equal values give equal bits in any codec that holds them exactly, where activations stay f32;
// int8 ones move a Q8_0 head's logits.
TEST(ModelForms, ExactEmbeddingCodecsGiveTheSameBits) {
  Golden tied = read_golden("bitnet_256/golden.bin");
  const auto coded = [] { return with_embedding("bitnet_256", codec::Id::q8_0, 1.0f); };
  tied.logits = logits_of(open_case("bitnet_256"), tied.ids);
  EXPECT_TRUE(same_bits(tied.logits, logits_of(coded(), tied.ids, true)));
  const double moved = relative_error(tied, logits_of(coded(), tied.ids));
  EXPECT_GT(moved, 1e-5);
  EXPECT_LE(moved, 1e-2);
  const Golden golden = read_golden("llama/golden.bin");
  for (const codec::Id id : {codec::Id::f32, codec::Id::bf16}) {
    EXPECT_TRUE(same_bits(logits_of(open_case("llama"), golden.ids),
                          logits_of(with_embedding("llama", id, 1.0f), golden.ids)));
  }
}

// Thirds are exact in none of them; f16 must stay within 1e-3 of the range, bf16's own rounding
// (2^-9 of each value) is reported.
TEST(ModelForms, RoundedEmbeddingCodecsAgree) {
  Golden golden = read_golden("llama/golden.bin");
  golden.logits = logits_of(with_embedding("llama", codec::Id::f32, 1.0f / 3.0f), golden.ids, true);
  for (const codec::Id id : {codec::Id::f16, codec::Id::bf16}) {
    const auto logits = logits_of(with_embedding("llama", id, 1.0f / 3.0f), golden.ids, true);
    const double error = relative_error(golden, logits);
    fmt::print("embedding as {}: logits within {:.1e} of the range\n", codec::get(id).name, error);
    EXPECT_LE(error, id == codec::Id::bf16 ? 1e-2 : 1e-3);
  }
}

}  // namespace
}  // namespace bittern::test
