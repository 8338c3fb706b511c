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
  bool json = false, quiet = false;
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
  flags.toggle({"-j,--json", "", "a switch"}, &parsed.json);
  flags.toggle({"-q,--quiet", "", "another"}, &parsed.quiet);
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
  EXPECT_EQ(parse({"m", "-n=5"}).count, 5);
  EXPECT_EQ(parse({"m", "-f=x"}).file, "x");
  EXPECT_EQ(parse({"m", "-fa=b"}).file, "a=b");
  EXPECT_EQ(parse({"m", "-jqn5"}).count, 5);
  EXPECT_TRUE(parse({"m", "-jq"}).json);
  EXPECT_TRUE(parse({"m", "-jq"}).quiet);
  EXPECT_TRUE(parse({"-qh"}).wants_help);
  EXPECT_EQ(parse({"m", "--max-tokens=8"}).count, 8);
  // Values that look like something else.
  EXPECT_EQ(parse({"m", "--stop=", "p"}).stops, std::vector<std::string>{""});
  EXPECT_EQ(parse({"m", "--stop=", "p"}).prompt, "p");
  EXPECT_EQ(parse({"m", "--stop", "--", "p"}).stops, std::vector<std::string>{"--"});
  EXPECT_EQ(parse({"m", "--stop=--json"}).stops, std::vector<std::string>{"--json"});
  EXPECT_EQ(parse({"m", "--stop", "--jsn"}).stops, std::vector<std::string>{"--jsn"});
  EXPECT_EQ(parse({"m", "--stop", "[a,b]"}).stops, std::vector<std::string>{"[a,b]"});
  EXPECT_EQ(parse({"m", "-f", "-x"}).file, "-x");
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
  EXPECT_EQ(complaint({"m", "--max-tokns", "3"}),
            "try: unknown flag --max-tokns; did you mean --max-tokens?");
  EXPECT_EQ(complaint({"m", "--jsn"}), "try: unknown flag --jsn; did you mean --json?");
  EXPECT_EQ(complaint({"m", "--jsn=yes"}), "try: unknown flag --jsn; did you mean --json?");
  EXPECT_EQ(complaint({"m", "--quantum"}), "try: unknown flag --quantum; see: bittern help try");
  EXPECT_EQ(complaint({"m", "-p", "hello"}),
            "try: unknown flag -p; the prompt is an argument: bittern run MODEL \"text\"");
  EXPECT_EQ(complaint({"m", "--ctx-size", "9"}), "try: unknown flag --ctx-size; use --context");
  EXPECT_EQ(complaint({"m", "-x3"}), "try: unknown flag -x3; see: bittern help try");
  EXPECT_EQ(complaint({"m", "-n", "x"}), "try: --max-tokens: integer expected, got \"x\"");
  EXPECT_EQ(complaint({"m", "-n", "3.5"}), "try: --max-tokens: integer expected, got \"3.5\"");
  EXPECT_EQ(complaint({"m", "-n", "101"}), "try: --max-tokens: -1 to 100 expected, got 101");
  EXPECT_EQ(complaint({"m", "-n", "99999999999999999999"}),
            "try: --max-tokens: -1 to 100 expected, got 99999999999999999999");
  EXPECT_EQ(complaint({"m", "-n", "-2"}), "try: --max-tokens: -1 to 100 expected, got -2");
  EXPECT_EQ(complaint({"m", "-n", ""}), "try: --max-tokens: integer expected, got \"\"");
  EXPECT_EQ(complaint({"m", "-n", "-"}), "try: --max-tokens: integer expected, got \"-\"");
  EXPECT_EQ(complaint({"m", "--top-p", "half"}), "try: --top-p: number expected, got \"half\"");
  EXPECT_EQ(complaint({"m", "--top-p", "nan"}), "try: --top-p: number expected, got \"nan\"");
  EXPECT_EQ(complaint({"m", "--top-p", "1.0000001"}),
            "try: --top-p: 0 to 1 expected, got 1.0000001");
  EXPECT_EQ(complaint({"m", "--top-p", "-inf"}), "try: --top-p: 0 to 1 expected, got -inf");
  EXPECT_EQ(complaint({"m", "--kv-type", "f8"}),
            "try: --kv-type: one of f32, f16 expected, got \"f8\"");
  // Of the words of several flags the last one counts, and it alone is looked at.
  EXPECT_EQ(complaint({"m", "-n", "x", "-n", "3"}), "");
  EXPECT_EQ(complaint({"m", "-n", "3", "-n", "x"}),
            "try: --max-tokens: integer expected, got \"x\"");
}

TEST(Flags, ComplainsOfAMissingValue) {
  EXPECT_EQ(complaint({"m", "--max-tokens"}), "try: --max-tokens: a value expected, got none");
  EXPECT_EQ(complaint({"m", "-n"}), "try: --max-tokens: a value expected, got none");
  EXPECT_EQ(complaint({"m", "-jn"}), "try: --max-tokens: a value expected, got none");
  EXPECT_EQ(complaint({"m", "-n", "5", "-n"}), "try: --max-tokens: a value expected, got none");
  EXPECT_EQ(complaint({"m", "--stop", "--json"}),
            "try: --stop: a value expected, got the flag --json");
  EXPECT_EQ(complaint({"m", "-n", "--top-p=1"}),
            "try: --max-tokens: a value expected, got the flag --top-p=1");
  // The first of several, and an unknown flag before any.
  EXPECT_EQ(complaint({"m", "-f", "-q", "--json=1", "-n"}),
            "try: -f: a value expected, got the flag -q");
  EXPECT_EQ(complaint({"m", "--quantum", "-n"}),
            "try: unknown flag --quantum; see: bittern help try");
}

TEST(Flags, ComplainsOfAValueForASwitch) {
  for (const char* value : {"no", "true", "1", ""})
    EXPECT_EQ(complaint({"m", std::string("--json=") + value}),
              std::string("try: --json: takes no value, got \"") + value + "\"");
  EXPECT_EQ(complaint({"m", "-q=3"}), "try: --quiet: takes no value, got \"3\"");
  EXPECT_EQ(complaint({"m", "-jq=3"}), "try: --quiet: takes no value, got \"3\"");
  EXPECT_EQ(complaint({"m", "-q3"}), "try: --quiet: takes no value, got \"3\"");
  EXPECT_EQ(complaint({"m", "p", "--json", "yes"}), "try: --json: takes no value, got \"yes\"");
}

TEST(Flags, ComplainsOfArguments) {
  EXPECT_EQ(complaint({}), "try: MODEL is missing; see: bittern help try");
  EXPECT_EQ(complaint({"--json"}), "try: MODEL is missing; see: bittern help try");
  EXPECT_EQ(complaint({"m", "a", "b"}),
            "try: unexpected argument \"b\" after MODEL and PROMPT (a text with spaces needs "
            "quotes)");
  EXPECT_EQ(complaint({"m", "a", "--", "-b"}),
            "try: unexpected argument \"-b\" after MODEL and PROMPT (a text with spaces needs "
            "quotes)");
  Flags bare("bare", "A verb without arguments.");
  EXPECT_EQ(test::message_of([&] { bare.parse(std::vector<std::string>{"x"}); }),
            "bare: no argument expected, got \"x\"");

  Flags many("many", "A verb of any number of arguments.");
  std::optional<std::string> first;
  std::vector<std::string> rest;
  many.argument("FIRST", &first, true, "one");
  many.arguments("REST", &rest, "any number");
  EXPECT_TRUE(many.parse(std::vector<std::string>{"a"}));
  EXPECT_EQ(rest, std::vector<std::string>{});
  EXPECT_TRUE(many.parse(std::vector<std::string>{"a", "[b,c]", "", "--", "-h"}));
  EXPECT_EQ(first, "a");
  EXPECT_EQ(rest, (std::vector<std::string>{"[b,c]", "", "-h"}));
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
