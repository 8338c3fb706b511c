// Ids and texts against the `tokenizers` package, and the promises of tokenizer.h.
#include "text/tokenizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/utf8.h"
#include "text/golden.h"
#include "text/tokenizer_json_support.h"
#include "throws.h"

namespace bittern::text {
namespace {

std::string file_of(std::string_view name, std::string_view what) {
  return fmt::format("{}.{}.json", name, what);
}

VocabSpec golden_spec(std::string_view name) {
  return read_tokenizer_json(golden_path(file_of(name, "tokenizer")));
}

void expect_cases(const Tokenizer& tokenizer, const json::Value& section) {
  const auto rows = section.find("cases")->elements("cases");
  EXPECT_GT(rows.size(), 100u);
  for (const json::Value& row : rows) {
    const auto columns = row.elements("case");
    const std::string_view text = columns.at(0).as_string("text");
    EXPECT_EQ(tokenizer.encode(text), integers(columns.at(1))) << text;
    EXPECT_EQ(tokenizer.encode(text, {.parse_special = false}), integers(columns.back()))
        << "specials as text: " << text;
  }
}

class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, Encodes) {
  const auto golden = read_golden(file_of(GetParam(), "cases"));
  for (const json::Value& section : golden->root().find("sections")->elements("sections")) {
    VocabSpec spec = golden_spec(GetParam());
    spec.add_prefix_space = section.get_boolean("add_prefix_space").value_or(false);
    SCOPED_TRACE(fmt::format("prefix space {}", spec.add_prefix_space));
    if (const auto unknown = section.get_string("unknown")) {
      const auto at = std::ranges::find(spec.tokens, *unknown);
      spec.unknown = static_cast<int32_t>(at - spec.tokens.begin());
    }
    expect_cases(*Tokenizer::build(std::move(spec)), section);
  }
}

TEST_P(TokenizerGolden, Decodes) {
  const auto golden = read_golden(file_of(GetParam(), "cases"));
  const auto tokenizer = Tokenizer::build(golden_spec(GetParam()));
  for (const json::Value& row : golden->root().find("decode")->elements("decode")) {
    const auto columns = row.elements("decoding");
    const std::vector<int32_t> ids = integers(columns.at(0));
    EXPECT_EQ(tokenizer->decode(ids), columns.at(1).as_string("text"));
    EXPECT_EQ(tokenizer->decode(ids, {.skip_special = false}), columns.at(2).as_string("text"));
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TokenizerGolden,
                         testing::Values("gpt2", "smollm", "llama", "qwen2", "holes"));

// Streaming in any cuts equals the whole decode, and holds back at most three bytes.
TEST(StreamDecoder, AllCutsGiveTheSameText) {
  const std::vector<std::string> texts = {"plain",        "\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x99\x82",
                                          "\xf0\x9f\x99", "\xf0\x9f\x99x",
                                          "\x80\x80",     "\xe4\xbd\xe4\xbd\xa0\xff\xc3",
                                          "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                          "\xc0\xaf",     "a\xf0\x9fz"};
  for (const std::string& text : texts) {
    StreamDecoder whole;
    std::string want = whole.push(text);
    want += whole.finish();
    EXPECT_TRUE(utf8::is_valid(want));
    for (size_t cuts = 0; cuts < size_t{1} << (text.size() - 1); ++cuts) {
      StreamDecoder stream;
      std::string got;
      size_t given = 0;
      for (size_t i = 0, begin = 0; i < text.size(); ++i) {
        if (i + 1 < text.size() && (cuts >> i & 1) == 0) continue;
        got += stream.push(std::string_view(text).substr(begin, i + 1 - begin));
        EXPECT_TRUE(utf8::is_valid(got));
        given = begin = i + 1;
      }
      EXPECT_EQ(given, text.size());
      EXPECT_EQ(got + stream.finish(), want);
    }
  }
}

TEST(StreamDecoder, EmitsAsSoonAsACharacterIsWhole) {
  StreamDecoder stream;
  EXPECT_EQ(stream.push("a\xf0\x9f\x99"), "a");
  EXPECT_EQ(stream.push("\x82"), "\xf0\x9f\x99\x82");
  EXPECT_EQ(stream.push("\xe4\xbd"), "");
  EXPECT_EQ(stream.push("x"), "\xef\xbf\xbdx");
  EXPECT_EQ(stream.push("\xf0\x9f\x99"), "");
  EXPECT_EQ(stream.finish(), "\xef\xbf\xbd");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Tokenizer, TextThatIsNotUtf8IsReadLossily) {
  const auto tokenizer = Tokenizer::build(golden_spec("gpt2"));
  const std::string replacement = "\xef\xbf\xbd";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"a\xff"
       "b",
       "a" + replacement + "b"},
      {"\xe4\xbd", replacement},                                  // one maximal subpart
      {"\xed\xa0\x80", replacement + replacement + replacement},  // a surrogate: three
      {"\xc0\xaf", replacement + replacement},
      {"x\xf0\x9f\x99 y", "x" + replacement + " y"},
      {"\x80<|endoftext|>\x80", replacement + "<|endoftext|>" + replacement}};
  for (const auto& [bytes, text] : rows)
    EXPECT_EQ(tokenizer->encode(bytes), tokenizer->encode(text));
}

// Every text comes back, where neither normalisation nor a prefix changes it.
TEST(Tokenizer, DecodeInvertsEncode) {
  const auto golden = read_golden("pieces.json");
  for (const char* name : {"gpt2", "smollm", "llama"}) {
    VocabSpec spec = golden_spec(name);
    std::erase_if(spec.added, [](const AddedToken& t) { return t.lstrip || t.rstrip; });
    const auto tokenizer = Tokenizer::build(std::move(spec));
    for (const json::Value& value : golden->root().find("strings")->elements("strings")) {
      const std::string_view text = value.as_string("text");
      const std::vector<int32_t> ids = tokenizer->encode(text, {.add_special = false});
      EXPECT_EQ(tokenizer->decode(ids, {.skip_special = false}), text);
    }
  }
}

TEST(Tokenizer, BeginAndEnd) {
  VocabSpec spec = golden_spec("llama");
  spec.eos = spec.bos;
  spec.end_of_generation = {5};
  const int32_t bos = spec.bos;
  spec.add_eos = true;
  const auto tokenizer = Tokenizer::build(std::move(spec));
  EXPECT_EQ(tokenizer->encode(""), (std::vector<int32_t>{bos, bos}));
  EXPECT_TRUE(tokenizer->encode("", {.add_special = false}).empty());
  EXPECT_TRUE(tokenizer->is_end_of_generation(bos));
  EXPECT_TRUE(tokenizer->is_end_of_generation(5));
  EXPECT_FALSE(tokenizer->is_end_of_generation(6));
  EXPECT_FALSE(tokenizer->is_end_of_generation(-1));
}

TEST(Tokenizer, IdsOutsideOfTheVocabularyDecodeToNothing) {
  const auto tokenizer = Tokenizer::build(golden_spec("gpt2"));
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
  EXPECT_FALSE(tokenizer->is_end_of_generation(-1));  // though there is no eos
  EXPECT_EQ(tokenizer->token_bytes(tokenizer->vocab_size()), "");
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{-5, 1'000'000}), "");
}

// The long-piece heap against the plain definition of byte-pair merging.
std::vector<std::string> merged_by_definition(const VocabSpec& spec, std::string_view piece) {
  std::vector<std::string> symbols;
  for (const char c : piece) symbols.emplace_back(1, c);
  for (;;) {
    size_t best_rank = spec.merges.size(), at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto it = std::ranges::find(spec.merges, std::pair(symbols[i], symbols[i + 1]));
      const auto rank = static_cast<size_t>(it - spec.merges.begin());
      if (rank < best_rank) best_rank = rank, at = i;
    }
    if (best_rank == spec.merges.size()) return symbols;
    symbols[at] += symbols[at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

// A random vocabulary over a few letters, whose merges overlap in every way.
VocabSpec random_spec(std::mt19937& random) {
  VocabSpec spec;
  spec.source = "random";
  spec.split = "gpt-2";
  spec.tokens = {"a", "b", "c"};
  for (int i = 0; i < 40; ++i) {
    const std::string& left = spec.tokens[random() % spec.tokens.size()];
    const std::string& right = spec.tokens[random() % spec.tokens.size()];
    std::pair merge(left, right);
    if (std::ranges::find(spec.merges, merge) != spec.merges.end()) continue;
    const std::string joined = left + right;
    if (std::ranges::find(spec.tokens, joined) == spec.tokens.end()) spec.tokens.push_back(joined);
    spec.merges.push_back(std::move(merge));
  }
  std::ranges::shuffle(spec.merges, random);
  spec.kinds.assign(spec.tokens.size(), TokenKind::normal);
  return spec;
}

TEST(Bpe, ShortAndLongPiecesFollowTheDefinition) {
  const uint32_t seed = 8;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const VocabSpec spec = random_spec(random);
    const auto tokenizer = Tokenizer::build(spec);
    for (const size_t length : {1, 2, 3, 4, 5, 6, 7, 31, 32, 33, 34, 60}) {
      std::string piece;
      while (piece.size() < length) piece += static_cast<char>('a' + random() % 3);
      for (int again = 0; again < 2; ++again) {  // the second time through the memo
        std::vector<std::string> got;
        for (const int32_t id : tokenizer->encode(piece)) got.push_back(tokenizer->token_bytes(id));
        ASSERT_EQ(got, merged_by_definition(spec, piece)) << piece;
      }
    }
  }
}

// Inputs that make a quadratic tokeniser stop responding.
TEST(Tokenizer, PathologicalInputs) {
  std::mt19937 random(3);
  std::string noise(1'000'000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  for (const char* name : {"gpt2", "smollm", "llama", "qwen2"}) {
    const auto tokenizer = Tokenizer::build(golden_spec(name));
    for (const char* unit : {"a", " ", "\n", "'", "1", "=", "<", "<|end", "word", "ab", "<strip>",
                             "\t<strip>", "e\xcc\x81", "\xcc\x81\xcc\xa3", "\xe5\xad\x97"}) {
      std::string text;
      while (text.size() < 100'000) text += unit;
      const std::vector<int32_t> ids = tokenizer->encode(text, {.add_special = false});
      EXPECT_FALSE(ids.empty());
    }
    EXPECT_FALSE(tokenizer->encode(noise).empty());
  }
}

TEST(AddedTokens, StripOverLongWhitespace) {
  VocabSpec spec = golden_spec("gpt2");
  for (AddedToken& token : spec.added) {
    if (token.content == "  ") token.lstrip = token.rstrip = true;
  }
  const auto tokenizer = Tokenizer::build(std::move(spec));
  EXPECT_EQ(tokenizer->encode(std::string(200'000, ' ')).size(), 100'000u);
}

TEST(Tokenizer, SharedBetweenThreads) {
  const auto tokenizer = Tokenizer::build(golden_spec("llama"));
  const auto golden = read_golden("llama.cases.json");
  const auto section = golden->root().find("sections")->elements("sections").at(0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { expect_cases(*tokenizer, section); });
  for (std::thread& thread : threads) thread.join();
}

VocabSpec small_spec() {
  VocabSpec spec;
  spec.source = "small.json";
  spec.split = "gpt-2";
  spec.tokens = {"a", "b", "ab", "<s>"};
  spec.kinds = {TokenKind::normal, TokenKind::normal, TokenKind::normal, TokenKind::control};
  spec.merges = {{"a", "b"}};
  return spec;
}

template <typename Change>
test::Thrown error_of(Change change) {
  VocabSpec spec = small_spec();
  change(spec);
  return test::thrown_by([&] { Tokenizer::build(spec); }).value();
}

TEST(Tokenizer, RefusesInconsistentVocabularies) {
  EXPECT_NO_THROW(Tokenizer::build(small_spec()));
  const auto expect_bad = [](const test::Thrown& error, std::string_view part) {
    EXPECT_EQ(error.kind, ErrorKind::bad_input) << error.message;
    EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
    EXPECT_TRUE(error.message.starts_with("small.json: ")) << error.message;
  };
  expect_bad(error_of([](VocabSpec& s) { s.merges.push_back({"a", "x"}); }), "merge 1");
  expect_bad(error_of([](VocabSpec& s) { s.merges.push_back({"b", "a"}); }), "\"ba\"");
  expect_bad(error_of([](VocabSpec& s) { s.bos = 4; }), "bos");
  expect_bad(error_of([](VocabSpec& s) { s.add_bos = true; }), "bos");
  expect_bad(error_of([](VocabSpec& s) { s.add_eos = true; }), "eos");
  expect_bad(error_of([](VocabSpec& s) { s.unknown = -2; }), "unknown");
  expect_bad(error_of([](VocabSpec& s) { s.end_of_generation = {9}; }), "end of generation");
  expect_bad(error_of([](VocabSpec& s) { s.added.push_back({.id = 7, .content = "x"}); }), "added");
  expect_bad(error_of([](VocabSpec& s) { s.added.push_back({.id = 1, .content = "\xff"}); }),
             "UTF-8");
  expect_bad(error_of([](VocabSpec& s) { s.kinds.pop_back(); }), "token types");
  expect_bad(error_of([](VocabSpec& s) { s.tokens.clear(), s.kinds.clear(); }), "no tokens");
  const test::Thrown error = error_of([](VocabSpec& s) { s.split = "gpt-5"; });
  EXPECT_EQ(error.kind, ErrorKind::unsupported);
  EXPECT_NE(error.message.find("llama-bpe"), std::string::npos) << error.message;
}

// A special token may be an ordinary entry of the vocabulary as well.
TEST(Tokenizer, SpecialByTheAddedTokensAlone) {
  VocabSpec spec = small_spec();
  spec.added.push_back({.id = 2, .content = "ab", .special = true});
  const auto tokenizer = Tokenizer::build(std::move(spec));
  const std::vector<int32_t> ids = {0, 2, 1};
  EXPECT_EQ(tokenizer->decode(ids), "ab");
  EXPECT_EQ(tokenizer->decode(ids, {.skip_special = false}), "aabb");
}

// Plain text can never become a control token, whatever ignore_merges finds in the vocabulary.
// As SentencePiece has it (bytes and text of a case of tests/oracles/test_tokenizers.py).
TEST(Tokenizer, AControlTokenLeftOutStandsBetweenBytes) {
  VocabSpec spec;
  spec.model = TokenizerModel::sentencepiece_bpe;
  spec.tokens = {"<unk>", "<s>", "<0xC6>", "<0xA7>", "<0x8A>"};
  spec.kinds = {TokenKind::unknown, TokenKind::control, TokenKind::byte, TokenKind::byte,
                TokenKind::byte};
  spec.scores.resize(spec.tokens.size());
  spec.unknown = 0;
  spec.decoders.push_back({.kind = DecoderKind::sentencepiece});
  const auto tokenizer = Tokenizer::build(std::move(spec));
  const auto streamed = [&](std::span<const int32_t> ids) {
    const auto stream = tokenizer->stream();
    std::string out;
    for (const int32_t id : ids) out += stream->push(id);
    return out + stream->finish();
  };
  const std::vector<int32_t> apart = {2, 1, 3, 4}, together = {1, 2, 3, 4};
  for (const auto& text : {tokenizer->decode(apart), streamed(apart)})
    EXPECT_EQ(text, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  for (const auto& text : {tokenizer->decode(together), streamed(together)})
    EXPECT_EQ(text, "\xc6\xa7\xef\xbf\xbd");
}

TEST(Tokenizer, PlainTextNeverSpellsAControlToken) {
  VocabSpec spec = small_spec();
  spec.ignore_merges = true;
  spec.tokens[3] = "ba";  // a control token that looks like a word
  const auto tokenizer = Tokenizer::build(std::move(spec));
  EXPECT_EQ(tokenizer->encode("ba"), (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(tokenizer->encode("ab"), (std::vector<int32_t>{2}));
  EXPECT_EQ(tokenizer->token_bytes(3), "");
  EXPECT_EQ(tokenizer->token_bytes(3, {.skip_special = false}), "ba");
}

}  // namespace
}  // namespace bittern::text
