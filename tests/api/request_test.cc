// Requests of several threads on one model: each as if it were alone, whoever cancels, frees or
// waits beside it.
#include <array>
#include <string>
#include <thread>

#include "api/api_support.h"
#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

// A text that nothing but the end of a very long context ends.
class ApiRequest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    path_ = long_model(*folder_);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static ModelHandle load_long(int64_t sequences = 4, int64_t queue = 512) {
    bittern_load_options options = load_options();
    options.sequences = sequences;
    options.max_queued_requests = queue;
    return load(path_, options);
  }
  static bittern_generate_options endless(const bittern_model* model) {
    bittern_generate_options options = generate_options(model);
    options.max_tokens = -1;
    options.ignore_eos = 1;
    return options;
  }
  static void await_a_piece(bittern_request* request) {
    const bittern_delta* delta = nullptr;
    ASSERT_EQ(outcome(bittern_request_next(request, -1, &delta)), "ok");
  }

  inline static std::unique_ptr<TemporaryFolder> folder_;
  inline static std::string path_;
};

TEST_F(ApiRequest, FourThreadsAreEachAlone) {
  const ModelHandle model = load_example();
  const std::array<const char*, 4> prompts{"Once upon a time", "The bird", "Lily and Tom", "One"};
  const auto text = [&](size_t index, uint64_t seed) {
    bittern_generate_options options = generate_options(model.get());
    options.prompt = prompts[index];
    options.max_tokens = 40;
    options.seed = seed;
    return text_of(model.get(), options);
  };
  constexpr uint64_t kRounds = 5;
  std::array<std::array<std::string, kRounds>, 4> alone, together;
  for (size_t index = 0; index < 4; ++index)
    for (uint64_t seed = 0; seed < kRounds; ++seed) alone[index][seed] = text(index, seed);
  std::vector<std::thread> threads;
  for (size_t index = 0; index < 4; ++index) {
    threads.emplace_back([&, index] {
      for (uint64_t seed = 0; seed < kRounds; ++seed) together[index][seed] = text(index, seed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, alone);
}

TEST_F(ApiRequest, ComesPieceByPieceAndEndsOnce) {
  const ModelHandle model = load_example();
  const bittern_generate_options options = generate_options(model.get());
  const RequestHandle request = submit(model.get(), options);
  const Texts texts = rest_of(request.get());
  EXPECT_EQ(texts.at(0).text, text_of(model.get(), options));
  const bittern_delta* delta = nullptr;
  EXPECT_EQ(bittern_request_next(request.get(), 0, &delta), BITTERN_END);
  EXPECT_EQ(bittern_request_next(request.get(), -1, &delta), BITTERN_END);
  EXPECT_EQ(bittern_request_cancel(request.get()), BITTERN_OK);  // nothing to cancel
}

TEST_F(ApiRequest, WaitsNoLongerThanAsked) {
  // One sequence runs, the other waits for it: nothing can come.
  const ModelHandle model = load_long(1);
  const RequestHandle running = submit(model.get(), endless(model.get()));
  await_a_piece(running.get());
  const RequestHandle waiting = submit(model.get(), generate_options(model.get()));
  const bittern_delta* delta = nullptr;
  EXPECT_EQ(bittern_request_next(waiting.get(), 0, &delta), BITTERN_TIMEOUT);
  EXPECT_EQ(bittern_request_next(waiting.get(), 20, &delta), BITTERN_TIMEOUT);
  EXPECT_EQ(delta, nullptr);
  bittern_request_cancel(running.get());
  EXPECT_EQ(rest_of(waiting.get()).at(0).generated_tokens, 32);
}

TEST_F(ApiRequest, AnotherThreadCancelsIt) {
  const ModelHandle model = load_long();
  const RequestHandle request = submit(model.get(), endless(model.get()));
  await_a_piece(request.get());
  std::thread other([&] { EXPECT_EQ(bittern_request_cancel(request.get()), BITTERN_OK); });
  const Texts texts = rest_of(request.get());
  other.join();
  EXPECT_EQ(texts.at(0).finish_reason, BITTERN_FINISH_CANCELLED);
  EXPECT_LT(texts.at(0).generated_tokens, 100000);
}

TEST_F(ApiRequest, AFreedRequestLeavesTheModelToOthers) {
  const ModelHandle model = load_long(1);
  RequestHandle request = submit(model.get(), endless(model.get()));
  await_a_piece(request.get());
  request.reset();
  EXPECT_EQ(generate(model.get(), generate_options(model.get())).at(0).generated_tokens, 32);
}

TEST_F(ApiRequest, AFreedModelEndsItsRequests) {
  ModelHandle model = load_long(1);
  bittern_generate_options options = endless(model.get());
  options.n = 2;
  const RequestHandle running = submit(model.get(), options);
  const RequestHandle waiting = submit(model.get(), options);
  await_a_piece(running.get());
  model.reset();
  for (bittern_request* request : {running.get(), waiting.get()}) {
    const Texts texts = rest_of(request);
    ASSERT_EQ(texts.size(), 2u);
    EXPECT_EQ(texts.at(0).finish_reason, BITTERN_FINISH_CANCELLED);
    EXPECT_EQ(texts.at(1).finish_reason, BITTERN_FINISH_CANCELLED);
    EXPECT_EQ(bittern_request_cancel(request), BITTERN_OK);
  }
}

TEST_F(ApiRequest, AFullQueueIsSaid) {
  const ModelHandle model = load_long(1, 1);
  const bittern_generate_options options = endless(model.get());
  const RequestHandle running = submit(model.get(), options);
  await_a_piece(running.get());
  const RequestHandle waiting = submit(model.get(), options);
  bittern_request* refused = nullptr;
  EXPECT_EQ(outcome(bittern_submit(model.get(), &options, &refused)),
            "4: the queue is full: 1 requests wait");
  EXPECT_EQ(refused, nullptr);
}

TEST_F(ApiRequest, ErrorsBelongToTheThreadThatMadeThem) {
  EXPECT_EQ(bittern_request_next(nullptr, 0, nullptr), BITTERN_ERROR_USAGE);
  const std::string own = bittern_last_error();
  std::thread other([] {
    EXPECT_STREQ(bittern_last_error(), "");
    EXPECT_EQ(bittern_model_load(nullptr, nullptr, nullptr), BITTERN_ERROR_USAGE);
    EXPECT_STREQ(bittern_last_error(), "model: a pointer expected, got NULL");
  });
  other.join();
  EXPECT_EQ(bittern_last_error(), own);
  EXPECT_EQ(own, "request: a pointer expected, got NULL");
}

TEST_F(ApiRequest, NullIsRefused) {
  const ModelHandle model = load_example();
  const bittern_generate_options options = generate_options(model.get());
  bittern_request* made = nullptr;
  EXPECT_EQ(bittern_submit(nullptr, &options, &made), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_submit(model.get(), nullptr, &made), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_submit(model.get(), &options, nullptr), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_request_cancel(nullptr), BITTERN_ERROR_USAGE);
  const RequestHandle request = submit(model.get(), options);
  EXPECT_EQ(bittern_request_next(request.get(), -1, nullptr), BITTERN_ERROR_USAGE);
}

}  // namespace
}  // namespace bittern::test
