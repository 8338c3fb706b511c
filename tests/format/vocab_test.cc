// Vocabularies of the tokenizers package, through tokenizer.json and through GGUF.
#include "format/vocab.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/json_write.h"
#include "format/format_support.h"
#include "text/tokenizer.h"
#include "throws.h"

namespace bittern::format {
namespace {

using text::TokenKind;
using text::VocabSpec;

JsonBuilder golden_tokenizer(const std::string& name) {
  return JsonBuilder::parse(test::read_golden(fmt::format("tokenizer_{}.json", name)));
}

std::unique_ptr<json::Document> document(const JsonBuilder& value, std::string name = "t.json") {
  return json::Document::parse(to_text(value), std::move(name));
}

VocabSpec read(const JsonBuilder& tokenizer) {
  return vocab_from_tokenizer_json(*document(tokenizer));
}

TEST(VocabHf, TokensById) {
  const auto expected = JsonBuilder::parse(test::read_golden("tokenizers_expected.json"));
  for (const char* name : {"gpt2", "llama3", "qwen2", "smollm"}) {
    const VocabSpec spec = read(golden_tokenizer(name));
    EXPECT_EQ(spec.tokens, expected[name]["tokens"].get<std::vector<std::string>>()) << name;
    EXPECT_EQ(spec.kinds.size(), spec.tokens.size());
    EXPECT_FALSE(spec.merges.empty());
  }
}

TEST(VocabHf, SplitsAndNormalizers) {
  const VocabSpec gpt2 = read(golden_tokenizer("gpt2"));
  EXPECT_EQ(gpt2.split, "gpt-2");
  EXPECT_TRUE(gpt2.add_prefix_space);
  EXPECT_FALSE(gpt2.nfc);
  const VocabSpec llama3 = read(golden_tokenizer("llama3"));
  EXPECT_EQ(llama3.split, "llama-bpe");
  EXPECT_FALSE(llama3.add_prefix_space);
  EXPECT_TRUE(llama3.ignore_merges);
  const VocabSpec qwen2 = read(golden_tokenizer("qwen2"));
  EXPECT_EQ(qwen2.split, "qwen2");
  EXPECT_TRUE(qwen2.nfc);
  EXPECT_FALSE(qwen2.ignore_merges);
  EXPECT_EQ(read(golden_tokenizer("smollm")).split, "smollm");
  JsonBuilder silent = golden_tokenizer("gpt2");
  silent["pre_tokenizer"].erase("use_regex");
  silent["pre_tokenizer"].erase("add_prefix_space");
  EXPECT_EQ(read(silent).split, "gpt-2");
  EXPECT_TRUE(read(silent).add_prefix_space);
}

TEST(VocabHf, AddedTokens) {
  const VocabSpec llama3 = read(golden_tokenizer("llama3"));
  ASSERT_EQ(llama3.added.size(), 2u);
  EXPECT_EQ(llama3.added[0].content, "<|begin_of_text|>");
  EXPECT_TRUE(llama3.added[0].special);
  EXPECT_FALSE(llama3.added[0].normalized);
  EXPECT_EQ(llama3.tokens[static_cast<size_t>(llama3.added[1].id)], "<|eot_id|>");
  EXPECT_EQ(llama3.kinds[static_cast<size_t>(llama3.added[1].id)], TokenKind::control);
  const VocabSpec qwen2 = read(golden_tokenizer("qwen2"));
  ASSERT_EQ(qwen2.added.size(), 2u);
  EXPECT_FALSE(qwen2.added[1].special);
  EXPECT_TRUE(qwen2.added[1].normalized);
  EXPECT_EQ(qwen2.kinds[static_cast<size_t>(qwen2.added[1].id)], TokenKind::user_defined);
}

// The id member of an added token is advisory in the reference.
TEST(VocabHf, AddedTokensGetTheNextFreeId) {
  JsonBuilder tokenizer = golden_tokenizer("gpt2");
  const auto count = static_cast<int32_t>(tokenizer["model"]["vocab"].size());
  tokenizer["added_tokens"] = {{{"id", 7}, {"content", "<a>"}, {"special", true}},
                               {{"id", 8}, {"content", "e"}, {"special", false}}};
  const VocabSpec spec = read(tokenizer);
  EXPECT_EQ(spec.added[0].id, count);
  EXPECT_FALSE(spec.added[0].normalized);  // the default is !special
  EXPECT_TRUE(spec.added[1].normalized);
  EXPECT_EQ(spec.tokens[static_cast<size_t>(spec.added[1].id)], "e");
  EXPECT_LT(spec.added[1].id, count);
}

TEST(VocabHf, ThePostProcessorDecidesOnBos) {
  const VocabSpec llama3 = read(golden_tokenizer("llama3"));
  EXPECT_TRUE(llama3.add_bos);
  EXPECT_FALSE(llama3.add_eos);
  EXPECT_EQ(llama3.tokens[static_cast<size_t>(llama3.bos)], "<|begin_of_text|>");
  const auto no_bos = document({{"add_bos_token", false}});
  EXPECT_TRUE(vocab_from_tokenizer_json(*document(golden_tokenizer("llama3")),
                                        {.tokenizer_config = no_bos.get()})
                  .add_bos);
  JsonBuilder tokenizer = golden_tokenizer("llama3");
  JsonBuilder& single = tokenizer["post_processor"]["processors"][1]["single"];
  std::swap(single[0], single[1]);
  const VocabSpec behind = read(tokenizer);
  EXPECT_FALSE(behind.add_bos);
  EXPECT_TRUE(behind.add_eos);
  EXPECT_EQ(behind.tokens[static_cast<size_t>(behind.eos)], "<|begin_of_text|>");
  EXPECT_FALSE(read(golden_tokenizer("smollm")).add_bos);
}

TEST(VocabHf, EndOfGenerationIsTheGenerationConfigs) {
  const auto tokenizer = document(golden_tokenizer("llama3"));
  const auto names = document({{"eos_token", "<|eot_id|>"}, {"pad_token", {{"content", "a"}}}});
  const auto config = document({{"eos_token_id", 5}});
  const auto nested = document({{"text_config", {{"eos_token_id", {7, 8}}}}});
  const auto generation = document({{"eos_token_id", {3, 4, 100000}}});
  const auto ids = [&](const json::Document* c, const json::Document* g) {
    return vocab_from_tokenizer_json(*tokenizer, {names.get(), c, g}).end_of_generation;
  };
  EXPECT_EQ(ids(config.get(), generation.get()), (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(ids(config.get(), nullptr), std::vector<int32_t>{5});
  EXPECT_EQ(ids(nested.get(), nullptr), (std::vector<int32_t>{7, 8}));
  const VocabSpec spec = vocab_from_tokenizer_json(*tokenizer, {.tokenizer_config = names.get()});
  EXPECT_EQ(spec.tokens[static_cast<size_t>(spec.eos)], "<|eot_id|>");
  EXPECT_EQ(spec.end_of_generation, std::vector<int32_t>{spec.eos});
  EXPECT_EQ(spec.tokens[static_cast<size_t>(spec.padding)], "a");
}

TEST(VocabHf, LegacyMergesAreStrings) {
  JsonBuilder tokenizer = golden_tokenizer("gpt2");
  const auto pairs = read(tokenizer).merges;
  JsonBuilder strings = JsonBuilder::array();
  for (const auto& [left, right] : pairs) strings.push_back(fmt::format("{} {}", left, right));
  tokenizer["model"]["merges"] = strings;
  EXPECT_EQ(read(tokenizer).merges, pairs);
}

struct Case {
  std::string path;  // JSON pointer to what is replaced
  JsonBuilder value;
  std::string message;
  ErrorKind kind = ErrorKind::bad_input;
};

void check_json(const std::string& golden, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    JsonBuilder tokenizer = golden_tokenizer(golden);
    tokenizer[JsonBuilder::json_pointer(c.path)] = c.value;
    const auto thrown = test::thrown_by([&] { read(tokenizer); });
    EXPECT_EQ(thrown ? thrown->message : "(nothing thrown)", "t.json: " + c.message);
    if (thrown) {
      EXPECT_EQ(thrown->kind, c.kind) << c.message;
    }
  }
}

TEST(VocabHf, WhatIsNotSupportedIsNamed) {
  const auto kind = ErrorKind::unsupported;
  check_json(
      "llama3",
      {{"/version", "2.0", "version: 1.0 expected, got '2.0'", kind},
       {"/model/type", "Sing", "model.type: 'Sing' is not supported yet", kind},
       {"/model/dropout", 0.1, "model.dropout: random merging is not supported yet", kind},
       {"/post_processor",
        {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, {{"type", "Sing"}}}}},
        "post_processor: 'Sing' is not supported yet",
        kind}});
}

// What the scanners do not know runs as stages, with the same ids.
TEST(VocabHf, StagesWithoutAScanner) {
  const std::string regex = "/pre_tokenizer/pretokenizers/0/pattern/Regex";
  JsonBuilder tokenizer = golden_tokenizer("llama3");
  const VocabSpec known = read(tokenizer);
  EXPECT_EQ(known.model, text::TokenizerModel::byte_level_bpe);
  tokenizer[JsonBuilder::json_pointer(regex)] =
      "(?:" + tokenizer[JsonBuilder::json_pointer(regex)].get<std::string>() + ")";
  const VocabSpec spec = read(tokenizer);
  EXPECT_EQ(spec.model, text::TokenizerModel::bpe);
  EXPECT_EQ(spec.pre_tokenizers.size(), 2u);
  const auto scanner = text::Tokenizer::build(known), stages = text::Tokenizer::build(spec);
  for (const char* text : {"it's 12345 \n\n  caf\xc3\xa9!?", "<|eot_id|>x", ""}) {
    EXPECT_EQ(stages->encode(text), scanner->encode(text)) << text;
    EXPECT_EQ(stages->decode(stages->encode(text)), scanner->decode(scanner->encode(text)));
  }
  for (const auto& [path, value] : std::vector<std::pair<std::string, JsonBuilder>>{
           {"/normalizer", {{"type", "NFKC"}}},
           {"/pre_tokenizer/pretokenizers/0/behavior", "Removed"},
           {"/model/byte_fallback", true}}) {
    JsonBuilder changed = golden_tokenizer("llama3");
    changed[JsonBuilder::json_pointer(path)] = value;
    EXPECT_EQ(read(changed).model, text::TokenizerModel::bpe) << path;
  }
}

TEST(VocabHf, WhatIsWrongIsNamed) {
  const JsonBuilder nothing;
  const std::string ids = "/post_processor/processors/1/special_tokens/<|begin_of_text|>/ids";
  check_json(
      "llama3",
      {{"/model/vocab", nothing, "model.vocab: object expected, got null"},
       {"/model/vocab", 3, "model.vocab: object expected, got 3"},
       {"/model/vocab/a", "x", "model.vocab 'a': integer expected, got string"},
       {"/model/vocab/a", -1,
        "model.vocab 'a': an id of 0 to 1583 expected among 280 tokens, got -1"},
       {"/model/vocab/a", 1584,
        "model.vocab 'a': an id of 0 to 1583 expected among 280 tokens, got 1584"},
       {"/model/vocab/a", 2000000000,
        "model.vocab 'a': an id of 0 to 1583 expected among 280 tokens, got 2000000000"},
       {"/model/merges", nothing, "model.merges: array expected, got null"},
       {"/model/merges/0", "a",
        "model.merges: two tokens separated by one space expected, got 'a'"},
       {"/model/merges/0", "a b c",
        "model.merges: two tokens separated by one space expected, got 'a b c'"},
       {"/model/merges/0", {"a", "b", "c"}, "model.merges: pairs of tokens expected, got 3 tokens"},
       {"/model/unk_token", "<?>",
        "model.unk_token: a token of the vocabulary expected, got '<?>'"},
       {"/added_tokens/1/content", "<|begin_of_text|>",
        "added_tokens: unique contents expected, got '<|begin_of_text|>' twice"},
       {"/added_tokens/0/content", nothing, "added_tokens: content expected, got none"},
       {"/added_tokens/0/special", 1, "special: boolean expected, got 1"},
       {ids + "/0", 282, "post_processor.special_tokens: an id of 0 to 281 expected, got 282"},
       {"/post_processor/processors/1/special_tokens", nothing,
        "post_processor.special_tokens: ids of '<|begin_of_text|>' expected, got none"},
       {"/post_processor/processors/1/single/0",
        {{"x", 1}},
        "post_processor.single: Sequence or SpecialToken expected, got neither"}});
  JsonBuilder tokenizer = golden_tokenizer("gpt2");
  tokenizer["model"]["vocab"]["b"] = tokenizer["model"]["vocab"]["a"];
  EXPECT_TRUE(test::message_of([&] {
                read(tokenizer);
              }).starts_with("t.json: model.vocab: unique ids expected, got "));
}

TEST(VocabHf, HolesAreUnusedTokens) {
  JsonBuilder tokenizer = golden_tokenizer("gpt2");
  tokenizer["model"]["vocab"]["new"] = 300;
  const VocabSpec spec = read(tokenizer);
  ASSERT_EQ(spec.tokens.size(), 301u);
  EXPECT_EQ(spec.kinds[299], TokenKind::unused);
  EXPECT_EQ(spec.tokens[299], "");
  EXPECT_EQ(spec.kinds[300], TokenKind::normal);
}

// Gemma 3's text models have no row for the last token of their vocabulary.
TEST(VocabHf, AddedTokensWithoutARow) {
  VocabSpec spec = read(golden_tokenizer("llama3"));
  const auto count = static_cast<int64_t>(spec.tokens.size());  // the last two are added
  drop_tokens_without_rows(spec, count);
  EXPECT_EQ(static_cast<int64_t>(spec.tokens.size()), count);
  drop_tokens_without_rows(spec, count - 1);
  EXPECT_EQ(static_cast<int64_t>(spec.tokens.size()), count - 1);
  EXPECT_EQ(spec.added.size(), 1u);
  drop_tokens_without_rows(spec, 10);  // stops at BOS, which the template adds
  EXPECT_EQ(static_cast<int64_t>(spec.tokens.size()), count - 1);
  EXPECT_NO_THROW(text::Tokenizer::build(spec));
}

// ---- GGUF ----

Metadata golden_keys() { return open_checkpoint(test::golden("vocab_llama3.gguf")).metadata; }

TEST(VocabGguf, EqualsTokenizerJson) {
  const VocabSpec gguf = read_vocab(open_checkpoint(test::golden("vocab_llama3.gguf")));
  const VocabSpec hf = read(golden_tokenizer("llama3"));
  EXPECT_EQ(gguf.tokens, hf.tokens);
  EXPECT_EQ(gguf.kinds, hf.kinds);
  EXPECT_EQ(gguf.merges, hf.merges);
  EXPECT_EQ(gguf.split, hf.split);
  EXPECT_EQ(gguf.bos, hf.bos);
  EXPECT_TRUE(gguf.add_bos);  // the default of its pre-tokeniser
  EXPECT_TRUE(gguf.ignore_merges);
  ASSERT_EQ(gguf.added.size(), hf.added.size());
  for (size_t i = 0; i < gguf.added.size(); ++i) {
    EXPECT_EQ(gguf.added[i].id, hf.added[i].id);
    EXPECT_EQ(gguf.added[i].content, hf.added[i].content);
    EXPECT_EQ(gguf.added[i].special, hf.added[i].special);
  }
  EXPECT_EQ(gguf.end_of_generation, std::vector<int32_t>{gguf.eos});
}

TEST(VocabGguf, KeysWinOverDefaults) {
  Metadata keys = golden_keys();
  keys.set("tokenizer.ggml.add_bos_token", value_of(false));
  keys.set("tokenizer.ggml.add_eos_token", value_of(true));
  keys.set("tokenizer.ggml.padding_token_id", value_of(uint32_t{5}));
  keys.set("tokenizer.ggml.unknown_token_id", value_of(~uint32_t{0}));
  keys.set("tokenizer.ggml.eot_token_id", value_of(int32_t{9}));
  keys.set("tokenizer.ggml.fim_pad_token_id", value_of(uint32_t{3}));
  const VocabSpec spec = vocab_from_gguf(keys);
  EXPECT_FALSE(spec.add_bos);
  EXPECT_TRUE(spec.add_eos);
  EXPECT_EQ(spec.padding, 5);
  EXPECT_EQ(spec.unknown, -1);
  EXPECT_EQ(spec.end_of_generation, (std::vector<int32_t>{3, 9, spec.eos}));
}

TEST(VocabGguf, TokensThatEndByTheirText) {
  Metadata keys = golden_keys();
  auto tokens = *keys.get_strings("tokenizer.ggml.tokens");
  tokens[2] = "<|im_end|>";
  keys.set("tokenizer.ggml.tokens", value_of(tokens));
  const VocabSpec spec = vocab_from_gguf(keys);
  EXPECT_EQ(spec.end_of_generation, (std::vector<int32_t>{2, spec.eos}));
}

// The first BitNet 2B-4T uploads have no tokenizer.ggml.pre.
TEST(VocabGguf, UnlabelledBitnetIsLlama3) {
  Metadata keys;
  keys.file_name = std::string("f");
  keys.set("general.architecture", value_of("bitnet-25"));
  keys.set("tokenizer.ggml.model", value_of("gpt2"));
  keys.set("tokenizer.ggml.tokens", value_of(std::vector<std::string>(128256, "t")));
  keys.set("tokenizer.ggml.merges", value_of(std::vector<std::string>{}));
  const VocabSpec spec = vocab_from_gguf(keys);
  EXPECT_EQ(spec.split, "llama-bpe");
  EXPECT_TRUE(spec.ignore_merges);
  EXPECT_TRUE(spec.add_bos);
  keys.set("tokenizer.ggml.tokens", value_of(std::vector<std::string>(128255, "t")));
  EXPECT_TRUE(test::message_of([&] { vocab_from_gguf(keys); })
                  .starts_with("f: tokenizer.ggml.pre: missing or 'default', which does not say "
                               "how text is split; supported: "));
}

TEST(VocabGguf, Rejections) {
  const auto message = [](const std::function<void(Metadata&)>& change) {
    Metadata keys = golden_keys();
    keys.file_name = std::string("f");
    change(keys);
    return test::message_of([&] { vocab_from_gguf(keys); });
  };
  const auto with = [&](const std::string& key, MetadataValue value) {
    return message([&](Metadata& keys) { keys.set(fmt::format("tokenizer.ggml.{}", key), value); });
  };
  using Strings = std::vector<std::string>;
  EXPECT_EQ(test::message_of([] { vocab_from_gguf({}); }),
            ": tokenizer.ggml.model: expected, got none");
  EXPECT_EQ(with("model", value_of("rwkv")),
            "f: tokenizer.ggml.model: vocabularies of kind 'rwkv' are not supported; supported: "
            "gpt2, llama, bert, t5, gemma4");
  EXPECT_EQ(with("model", value_of("llama")),
            "f: tokenizer.ggml.scores: one for each of 282 tokens expected, got 0");
  EXPECT_TRUE(with("pre", value_of("sing"))
                  .starts_with("f: tokenizer.ggml.pre: 'sing' is not supported; supported: "));
  EXPECT_EQ(with("tokens", value_of(Strings{})),
            "f: tokenizer.ggml.tokens: a list of tokens expected, got none");
  EXPECT_EQ(with("tokens", value_of(Strings{"a"})),
            "f: tokenizer.ggml.token_type: 1 elements expected as in tokenizer.ggml.tokens, got "
            "282");
  EXPECT_EQ(with("token_type", value_of(std::vector<int32_t>(282, 7))),
            "f: tokenizer.ggml.token_type: 1 to 6 expected at 0, got 7");
  EXPECT_EQ(with("merges", value_of(Strings{"a b", "ab"})),
            "f: tokenizer.ggml.merges: two tokens separated by a space expected, got 'ab'");
  EXPECT_EQ(with("merges", value_of(Strings{" b"})),
            "f: tokenizer.ggml.merges: two tokens separated by a space expected, got ' b'");
  EXPECT_EQ(with("merges", value_of(Strings{"a "})),
            "f: tokenizer.ggml.merges: two tokens separated by a space expected, got 'a '");
  EXPECT_EQ(with("bos_token_id", value_of(uint32_t{282})),
            "f: tokenizer.ggml.bos_token_id: 0 to 281 expected, got 282");
}

TEST(Vocab, AFolderWithoutTokenizerSaysSo) {
  EXPECT_EQ(test::message_of([] { read_vocab(open_checkpoint(test::golden("hf_single"))); }),
            test::golden("hf_single").string() +
                ": tokenizer.json, tokenizer.model, tekken.json, *.tiktoken, vocab.json with "
                "merges.txt, or vocab.txt expected beside the weights, got none");
}

}  // namespace
}  // namespace bittern::format
