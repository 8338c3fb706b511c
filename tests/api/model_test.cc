// Models behind the C API: loaded, described, refused; and structs of other versions of the header.
#include <array>
#include <cstring>
#include <string>

#include "api/api_support.h"
#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

std::string refused(const std::string& path, const bittern_load_options& options = load_options()) {
  bittern_model* model = nullptr;
  const std::string result = outcome(bittern_model_load(path.c_str(), &options, &model));
  EXPECT_EQ(model, nullptr);
  return result;
}

// `change`: one field that cannot be right.
template <typename Change>
std::string refused_option(const Change& change) {
  bittern_load_options options = load_options();
  change(options);
  return refused(example_model(), options);
}

TEST(ApiModel, VersionIsTheProgramsOwn) {
  EXPECT_EQ(run_program({"version"}).out, std::string("bittern ") + bittern_version() + "\n");
  EXPECT_EQ(bittern_api_version(), BITTERN_API_VERSION);
}

TEST(ApiModel, SaysWhatItIs) {
  bittern_load_options options = load_options();
  options.context = 256;
  options.threads = 1;
  options.sequences = 3;
  const ModelHandle model = load_example(options);
  const bittern_model_info info = info_of(model.get());
  const JsonBuilder shown = json_of(run_program({"show", example_model(), "--json"}));
  EXPECT_EQ(info.path, example_model());
  EXPECT_STREQ(info.architecture, "bitnet-b1.58");
  EXPECT_EQ(std::string(info.format).substr(0, 4), "gguf");
  EXPECT_EQ(std::string(info.backend).substr(0, 3), "cpu");
  EXPECT_STRNE(info.name, "");
  EXPECT_EQ(info.context, 256);
  EXPECT_EQ(info.threads, 1);
  EXPECT_EQ(info.sequences, 3);
  EXPECT_EQ(info.max_context, shown["architecture"]["max_context"]);
  EXPECT_EQ(info.vocab_size, shown["architecture"]["vocab_size"]);
  EXPECT_EQ(info.embedding_size, shown["architecture"]["hidden_size"]);
  EXPECT_EQ(info.layer_count, shown["architecture"]["layer_count"]);
  EXPECT_EQ(info.vocab_size, info.token_count);
  EXPECT_EQ(info.can_generate, 1);
  EXPECT_EQ(info.has_pooling, 0);
  EXPECT_GE(info.eos_token, 0);
}

TEST(ApiModel, DefaultsAreInForceWithoutOptions) {
  bittern_model* model = nullptr;
  ASSERT_EQ(outcome(bittern_model_load(example_model().c_str(), nullptr, &model)), "ok");
  const ModelHandle owned(model);
  EXPECT_EQ(info_of(model).sequences, 4);
  EXPECT_EQ(info_of(model).context, info_of(model).max_context);
}

TEST(ApiModel, AsManySequencesAsThereMayBe) {
  bittern_load_options options = load_options();
  options.sequences = 512;
  const ModelHandle model = load_example(options);
  bittern_generate_options many = generate_options(model.get());
  many.n = 100;
  EXPECT_EQ(generate(model.get(), many).size(), 100u);
}

TEST(ApiModel, WhatCannotBeLoadedIsRefusedByKind) {
  const TemporaryFolder folder;
  EXPECT_EQ(refused("no/such/file.gguf").substr(0, 2), "3:");
  EXPECT_EQ(refused(folder.write("a.gguf", "not a model").string()).substr(0, 2), "3:");
  EXPECT_NE(refused("no/such/file.gguf").find("no/such/file.gguf"), std::string::npos);
  bittern_load_options options = load_options();
  options.context = info_of(load_example().get()).max_context + 1;
  EXPECT_EQ(refused(example_model(), options).substr(0, 2), "2:");
}

TEST(ApiModel, OptionsOutOfRangeAreNamed) {
  using Options = bittern_load_options;
  EXPECT_EQ(refused_option([](Options& o) { o.context = -1; }),
            "2: context: 0 to 1073741824 expected, got -1");
  EXPECT_EQ(refused_option([](Options& o) { o.sequences = 0; }),
            "2: sequences: 1 to 512 expected, got 0");
  EXPECT_EQ(refused_option([](Options& o) { o.threads = 5000; }),
            "2: threads: 0 to 1024 expected, got 5000");
  EXPECT_EQ(refused_option([](Options& o) { o.kv_type = 3; }),
            "2: kv_type: 0 to 2 expected, got 3");
  EXPECT_EQ(refused_option([](Options& o) { o.activations = -1; }),
            "2: activations: 0 to 1 expected, got -1");
  EXPECT_EQ(refused_option([](Options& o) { o.head = 7; }), "2: head: 0 to 2 expected, got 7");
  EXPECT_EQ(refused_option([](Options& o) { o.verbosity = 3; }),
            "2: verbosity: 0 to 2 expected, got 3");
  EXPECT_EQ(refused_option([](Options& o) { o.max_guesses = -1; }),
            "2: max_guesses: 0 to 64 expected, got -1");
  EXPECT_EQ(refused_option([](Options& o) { o.max_queued_requests = 0; }),
            "2: max_queued_requests: 1 to 1048576 expected, got 0");
  EXPECT_EQ(refused_option([](Options& o) { o.reserved = 1; }), "2: reserved: 0 expected, got 1");
  EXPECT_EQ(refused_option([](Options& o) { o.cache = ""; }),
            "2: cache: on, off or a folder expected, got \"\"");
  EXPECT_EQ(refused_option([](Options& o) { o.gguf_dialect = "klingon"; }).substr(0, 2), "2:");
}

TEST(ApiModel, KeyValueTypesAndActivationsAreHonoured) {
  bittern_load_options options = load_options();
  for (const int32_t type : {BITTERN_KV_F32, BITTERN_KV_F16, BITTERN_KV_INT8}) {
    options.kv_type = type;
    const ModelHandle model = load_example(options);
    const std::vector<std::string> names{"f32", "f16", "int8"};
    const Finished run =
        run_program({"run", example_model(), "Once upon a time", "--raw", "-n", "32", "--seed", "1",
                     "--quiet", "--kv-type", names[static_cast<size_t>(type)]});
    EXPECT_EQ(text_of(model.get(), generate_options(model.get())) + "\n", run.out);
  }
}

TEST(ApiModel, GuessesChangeNoText) {
  bittern_load_options options = load_options();
  const ModelHandle plain = load_example(options);
  options.max_guesses = 8;
  const ModelHandle guessing = load_example(options);
  bittern_generate_options asked = generate_options(plain.get());
  asked.prompt = "The bird sang. The bird sang. The bird sang. The bird";
  asked.max_tokens = 100;
  asked.temperature = 0;
  EXPECT_EQ(text_of(guessing.get(), asked), text_of(plain.get(), asked));
  bittern_stats stats;
  ASSERT_EQ(bittern_model_get_stats(plain.get(), &stats, sizeof stats), BITTERN_OK);
  EXPECT_EQ(stats.guessed_tokens, 0);
}

TEST(ApiModel, PackedWeightsGoIntoTheFolderThatIsNamed) {
  const TemporaryFolder folder;
  const std::string name = folder.path().string();
  bittern_load_options options = load_options();
  options.cache = name.c_str();
  load_example(options).reset();
  EXPECT_FALSE(std::filesystem::is_empty(folder.path()));
}

// A struct of the next version: the caller knows 16 bytes more than the library.
struct NewerOptions {
  bittern_load_options known;
  uint64_t more[2];
};

TEST(ApiModel, ANewerCallersStructIsTakenAsLongAsItsNewFieldsAreUnset) {
  NewerOptions newer;
  std::memset(&newer, 0xff, sizeof newer);
  ASSERT_EQ(bittern_load_options_init(&newer.known, sizeof newer), BITTERN_OK);
  EXPECT_EQ(newer.known.size, sizeof newer);
  EXPECT_EQ(newer.more[0] | newer.more[1], 0u);
  newer.known.cache = "off";
  bittern_model* model = nullptr;
  EXPECT_EQ(outcome(bittern_model_load(example_model().c_str(), &newer.known, &model)), "ok");
  bittern_model_free(model);
  newer.more[1] = 1;
  EXPECT_EQ(outcome(bittern_model_load(example_model().c_str(), &newer.known, &model)),
            "2: options: a field that this version of the library does not have");
}

TEST(ApiModel, AStructThatIsTooSmallIsRefused) {
  bittern_load_options options = load_options();
  EXPECT_EQ(outcome(bittern_load_options_init(&options, 8)).substr(0, 26),
            "2: size: at least 80 expec");
  options.size = 0;
  EXPECT_EQ(refused(example_model(), options).substr(0, 18), "2: options.size: a");
}

TEST(ApiModel, AnOlderCallerGetsTheFieldsItKnows) {
  const ModelHandle model = load_example();
  std::array<unsigned char, sizeof(bittern_model_info)> bytes;
  bytes.fill(0xaa);
  auto* info = reinterpret_cast<bittern_model_info*>(bytes.data());
  const size_t known = offsetof(bittern_model_info, layer_count);
  ASSERT_EQ(bittern_model_get_info(model.get(), info, known), BITTERN_OK);
  EXPECT_EQ(info->embedding_size, info_of(model.get()).embedding_size);
  EXPECT_EQ(bytes[known], 0xaa);
}

TEST(ApiModel, StatisticsCountWhatEnded) {
  const ModelHandle model = load_example();
  const Texts texts = generate(model.get(), generate_options(model.get()));
  bittern_stats stats;
  ASSERT_EQ(bittern_model_get_stats(model.get(), &stats, sizeof stats), BITTERN_OK);
  EXPECT_EQ(stats.finished_requests, 1);
  EXPECT_EQ(stats.prompt_tokens, texts.at(0).prompt_tokens);
  EXPECT_EQ(stats.generated_tokens, texts.at(0).generated_tokens);
  EXPECT_EQ(stats.queued_requests, 0);
  EXPECT_GT(stats.steps, 0);
  EXPECT_GT(stats.page_count, 0);
}

TEST(ApiModel, NullIsAnErrorAndFreeingItIsNot) {
  bittern_model* model = nullptr;
  EXPECT_EQ(outcome(bittern_model_load(nullptr, nullptr, &model)),
            "2: model: a pointer expected, got NULL");
  EXPECT_EQ(outcome(bittern_model_load("x", nullptr, nullptr)),
            "2: loaded: a pointer expected, got NULL");
  EXPECT_EQ(bittern_load_options_init(nullptr, 100), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_model_get_info(nullptr, nullptr, 0), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_model_get_stats(nullptr, nullptr, 0), BITTERN_ERROR_USAGE);
  bittern_model_free(nullptr);
  bittern_request_free(nullptr);
  bittern_sequence_free(nullptr);
}

}  // namespace
}  // namespace bittern::test
