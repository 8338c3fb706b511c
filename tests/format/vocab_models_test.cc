// Whole vocabularies of every model against the program that defines them: `tokenizers` for
// tokenizer.json, `sentencepiece` for its models and the same in GGUF, `tiktoken` for tekken.json.
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

#include "base/json_write.h"
#include "format/format_support.h"
#include "format/vocab.h"
#include "text/tokenizer.h"
#include "throws.h"

namespace bittern::format {
namespace {

namespace fs = std::filesystem;
using text::Tokenizer;
using Ids = std::vector<int32_t>;

fs::path data_file(std::string_view name) { return fs::path(BITTERN_TEST_DATA) / "text" / name; }

// A model of models.json or spm.cases.json by its name.
JsonBuilder model_of(const JsonBuilder& file, std::string_view name) {
  for (const JsonBuilder& model : file["models"])
    if (model["name"].get<std::string>() == name) return model;
  ADD_FAILURE() << "no model " << name;
  return {};
}

JsonBuilder cases(std::string_view name) {
  return JsonBuilder::parse(test::read_file(data_file(name)));
}

std::unique_ptr<Tokenizer> load(const fs::path& path) {
  if (auto spec = read_vocab_file(path)) return Tokenizer::build(*std::move(spec));
  return Tokenizer::build(read_vocab(open_checkpoint(path)));
}

std::string streamed(const Tokenizer& tokenizer, const Ids& ids) {
  const auto stream = tokenizer.stream();
  std::string out;
  for (const int32_t id : ids) out += stream->push(id);
  return out + stream->finish();
}

class JsonModel : public testing::TestWithParam<const char*> {};

TEST_P(JsonModel, EqualsThePackage) {
  const JsonBuilder model = model_of(cases("models.json"), GetParam());
  const auto tokenizer = Tokenizer::build(
      vocab_from_tokenizer_json(*json::Document::parse(to_text(model["json"]), "models.json")));
  ASSERT_GT(model["encode"].size(), 50u);
  for (const JsonBuilder& row : model["encode"]) {
    const auto text = row[0].get<std::string>();
    const auto ids = row[1].get<Ids>();
    EXPECT_EQ(tokenizer->encode(text), ids) << text;
    EXPECT_EQ(streamed(*tokenizer, ids), tokenizer->decode(ids)) << text;
  }
  for (const JsonBuilder& row : model["decode"]) {
    const auto ids = row[0].get<Ids>();
    EXPECT_EQ(tokenizer->decode(ids), row[1].get<std::string>()) << to_text(row[0]);
    EXPECT_EQ(tokenizer->decode(ids, {.skip_special = false}), row[2].get<std::string>())
        << to_text(row[0]);
  }
  EXPECT_EQ(tokenizer->encode_pair("the princess", "a little"), model["pair"].get<Ids>());
}

INSTANTIATE_TEST_SUITE_P(Models, JsonModel,
                         testing::Values("word_piece", "word_level", "unigram", "unigram_bytes",
                                         "bpe_fallback", "bpe_holes", "bpe_suffix"));

class SentencePieceModel : public testing::TestWithParam<const char*> {};

// The .model file and the same vocabulary in GGUF, kinds "llama" and "t5".
TEST_P(SentencePieceModel, EqualsTheLibrary) {
  const std::string name = GetParam();
  const JsonBuilder model = model_of(cases("spm.cases.json"), name);
  ASSERT_GT(model["encode"].size(), 100u);
  for (const std::string extension : {".model", ".gguf"}) {
    const auto tokenizer = load(data_file(name + extension));
    for (const JsonBuilder& row : model["encode"]) {
      const auto text = row[0].get<std::string>();
      // In a GGUF user-defined tokens cut the text, as in llama.cpp.
      const bool has_symbol =
          text.find("<sep>") != std::string::npos || text.find("ing") != std::string::npos;
      if (extension == ".gguf" && has_symbol) continue;
      const Ids got = tokenizer->encode(text, {.add_special = false, .parse_special = false});
      EXPECT_EQ(got, row[1].get<Ids>()) << extension << ": " << text;
      EXPECT_EQ(streamed(*tokenizer, got), tokenizer->decode(got)) << text;
    }
    for (const JsonBuilder& row : model["decode"])
      EXPECT_EQ(tokenizer->decode(row[0].get<Ids>()), row[1].get<std::string>())
          << extension << ": " << to_text(row[0]);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SentencePieceModel, testing::Values("spm_bpe", "spm_unigram"));

TEST(VocabGgufModels, BertEqualsWordPiece) {
  const auto gguf = load(data_file("bert.gguf"));
  const JsonBuilder model = model_of(cases("models.json"), "word_piece");
  for (const JsonBuilder& row : model["encode"])
    EXPECT_EQ(gguf->encode(row[0].get<std::string>()), row[1].get<Ids>()) << to_text(row[0]);
  for (const JsonBuilder& row : model["decode"])
    EXPECT_EQ(gguf->decode(row[0].get<Ids>()), row[1].get<std::string>()) << to_text(row[0]);
}

// gemma4: the tokens and merges of a tokenizer.json with byte fallback, spaces as U+2581, no
// prefix.
TEST(VocabGgufModels, Gemma4CutsAtLineEndsAlone) {
  Metadata keys;
  keys.file_name = std::string("f");
  keys.set("tokenizer.ggml.model", value_of("gemma4"));
  keys.set("tokenizer.ggml.tokens", value_of(std::vector<std::string>{
                                        "<pad>", "<eos>", "<bos>", "<unk>", "a", "\xe2\x96\x81",
                                        "\n", "\n\n", "a\xe2\x96\x81", "a\n", "<0xC3>", "<0xA9>"}));
  keys.set("tokenizer.ggml.token_type",
           value_of(std::vector<int32_t>{3, 3, 3, 2, 1, 1, 1, 1, 1, 1, 6, 6}));
  keys.set("tokenizer.ggml.merges",
           value_of(std::vector<std::string>{"a \n", "\n \n", "a \xe2\x96\x81"}));
  const auto tokenizer = Tokenizer::build(vocab_from_gguf(keys));
  EXPECT_EQ(tokenizer->encode("a a\n\na\xc3\xa9"), (Ids{2, 8, 4, 7, 4, 10, 11}));
  EXPECT_EQ(tokenizer->decode(Ids{2, 8, 4, 7, 4, 10, 11}), "a a\n\na\xc3\xa9");
}

TEST(VocabTekken, EqualsTiktoken) {
  const auto tokenizer = load(data_file("tekken.json"));
  const JsonBuilder golden = cases("tekken.cases.json");
  for (const JsonBuilder& row : golden["encode"]) {
    const auto text = row[0].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text, {.add_special = false, .parse_special = false}),
              row[1].get<Ids>())
        << text;
  }
  EXPECT_EQ(tokenizer->encode("[INST]</s>"), (Ids{1, 3, 2}));
}

// ---- folders without tokenizer.json ----

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / fmt::format("bittern_vocab_{}", ::getpid())) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  void write(std::string_view name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(VocabFolder, WordListEqualsWordPiece) {
  Folder folder;
  const JsonBuilder model = model_of(cases("models.json"), "word_piece");
  std::vector<std::string> lines(model["json"]["model"]["vocab"].size());
  for (const auto& [token, id] : model["json"]["model"]["vocab"].items())
    lines[id.get<size_t>()] = token;
  folder.write("vocab.txt", fmt::format("{}\n", fmt::join(lines, "\n")));
  const auto tokenizer = load(folder.path());
  for (const JsonBuilder& row : model["encode"])
    EXPECT_EQ(tokenizer->encode(row[0].get<std::string>()), row[1].get<Ids>()) << to_text(row[0]);
  folder.write("tokenizer_config.json", R"({"do_lower_case": false})");
  EXPECT_FALSE(read_vocab_file(folder.path())->normalizers[0].bert.lowercase);
}

TEST(VocabFolder, MergeListEqualsTokenizerJson) {
  const JsonBuilder file = cases("gpt2.tokenizer.json");
  Folder folder;
  std::string merges = "#version: 0.2\n";
  for (const JsonBuilder& merge : file["model"]["merges"])
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
  folder.write("vocab.json", to_text(file["model"]["vocab"]));
  folder.write("merges.txt", merges);
  const auto list = load(folder.path());
  const auto json = load(data_file("gpt2.tokenizer.json"));
  for (const char* text : {"Once upon a time, 123 \n\n it's", " two spaces", "\xc3\xa9t\xc3\xa9"})
    EXPECT_EQ(list->encode(text), json->encode(text, {.parse_special = false})) << text;
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "BloomTokenizer"})");
  const auto thrown = test::thrown_by([&] { read_vocab_file(folder.path()); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::unsupported);
  EXPECT_NE(thrown->message.find("'BloomTokenizer'"), std::string::npos) << thrown->message;
}

TEST(VocabFolder, SentencePieceWithTheClassOfItsConfig) {
  Folder folder;
  folder.write("tokenizer.model", test::read_file(data_file("spm_bpe.model")));
  EXPECT_FALSE(read_vocab_file(folder.path())->add_bos);
  folder.write("config.json", R"({"model_type": "llama"})");
  EXPECT_TRUE(read_vocab_file(folder.path())->add_bos);
  folder.write("tokenizer_config.json",
               R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "legacy": true,
                   "model_max_length": 1000000000000000019884624838656,
                   "added_tokens_decoder": {"600": {"content": "<x>", "special": true}}})");
  const text::VocabSpec spec = *read_vocab_file(folder.path());
  EXPECT_FALSE(spec.add_bos);
  EXPECT_TRUE(spec.normalizers[0].sentencepiece.prefix_every_segment);
  EXPECT_EQ(spec.tokens.at(600), "<x>");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "XLMRobertaTokenizer"})");
  const auto thrown = test::thrown_by([&] { read_vocab_file(folder.path()); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::unsupported);
}

TEST(VocabFolder, AddedTokensInAFileOfTheirOwnAreRefusedNotDropped) {
  Folder folder;
  folder.write("tokenizer.model", test::read_file(data_file("spm_bpe.model")));
  folder.write("added_tokens.json", R"({"<x>": 600})");
  const auto thrown = test::thrown_by([&] { read_vocab_file(folder.path()); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::unsupported);
  EXPECT_NE(thrown->message.find("added_tokens.json: not supported"), std::string::npos)
      << thrown->message;
  folder.write("tokenizer_config.json",
               R"({"added_tokens_decoder": {"600": {"content": "<x>", "special": true}}})");
  EXPECT_EQ(read_vocab_file(folder.path())->tokens.at(600), "<x>");
}

TEST(VocabFolder, NothingToRead) {
  Folder folder;
  EXPECT_FALSE(read_vocab_file(folder.path()));
  folder.write("notes.md", "no vocabulary");
  EXPECT_FALSE(read_vocab_file(folder.path() / "notes.md"));
  EXPECT_FALSE(read_vocab_file(folder.path() / "absent"));
}

// ---- what is wrong ----

TEST(VocabTiktoken, Rejections) {
  const auto message = [](std::string_view lines) {
    return test::message_of([&] { vocab_from_tiktoken(lines, "f"); });
  };
  EXPECT_EQ(message("IQ== 0\nIg== 2\n"), "f: line 2: rank 1 expected, got 2");
  EXPECT_EQ(message("IQ= 0\n"), "f: line 1: base64 and a rank expected, got 'IQ= 0'");
  EXPECT_EQ(message("IQ== x\n"), "f: line 1: base64 and a rank expected, got 'IQ== x'");
  EXPECT_EQ(message("IQ==\n"), "f: line 1: base64 and a rank expected, got 'IQ=='");
  EXPECT_EQ(message("\n"), "f: lines of base64 and rank expected, got none");
  EXPECT_TRUE(message("IQ== 0\n").starts_with("f: 1 ranks: which expression cuts its text is not"));
}

std::string spm_model(const std::string& name) { return test::read_file(data_file(name)); }

TEST(VocabSentencePiece, EveryTruncationIsRefusedOrRead) {
  const std::string whole = spm_model("spm_unigram.model");
  for (size_t size = 0; size < whole.size(); size += 37) {
    const std::string part = whole.substr(0, size);
    const auto thrown = test::thrown_by(
        [&] { Tokenizer::build(vocab_from_sentencepiece(test::bytes_of(part), "f")); });
    if (thrown) {
      EXPECT_EQ(thrown->kind, ErrorKind::bad_input) << thrown->message;
    }
  }
}

TEST(VocabSentencePiece, Rejections) {
  const auto message = [](std::string bytes) {
    return test::message_of([&] { vocab_from_sentencepiece(test::bytes_of(bytes), "f"); });
  };
  EXPECT_EQ(message(""), "f: pieces expected, got none");
  // Field 1, 5 bytes: piece "a", type 9.
  EXPECT_EQ(message(std::string("\x0a\x05\x0a\x01") + "a\x18\x09"),
            "f: piece 0: a type of 1 to 6 expected, got 9");
  EXPECT_EQ(message(std::string("\x0a\x03\x0a\x01") + "a"),
            "f: one piece of type unknown expected, got 0");
  EXPECT_EQ(message(std::string("\x0a\x03\x0a\x01") + "a\x0a\x03\x0a\x01" + "a"),
            "f: unique pieces expected, got 'a' twice");
  // A length that reaches past the end, and one that fills ten bytes.
  EXPECT_NE(message("\x0a\x7f\x0a").find("f: "), std::string::npos);
  EXPECT_NE(message("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x01").find("f: "), std::string::npos);
}

// A charsmap whose trie leads out of the array, or whose values lead out of the replacements.
TEST(VocabSentencePiece, HostileCharsmap) {
  const auto with = [](std::string map) {
    text::VocabSpec spec;
    spec.source = "f";
    spec.model = text::TokenizerModel::unigram;
    spec.tokens = {"<unk>", "a"};
    spec.kinds = {text::TokenKind::unknown, text::TokenKind::normal};
    spec.scores = {0, -1};
    spec.unknown = 0;
    text::NormalizerStep step;
    step.kind = text::NormalizerKind::sentencepiece;
    step.content = std::move(map);
    spec.normalizers.push_back(step);
    return test::message_of([&] { Tokenizer::build(spec)->encode("a\xc3\xa9 \xff z"); });
  };
  EXPECT_EQ(with("abc"), "f: precompiled charsmap: more than 4 bytes expected, got 3");
  EXPECT_EQ(with(std::string("\xff\xff\xff\x7f", 4) + "abcdefgh"),
            "f: precompiled charsmap: a trie of 4 n bytes, fewer than 8, expected, got 2147483647");
  for (const char unit : {'\x00', '\x01', '\x61', '\xff'}) {
    std::string map("\x40\0\0\0", 4);
    map += std::string(64, unit) + std::string("x\0", 2);
    EXPECT_EQ(with(map), "(nothing thrown)");
  }
}

}  // namespace
}  // namespace bittern::format
