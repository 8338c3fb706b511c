// show, tokenize, detokenize, eval and bench on the example model: the numbers agree with each
// other and with the file, and documents have their keys.
#include <gtest/gtest.h>

#include "cli/model_facts.h"
#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;

Words keys_of(const JsonBuilder& object) {
  Words keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST(Show, JsonAgreesWithTheFile) {
  const JsonBuilder json = json_of(run_program({"show", example_model(), "--json", "--tensors"}));
  EXPECT_EQ(keys_of(json),
            (Words{"model", "container", "dialect", "architecture", "problem", "tokenizer",
                   "tensor_count", "weights", "bytes", "bits_per_weight", "body_bits_per_weight",
                   "types", "memory_plan", "metadata", "tensors"}));
  const format::Checkpoint checkpoint = format::open_checkpoint(example_model());
  int64_t weights = 0, bytes = 0;
  for (const TensorView& tensor : checkpoint.tensors) {
    weights += tensor.elements();
    bytes += static_cast<int64_t>(tensor.bytes.size());
  }
  EXPECT_EQ(json["tensor_count"], checkpoint.tensors.size());
  EXPECT_EQ(json["tensors"].size(), checkpoint.tensors.size());
  EXPECT_EQ(json["weights"], weights);
  EXPECT_EQ(json["bytes"], bytes);
  EXPECT_DOUBLE_EQ(json["bits_per_weight"].get<double>(),
                   8.0 * static_cast<double>(bytes) / static_cast<double>(weights));
  // The body is the ternary layers: under two bits a weight with norms; the vocabulary is more.
  EXPECT_LT(json["body_bits_per_weight"], 2.2);
  EXPECT_GT(json["body_bits_per_weight"], 1.6);
  EXPECT_LT(json["body_bits_per_weight"], json["bits_per_weight"]);
  EXPECT_EQ(json["metadata"]["tokenizer.ggml.tokens"].size(),
            json["architecture"]["vocab_size"].get<size_t>());
  int64_t type_bytes = 0;
  for (const JsonBuilder& type : json["types"]) type_bytes += type["bytes"].get<int64_t>();
  EXPECT_EQ(type_bytes, bytes);
}

TEST(Show, TheMemoryPlanFollowsTheContext) {
  const auto plan = [](const std::string& context) {
    return json_of(run_program({"show", example_model(), "--json", "-c", context}))["memory_plan"];
  };
  EXPECT_EQ(plan("64")["kv_bytes"].get<int64_t>() * 4, plan("256")["kv_bytes"].get<int64_t>());
  const JsonBuilder json = plan("64");
  EXPECT_EQ(json["needed_bytes"].get<int64_t>(),
            json["packed_bytes"].get<int64_t>() + json["kv_bytes"].get<int64_t>() +
                json["rope_bytes"].get<int64_t>() + json["workspace_bytes"].get<int64_t>() +
                json["attention_bytes"].get<int64_t>() + json["coarse_head_bytes"].get<int64_t>() +
                json["logits_bytes"].get<int64_t>());
}

TEST(Show, FitsEightyColumns) {
  const Finished finished = run_program({"show", example_model(), "--tensors"});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_LE(widest_line(finished.out), 80u) << finished.out;
}

TEST(Show, CountsPackedHuggingFaceLinearsByTheirCodes) {
  format::Checkpoint checkpoint;
  checkpoint.container = format::Container::safetensors;
  checkpoint.buffers = {std::vector<std::byte>(64 * 32), std::vector<std::byte>(4),
                        std::vector<std::byte>(64)};
  const auto add = [&](std::string name, codec::Id id, std::vector<int64_t> shape, size_t buffer) {
    TensorView view;
    view.name = std::move(name);
    view.codec = id;
    view.shape = std::move(shape);
    view.bytes = checkpoint.buffers[buffer];
    checkpoint.tensors.push_back(view);
  };
  add("model.layers.0.mlp.up_proj.weight", codec::Id::u8, {64, 32}, 0);
  add("model.layers.0.mlp.up_proj.weight_scale", codec::Id::f32, {1}, 1);
  add("other.weight", codec::Id::u8, {64}, 2);
  checkpoint.index();
  const cli::ModelFacts facts = cli::gather_facts(checkpoint, {});
  EXPECT_FALSE(facts.problem.empty());
  ASSERT_EQ(facts.types.size(), 3u);
  EXPECT_EQ(facts.types[0].type, "HF ternary");
  EXPECT_EQ(facts.types[0].elements, 64 * 32 * 4);
  EXPECT_EQ(facts.types[0].bits_per_weight(), 2.0);
  EXPECT_EQ(facts.types[1].type, "U8");
  EXPECT_EQ(facts.types[1].elements, 64);
}

TEST(Tokenize, GoesThereAndBack) {
  for (const std::string text : {"Once upon a time, there was a bird.",
                                 "  two  spaces\n\nand lines\t", "caf\xc3\xa9 \xe2\x9c\x93"}) {
    const Finished ids = run_program({"tokenize", example_model(), "--no-special"}, text);
    EXPECT_EQ(ids.status, 0) << ids.err;
    const Finished back = run_program({"detokenize", example_model()}, ids.out);
    EXPECT_EQ(back.out, text + "\n");
    const JsonBuilder json =
        json_of(run_program({"tokenize", example_model(), text, "--json", "--no-special"}));
    std::string lines;
    for (const JsonBuilder& id : json["ids"]) lines += std::to_string(id.get<int>()) + "\n";
    EXPECT_EQ(lines, ids.out);
    EXPECT_EQ(keys_of(json), (Words{"model", "text", "ids", "tokens"}));
  }
  EXPECT_EQ(run_program({"tokenize", example_model(), "", "--no-special"}).out, "");
}

TEST(Detokenize, RefusesWhatIsNoId) {
  for (const char* word : {"4096000", "-1", "x", "1.5"}) {
    const Finished finished = run_program({"detokenize", example_model()}, word);
    EXPECT_EQ(finished.status, 3) << word;
    EXPECT_EQ(finished.out, "");
    EXPECT_NE(finished.err.find(word), std::string::npos) << finished.err;
  }
}

TEST(Eval, PerplexityAgreesWithLogProbabilitiesOfRun) {
  // Two chunks of 8 tokens; the second half of each predicted from what stands before it. `run`
  // is asked for the same predictions one by one through --logit-bias, which forces a token and
  // leaves the reported (raw) log-probability alone.
  const TemporaryFolder folder;
  const std::string text = "The bird and the cat went home. The dog saw a big red ball.";
  const std::string file = folder.write("text.txt", text).string();
  const JsonBuilder tokens = json_of(run_program({"tokenize", example_model(), text, "--json"}));
  const auto ids = tokens["ids"].get<std::vector<int>>();
  ASSERT_GE(ids.size(), 16u);
  const JsonBuilder json =
      json_of(run_program({"eval", example_model(), "perplexity", file, "-c", "8", "--chunks", "1",
                           "--kv-type", "f32", "--json"}));
  EXPECT_EQ(keys_of(json),
            (Words{"model", "task", "file", "perplexity", "error", "mean_nll", "scored_tokens",
                   "chunks", "context", "kv_type", "seconds", "backend", "kernels"}));
  EXPECT_EQ(json["scored_tokens"], 3);

  double nll = 0;
  for (size_t position = 4; position < 7; ++position) {
    Words prefix{"detokenize", example_model()};
    for (size_t index = 1; index <= position; ++index) prefix.push_back(std::to_string(ids[index]));
    const std::string prompt = run_program(prefix).out;
    const JsonBuilder step =
        json_of(run_program({"run", example_model(), prompt.substr(0, prompt.size() - 1), "-n", "1",
                             "--logit-bias", std::to_string(ids[position + 1]) + "=1000",
                             "--logprobs", "0", "--kv-type", "f32", "--json"}));
    ASSERT_EQ(step["prompt_ids"], JsonBuilder(std::vector<int>(
                                      ids.begin(), ids.begin() + 1 + static_cast<long>(position))));
    ASSERT_EQ(step["token_ids"][0], ids[position + 1]);
    nll -= step["log_probabilities"][0]["log_probability"].get<double>();
  }
  EXPECT_NEAR(json["mean_nll"].get<double>(), nll / 3, 1e-9);
}

TEST(Eval, NamesATextThatIsTooShort) {
  const TemporaryFolder folder;
  const std::string file = folder.write("text.txt", "Too short.").string();
  const Finished finished = run_program({"eval", example_model(), "perplexity", file});
  EXPECT_EQ(finished.status, 3);
  EXPECT_NE(finished.err.find("needs at least 1024"), std::string::npos) << finished.err;
  EXPECT_EQ(run_program({"eval", example_model(), "perplexity", "/no/such/file"}).status, 3);
}

TEST(Eval, VerbosePrintsTheValueAfterEveryChunk) {
  const TemporaryFolder folder;
  std::string text;
  for (int line = 0; line < 30; ++line) text += "The bird sang and the cat slept. ";
  const std::string file = folder.write("text.txt", text).string();
  const Finished finished =
      run_program({"eval", example_model(), "perplexity", file, "-c", "32", "--chunks", "3", "-v"});
  EXPECT_NE(finished.err.find("chunk 1 of 3: "), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("chunk 3 of 3: "), std::string::npos) << finished.err;
}

TEST(Bench, JsonHasItsKeys) {
  const JsonBuilder json = json_of(run_program(
      {"bench", example_model(), "--prompt-tokens", "16", "--text-tokens", "4", "--depth", "0,8",
       "--batch", "2", "--repetitions", "3", "--limits", "off", "--json"}));
  EXPECT_EQ(keys_of(json),
            (Words{"model", "weights", "backend", "kernels", "threads", "kv_type", "context",
                   "load_seconds", "peak_memory_bytes", "machine", "limits", "results"}));
  EXPECT_EQ(keys_of(json["machine"]),
            (Words{"processor", "features", "logical_processors", "usable_cores", "cpu_quota",
                   "virtual_machine", "memory_bytes", "available_bytes", "huge_pages", "system",
                   "compiler", "stolen_share"}));
  ASSERT_EQ(json["results"].size(), 4u);
  for (const JsonBuilder& row : json["results"]) {
    EXPECT_EQ(
        keys_of(row),
        (Words{"phase", "depth", "batch", "tokens", "repetitions", "tokens_per_second",
               "slice_seconds", "slice_bytes", "slice_operations", "refined_rows", "engine_share",
               "bytes_per_second", "operations_per_second", "memory_share", "compute_share"}));
    const JsonBuilder& rate = row["tokens_per_second"];
    EXPECT_EQ(keys_of(rate), (Words{"median", "p10", "p90", "least", "most", "count"}));
    EXPECT_LE(rate["least"], rate["p10"]);
    EXPECT_LE(rate["p10"], rate["median"]);
    EXPECT_LE(rate["median"], rate["p90"]);
    EXPECT_GT(rate["least"], 0.0);
    EXPECT_TRUE(row["memory_share"].is_null());
  }
  EXPECT_EQ(json["results"][0]["slice_seconds"].size(), 3u);   // prompts
  EXPECT_EQ(json["results"][2]["slice_seconds"].size(), 12u);  // steps
}

TEST(Bench, LimitsGiveShares) {
  const JsonBuilder json =
      json_of(run_program({"bench", "--shape", "tiny-ternary", "--prompt", "0", "--generate", "2",
                           "--repetitions", "1", "--depth", "0", "--batch", "1", "--json"}));
  EXPECT_GT(json["limits"]["read_bytes_per_second"]["median"], 1e8);
  ASSERT_EQ(json["results"].size(), 1u);
  EXPECT_GT(json["results"][0]["memory_share"], 0.0);
}

TEST(Bench, AWrittenShapeRunsLikeAnyFile) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "made.gguf").string();
  const Finished made = run_program({"bench", "--shape", "tiny", "--codec", "q8_0", "--write-gguf",
                                     file, "--prompt", "0", "--generate", "0", "--quiet"});
  EXPECT_EQ(made.status, 0) << made.err;
  const JsonBuilder facts = json_of(run_program({"show", file, "--json"}));
  EXPECT_EQ(facts["architecture"]["vocab_size"], 512);
  const Finished run = run_program({"bench", file, "--prompt", "4", "--generate", "0", "--limits",
                                    "off", "--csv", "--seconds", "0"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_NE(run.out.find("\nprefill,0,1,4,1,"), std::string::npos) << run.out;
}

TEST(Bench, KernelsOneByOne) {
  const JsonBuilder json =
      json_of(run_program({"bench", "kernels", "--codec", "tq2_0", "--batch", "1", "--seconds", "0",
                           "--limits", "off", "--json"}));
  bool linear = false;
  for (const JsonBuilder& row : json["results"]) {
    EXPECT_EQ(keys_of(row), (Words{"kernel", "isa", "shape", "threads", "seconds", "bytes",
                                   "operations", "share", "bound", "selected", "scalar_only"}));
    linear = linear || row["kernel"] == "linear TQ2_0";
  }
  EXPECT_TRUE(linear);
  EXPECT_EQ(run_program({"bench", "kernels", "--depth", "1"}).status, 2);
}

TEST(Bench, RefusesWhatDoesNotGoTogether) {
  EXPECT_EQ(run_program({"bench"}).status, 2);
  EXPECT_EQ(run_program({"bench", example_model(), "--shape", "tiny"}).status, 2);
  EXPECT_EQ(run_program({"bench", "--shape", "huge"}).status, 2);
  for (const char* list : {"", "1,", "x", "1,,2", "-1", "1;2"})
    EXPECT_EQ(run_program({"bench", example_model(), "--depth", list}).status, 2) << list;
}

}  // namespace
}  // namespace bittern::test
