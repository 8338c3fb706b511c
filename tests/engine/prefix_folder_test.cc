// Prefixes that outlive a process: found again, never taken for others, never used damaged.
#include "engine/prefix_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/engine.h"
#include "engine/fake_model.h"
#include "temporary_folder.h"

namespace bittern::engine {
namespace {

constexpr StepLimits kLimits = {
    .vocab_size = 30, .context = 400, .page_count = 8, .max_rows = 32, .max_logit_rows = 8};

std::vector<int32_t> page_of(int32_t token) {
  return std::vector<int32_t>(static_cast<size_t>(backend::kPageTokens), token);
}

class PrefixFolderTest : public testing::Test {
 protected:
  std::shared_ptr<PrefixFolder> open(int64_t most = 1 << 20, const std::string& model = "m1") {
    return std::make_shared<PrefixFolder>(folder_.path() / "prefixes", model, most);
  }

  // A new process: its stats after answering.
  struct Answer {
    std::vector<int32_t> tokens;
    Usage usage;
  };
  Answer answer(std::shared_ptr<PrefixFolder> prefixes, const std::string& tenant = "",
                std::shared_ptr<const model::AdapterSet> adapters = nullptr) {
    FakeModel model(kLimits);
    Engine engine(model, nullptr, {.max_sequences = 2, .prefixes = std::move(prefixes)});
    Request request;
    request.tenant = tenant;
    request.adapters = std::move(adapters);
    for (int32_t place = 0; place < 200; ++place) request.prompt.push_back(place * 7 % 30);
    request.max_tokens = 5;
    Answer answer;
    engine.submit(request, [&](Delta delta) {
      answer.tokens.insert(answer.tokens.end(), delta.tokens.begin(), delta.tokens.end());
      if (delta.ending) answer.usage = delta.ending->usage;
    });
    while (engine.step()) engine.check();
    engine.save_prefixes();
    return answer;
  }

  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "prefixes"))
      paths.push_back(entry.path());
    return paths;
  }

  test::TemporaryFolder folder_;
};

TEST_F(PrefixFolderTest, TheNextProcessKnowsThePrompt) {
  const Answer first = answer(open());
  EXPECT_EQ(first.usage.cached_tokens, 0);
  const Answer second = answer(open());
  EXPECT_EQ(second.usage.cached_tokens, 3 * backend::kPageTokens);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(files().size(), 3u);
}

TEST_F(PrefixFolderTest, ButNotAnotherTenantOrModel) {
  (void)answer(open());
  EXPECT_EQ(answer(open(), "somebody").usage.cached_tokens, 0);
  EXPECT_EQ(answer(open(1 << 20, "m2")).usage.cached_tokens, 0);
}

TEST_F(PrefixFolderTest, AdaptersHaveTheirOwn) {
  const auto adapters = [](const char* identity, float scale) {
    const auto adapter = std::make_shared<model::Adapter>();
    adapter->identity = identity;
    return std::make_shared<model::AdapterSet>(
        std::vector<model::AdapterSet::Entry>{{adapter, scale}});
  };
  const Answer base = answer(open());
  const Answer first = answer(open(), "", adapters("sum", 1.0f));
  EXPECT_EQ(first.usage.cached_tokens, 0);
  EXPECT_NE(first.tokens, base.tokens);
  EXPECT_EQ(answer(open(), "", adapters("sum", 0.5f)).usage.cached_tokens, 0);
  EXPECT_EQ(answer(open(), "", adapters("other", 1.0f)).usage.cached_tokens, 0);
  const Answer again = answer(open(), "", adapters("sum", 1.0f));
  EXPECT_EQ(again.usage.cached_tokens, 3 * backend::kPageTokens);
  EXPECT_EQ(again.tokens, first.tokens);
  // Nor can a tenant be called like adapters.
  const std::string name = adapters("sum", 1.0f)->identity();
  EXPECT_EQ(answer(open(), name).usage.cached_tokens, 0);
}

TEST_F(PrefixFolderTest, DamageIsNotUsedAndRemoved) {
  const Answer first = answer(open());
  for (const auto& path : files()) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(400);
    file.put('\x55');
  }
  const Answer second = answer(open());
  EXPECT_EQ(second.usage.cached_tokens, 0);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(answer(open()).usage.cached_tokens, 3 * backend::kPageTokens) << "written again";
}

TEST_F(PrefixFolderTest, ACutFileIsNotUsed) {
  const auto folder = open();
  const std::vector<std::byte> page(100, std::byte{7});
  const std::string name = folder->name("", "", page_of(1));
  ASSERT_TRUE(folder->save(name, page_of(1), page));
  std::vector<std::byte> read(100);
  EXPECT_TRUE(folder->load(name, page_of(1), read));
  EXPECT_EQ(read, page);
  std::filesystem::resize_file(files().front(), 300);
  EXPECT_FALSE(folder->load(name, page_of(1), read));
  EXPECT_FALSE(folder->has(name));
}

TEST_F(PrefixFolderTest, OtherTokensUnderTheSameNameAreNotUsed) {
  const auto folder = open();
  const std::vector<std::byte> page(100);
  ASSERT_TRUE(folder->save("name", page_of(1), page));
  std::vector<std::byte> read(100);
  EXPECT_FALSE(folder->load("name", page_of(2), read));
}

TEST_F(PrefixFolderTest, NamesTellApartWhatReadsAlike) {
  const auto folder = open();
  EXPECT_NE(folder->name("ab", "", page_of(1)), folder->name("a", "", page_of(1)));
  EXPECT_NE(folder->name("a", "", page_of(1)), folder->name("a", "", page_of(2)));
  const auto parent = folder->name("a", "", page_of(1));
  EXPECT_NE(folder->name("a", parent, page_of(1)), parent);
  EXPECT_NE(open(1 << 20, "m")->name("1a", "", page_of(1)), folder->name("a", "", page_of(1)));
}

TEST_F(PrefixFolderTest, TheLongestUnusedMakesRoom) {
  const std::vector<std::byte> page(1000);
  const auto folder = open(2 * PrefixFolder::file_bytes(1000));
  ASSERT_TRUE(folder->save("one", page_of(1), page));
  ASSERT_TRUE(folder->save("two", page_of(2), page));
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  std::filesystem::last_write_time(folder_.path() / "prefixes" / "two.page", old);
  ASSERT_TRUE(folder->save("three", page_of(3), page));
  EXPECT_TRUE(folder->has("one"));
  EXPECT_FALSE(folder->has("two"));
  EXPECT_TRUE(folder->has("three"));
  EXPECT_LE(folder->bytes(), folder->most_bytes());
  EXPECT_FALSE(folder->save("huge", page_of(4), std::vector<std::byte>(4000)));
}

}  // namespace
}  // namespace bittern::engine
