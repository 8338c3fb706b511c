// Declaring and parsing flags, without the program around them.
#include "cli/flags.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cli/sampling_flags.h"
#include "throws.h"

namespace bittern::cli {
namespace {

struct Parsed {
  std::optional<std::string> model, prompt, kind, file, json_file;
  std::vector<std::string> stops;
  std::optional<int64_t> count;
  std::optional<double> share;
  bool json = false;
  bool wants_help = false;
};

Parsed parse(const std::vector<std::string>& words) {
  Parsed parsed;
  Flags flags("try", "A verb to try.");
  flags.argument("MODEL", &parsed.model, true, "a model");
  flags.argument("PROMPT", &parsed.prompt, false, "a prompt");
  flags.integer({"-n,--max-tokens", "N", "a count"}, &parsed.count, -1, 100);
  flags.number({"--top-p", "P", "a share"}, &parsed.share, 0.0, 1.0);
  flags.texts({"--stop", "TEXT", "texts"}, &parsed.stops);
  flags.text({"-f", "FILE", "a file"}, &parsed.file);
  flags.text({"-jf,--json-file", "FILE", "another"}, &parsed.json_file);
  flags.choice({"--kv-type", "TYPE", "a choice"}, &parsed.kind, {"f32", "f16"});
  flags.toggle({"--json", "", "a switch"}, &parsed.json);
  parsed.wants_help = !flags.parse(words);
  return parsed;
}

std::string complaint(const std::vector<std::string>& words) {
  const auto thrown = test::thrown_by([&] { parse(words); });
  if (!thrown) return "";
  EXPECT_EQ(thrown->kind, ErrorKind::usage);
  return thrown->message;
}

TEST(Flags, ReadsEveryKindOfFlagInEveryForm) {
  const Parsed parsed =
      parse({"m.gguf", "--stop", "a", "-n", "7", "--stop=b", "hello there", "--top-p=0.5", "--json",
             "--kv-type", "f32", "-f", "x", "--stop", ""});
  EXPECT_EQ(parsed.model, "m.gguf");
  EXPECT_EQ(parsed.prompt, "hello there");
  EXPECT_EQ(parsed.count, 7);
  EXPECT_EQ(parsed.share, 0.5);
  EXPECT_EQ(parsed.stops, (std::vector<std::string>{"a", "b", ""}));
  EXPECT_EQ(parsed.kind, "f32");
  EXPECT_EQ(parsed.file, "x");
  EXPECT_TRUE(parsed.json);

  // Two letters behind one dash, as llama.cpp has them.
  EXPECT_EQ(parse({"m", "-jf", "x"}).json_file, "x");
  EXPECT_EQ(parse({"m", "-jf=x"}).json_file, "x");
  EXPECT_EQ(parse({"m", "--json-file", "x"}).json_file, "x");
  EXPECT_EQ(parse({"m", "--", "-jf"}).prompt, "-jf");
  EXPECT_EQ(parse({"m", "-f", "x"}).json_file, std::nullopt);

  EXPECT_EQ(parse({"m", "-n", "-1"}).count, -1);
  EXPECT_EQ(parse({"m", "-n5", "-n6"}).count, 6);  // the last one counts
  EXPECT_EQ(parse({"m", "--max-tokens=8"}).count, 8);
  EXPECT_EQ(parse({"m", "-"}).prompt, "-");
  EXPECT_EQ(parse({"m", ""}).prompt, "");
  EXPECT_EQ(parse({"m", "--", "--json"}).prompt, "--json");
  EXPECT_FALSE(parse({"m", "--", "--json"}).json);
  EXPECT_EQ(parse({"m", "--", "--help"}).prompt, "--help");
  EXPECT_EQ(parse({"m"}).prompt, std::nullopt);
  EXPECT_TRUE(parse({"--help"}).wants_help);
  EXPECT_TRUE(parse({"m", "-h", "--wrong"}).wants_help);
}

TEST(Flags, ComplainsInOneLineThatNamesTheFlag) {
  EXPECT_EQ(complaint({}), "try: MODEL is missing; see: bittern help try");
  EXPECT_EQ(complaint({"m", "--max-tokns", "3"}),
            "try: unknown flag --max-tokns; did you mean --max-tokens?");
  EXPECT_EQ(complaint({"m", "--jsn"}), "try: unknown flag --jsn; did you mean --json?");
  EXPECT_EQ(complaint({"m", "--jsn=yes"}), "try: unknown flag --jsn; did you mean --json?");
  EXPECT_EQ(complaint({"m", "--quantum"}), "try: unknown flag --quantum; see: bittern help try");
  EXPECT_EQ(complaint({"m", "-p", "hello"}),
            "try: unknown flag -p; the prompt is an argument: bittern run MODEL \"text\"");
  EXPECT_EQ(complaint({"m", "--ctx-size", "9"}), "try: unknown flag --ctx-size; use --context");
  EXPECT_EQ(complaint({"m", "a", "b"}),
            "try: unexpected argument \"b\" (a text with spaces needs quotes)");
  EXPECT_EQ(complaint({"m", "-n", "x"}), "try: --max-tokens: integer expected, got \"x\"");
  EXPECT_EQ(complaint({"m", "-n", "3.5"}), "try: --max-tokens: integer expected, got \"3.5\"");
  EXPECT_EQ(complaint({"m", "-n", "101"}), "try: --max-tokens: -1 to 100 expected, got 101");
  EXPECT_EQ(complaint({"m", "-n", "99999999999999999999"}),
            "try: --max-tokens: integer expected, got \"99999999999999999999\"");
  EXPECT_EQ(complaint({"m", "--top-p", "half"}), "try: --top-p: number expected, got \"half\"");
  EXPECT_EQ(complaint({"m", "--top-p", "nan"}), "try: --top-p: number expected, got \"nan\"");
  EXPECT_EQ(complaint({"m", "--top-p", "1.5"}), "try: --top-p: 0 to 1 expected, got 1.5");
  EXPECT_EQ(complaint({"m", "--kv-type", "f8"}),
            "try: --kv-type: one of f32, f16 expected, got \"f8\"");
  EXPECT_EQ(complaint({"m", "--json=no"}), "try: --json: takes no value, got \"no\"");
  EXPECT_EQ(complaint({"m", "--max-tokens"}), "try: --max-tokens: a value expected, got none");
}

TEST(Flags, NumbersAreWholeWordsOnly) {
  EXPECT_EQ(parse_integer("12"), 12);
  EXPECT_EQ(parse_integer("+12"), 12);
  EXPECT_EQ(parse_integer("-3"), -3);
  for (const char* word : {"", " 1", "1 ", "1x", "0x10", "--1", "1e3"})
    EXPECT_EQ(parse_integer(word), std::nullopt) << word;
  EXPECT_EQ(parse_number("-2.5e1"), -25.0);
  EXPECT_EQ(parse_number("-inf"), -INFINITY);
  for (const char* word : {"", "1,5", "nan", "one", "1.0f"})
    EXPECT_EQ(parse_number(word), std::nullopt) << word;
}

TEST(Flags, HelpNamesEveryFlagAndWraps) {
  Flags flags("try", "A verb to try.");
  std::optional<std::string> model, value;
  flags.argument("MODEL", &model, true, "A model.");
  flags.text({"-l,--long", "TEXT",
              "A long sentence that is broken where the column of explanations ends, here."},
             &value);
  const std::string help = flags.help();
  EXPECT_NE(help.find("bittern try MODEL [flags]"), std::string::npos) << help;
  EXPECT_NE(help.find("-l, --long TEXT"), std::string::npos) << help;
  EXPECT_NE(help.find("\n                          "), std::string::npos) << help;
  EXPECT_EQ(wrap("aa bb cc", 5, 0), "aa bb\ncc");
  EXPECT_EQ(wrap("aaa bb", 5, 0), "aaa\nbb");
  EXPECT_EQ(wrap("aa bb cc", 7, 2), "aa bb\n  cc");
  EXPECT_EQ(wrap("", 5, 0), "");
}

TEST(LogitBias, ReadsEveryForm) {
  const auto read = [](const std::string& word) {
    const engine::LogitBias bias = parse_logit_bias(word, 100);
    return std::pair(bias.token, bias.bias);
  };
  EXPECT_EQ(read("15=-2.5"), std::pair(15, -2.5f));
  EXPECT_EQ(read("15=3"), std::pair(15, 3.0f));
  EXPECT_EQ(read("15+1.5"), std::pair(15, 1.5f));
  EXPECT_EQ(read("15-2"), std::pair(15, -2.0f));
  EXPECT_EQ(read("0-inf"), std::pair(0, -INFINITY));
  for (const char* word : {"", "15", "15=", "=3", "a=3", "15=x", "15=inf", "15+inf", "15=nan"})
    EXPECT_NE(test::message_of([&] { parse_logit_bias(word, 100); }).find("ID=NUMBER expected"),
              std::string::npos)
        << word;
  EXPECT_EQ(test::message_of([&] { parse_logit_bias("100=1", 100); }),
            "--logit-bias: token id 0 to 99 expected, got 100");
}

}  // namespace
}  // namespace bittern::cli
