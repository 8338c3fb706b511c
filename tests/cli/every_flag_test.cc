// Every flag of every verb is honoured or refused: the program lists its flags (help --json), and
// each has a row here with a line that uses it and what must come of it. A flag without a row
// fails, and so does a row without a flag.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;

struct Row {
  std::string verb, flag;  // the flag's last name
  Words words;             // what follows the verb; "MODEL", "FILE", "BATCH" are replaced
  int status;
  std::string found;  // in standard output, or in standard error where refused
};

const Row kRows[] = {
    {"run", "--help", {"--help"}, 0, "Continue a prompt"},
    {"run", "--gguf-dialect", {"MODEL", "x", "--gguf-dialect", "nonsense"}, 2, "nonsense"},
    {"run", "-f", {"MODEL", "-f", "FILE", "-n", "1", "--json"}, 0, "\"prompt\": \"Hello, hello"},
    {"run", "--max-tokens", {"MODEL", "x", "--max-tokens", "3", "--json"}, 0, "\"text_tokens\": 3"},
    {"run",
     "--temperature",
     {"MODEL", "x", "-n", "1", "--temperature", "0.25", "--json"},
     0,
     "\"temperature\": 0.25"},
    {"run", "--top-k", {"MODEL", "x", "-n", "1", "--top-k", "7", "--json"}, 0, "\"top_k\": 7"},
    {"run", "--top-p", {"MODEL", "x", "-n", "1", "--top-p", "0.5", "--json"}, 0, "\"top_p\": 0.5"},
    {"run",
     "--min-p",
     {"MODEL", "x", "-n", "1", "--min-p", "0.25", "--json"},
     0,
     "\"min_p\": 0.25"},
    {"run",
     "--repeat-penalty",
     {"MODEL", "x", "-n", "1", "--repeat-penalty", "1.5", "--json"},
     0,
     "\"repeat_penalty\": 1.5"},
    {"run",
     "--repeat-last-n",
     {"MODEL", "x", "-n", "1", "--repeat-last-n", "9", "--json"},
     0,
     "\"repeat_last_n\": 9"},
    {"run",
     "--frequency-penalty",
     {"MODEL", "x", "-n", "1", "--frequency-penalty", "-0.5", "--json"},
     0,
     "\"frequency_penalty\": -0.5"},
    {"run",
     "--presence-penalty",
     {"MODEL", "x", "-n", "1", "--presence-penalty", "2.5", "--json"},
     0,
     "\"presence_penalty\": 2.5"},
    {"run",
     "--typical-p",
     {"MODEL", "x", "-n", "1", "--typical", "0.5", "--json"},
     0,
     "\"typical_p\": 0.5"},
    {"run",
     "--top-n-sigma",
     {"MODEL", "x", "-n", "1", "--top-n-sigma", "1.5", "--json"},
     0,
     "\"top_n_sigma\": 1.5"},
    {"run",
     "--xtc-probability",
     {"MODEL", "x", "-n", "1", "--xtc-probability", "0.5", "--json"},
     0,
     "\"xtc_probability\": 0.5"},
    {"run",
     "--xtc-threshold",
     {"MODEL", "x", "-n", "1", "--xtc-threshold", "0.25", "--json"},
     0,
     "\"xtc_threshold\": 0.25"},
    {"run",
     "--dry-multiplier",
     {"MODEL", "x", "-n", "1", "--dry-multiplier", "0.75", "--json"},
     0,
     "\"dry_multiplier\": 0.75"},
    {"run",
     "--dry-base",
     {"MODEL", "x", "-n", "1", "--dry-base", "2.5", "--json"},
     0,
     "\"dry_base\": 2.5"},
    {"run",
     "--dry-allowed-length",
     {"MODEL", "x", "-n", "1", "--dry-allowed-length", "4", "--json"},
     0,
     "\"dry_allowed_length\": 4"},
    {"run",
     "--dry-penalty-last-n",
     {"MODEL", "x", "-n", "1", "--dry-penalty-last-n", "100", "--json"},
     0,
     "\"dry_penalty_last_n\": 100"},
    {"run",
     "--dry-sequence-breaker",
     {"MODEL", "x", "-n", "1", "--dry-sequence-breaker", "abc", "--json"},
     0,
     "\"dry_sequence_breakers\": [\n      \"abc\"\n    ]"},
    {"run",
     "--samplers",
     {"MODEL", "x", "-n", "1", "--samplers", "top_k;temperature", "--json"},
     0,
     "\"samplers\": [\n      \"top_k\",\n      \"temperature\"\n    ]"},
    {"run",
     "--logit-bias",
     {"MODEL", "x", "-n", "1", "--logit-bias", "12=900", "--json"},
     0,
     "\"token_ids\": [\n    12\n  ]"},
    {"run", "--seed", {"MODEL", "x", "-n", "1", "--seed", "41", "--json"}, 0, "\"seed\": 41"},
    {"run",
     "--stop",
     {"MODEL", "x", "-n", "9", "--logit-bias", "12=900", "--stop", "PIECE12", "--json"},
     0,
     "\"finish_reason\": \"stop_string\""},
    {"run",
     "--ignore-eos",
     {"MODEL", "x", "-n", "2", "--logit-bias", "0=900", "--ignore-eos", "--json"},
     0,
     "\"finish_reason\": \"max_tokens\""},
    {"run",
     "--context",
     {"MODEL", "x", "-n", "1", "--context", "77", "--json"},
     0,
     "\"context\": 77"},
    {"run",
     "--kv-type",
     {"MODEL", "x", "-n", "1", "--kv-type", "int8", "--json"},
     0,
     "\"kv_type\": \"int8\""},
    {"run", "--activations", {"MODEL", "x", "-n", "1", "--activations", "f16"}, 2, "native"},
    {"run", "--threads", {"MODEL", "x", "-n", "1", "--threads", "3", "--json"}, 0, "3 threads"},
    {"run", "--cache", {"MODEL", "x", "-n", "1", "--cache", "off", "--json"}, 0, ": \"off\""},
    {"run", "--head", {"MODEL", "x", "-n", "1", "--head", "half"}, 2, "coarse"},
    {"run",
     "--min-tokens",
     {"MODEL", "x", "-n", "9", "--min-tokens", "2", "--logit-bias", "0=900", "--json"},
     0,
     "\"text_tokens\": 3"},
    {"run",
     "--num-choices",
     {"MODEL", "x", "-n", "1", "--num-choices", "2"},
     0,
     "--- choice 2 ---\n"},
    {"run",
     "--best-of",
     {"MODEL", "x", "-n", "1", "--best-of", "3", "--json"},
     0,
     "\"text_tokens\": 3"},
    {"run", "--json-schema", {"MODEL", "x", "-j", "{\"const\": 17}"}, 0, "17\n"},
    {"run", "--json-schema-file", {"MODEL", "x", "-jf", "FILE"}, 3, "not valid JSON"},
    {"run", "--json-object", {"MODEL", "x", "-n", "1", "--json-object"}, 0, "{"},
    {"run", "--regex", {"MODEL", "x", "--regex", "qq[z]"}, 0, "qqz\n"},
    {"run", "--choice", {"MODEL", "x", "--choice", "a choice"}, 0, "a choice\n"},
    {"run", "--grammar", {"MODEL", "x", "--grammar", "root ::= \"gbnf\""}, 0, "gbnf\n"},
    {"run", "--grammar-file", {"MODEL", "x", "--grammar-file", "FILE"}, 3, "GBNF grammar"},
    {"run",
     "--speculation",
     {"MODEL", "x", "-n", "1", "--speculation", "lookup", "--json"},
     0,
     "\"guessed_tokens\": 0"},
    {"run",
     "--draft-model",
     {"MODEL", "x", "-n", "9", "-md", "MODEL", "--json"},
     0,
     "\"accepted_guesses\": "},
    {"run",
     "--draft-max",
     {"MODEL", "x", "-n", "9", "-md", "MODEL", "--draft-max", "1", "--json"},
     0,
     "\"accepted_guesses\": "},
    {"run",
     "--prompt-logprobs",
     {"MODEL", "x", "-n", "0", "--prompt-logprobs", "1", "--json"},
     0,
     "\"prompt_log_probabilities\": [\n    null"},
    {"run", "--raw", {"MODEL", "x", "-n", "1", "--raw"}, 0, ""},
    {"run", "--system", {"MODEL", "x", "--system", "y"}, 2, "the model has no chat template"},
    {"run", "--chat-template", {"MODEL", "x", "--chat-template", "/none"}, 3, "/none"},
    {"run", "--template-kwargs", {"MODEL", "x", "--template-kwargs", "{}"}, 2, "--template-kwargs"},
    {"run", "--echo", {"MODEL", "Echoed", "-n", "1", "--echo"}, 0, "Echoed"},
    {"run", "--logprobs", {"MODEL", "x", "-n", "1", "--logprobs", "1", "--json"}, 0, "\"top\": ["},
    {"run", "--json", {"MODEL", "x", "-n", "1", "--json"}, 0, "\"finish_reason\""},
    {"run", "--quiet", {"MODEL", "x", "-n", "1", "--quiet"}, 0, ""},
    {"run", "--verbose", {"MODEL", "x", "-n", "1", "--verbose"}, 0, ""},

    {"show", "--help", {"--help"}, 0, "What a model is"},
    {"show", "--gguf-dialect", {"MODEL", "--gguf-dialect", "nonsense"}, 2, "nonsense"},
    {"show", "--context", {"MODEL", "--context", "100"}, 0, "memory for 100 positions"},
    {"show", "--kv-type", {"MODEL", "--kv-type", "f32"}, 0, "KV f32"},
    {"show", "--tensors", {"MODEL", "--tensors"}, 0, "blk.0.attn_q.weight"},
    {"show", "--json", {"MODEL", "--json"}, 0, "\"body_bits_per_weight\""},
    {"show", "--quiet", {"MODEL", "--quiet"}, 0, "bits per weight"},
    {"show", "--verbose", {"MODEL", "--verbose"}, 0, "bits per weight"},

    {"tokenize", "--help", {"--help"}, 0, "Text to token ids"},
    {"tokenize", "--gguf-dialect", {"MODEL", "x", "--gguf-dialect", "nonsense"}, 2, "nonsense"},
    {"tokenize", "-f", {"MODEL", "-f", "FILE", "--json"}, 0, "Hello, hello"},
    {"tokenize",
     "--no-special",
     {"MODEL", "<|endoftext|>", "--no-special", "--json"},
     0,
     "\"text\":\"<\""},
    {"tokenize", "--json", {"MODEL", "x", "--json"}, 0, "\"ids\":["},
    {"tokenize", "--quiet", {"MODEL", "x", "--quiet"}, 0, "\n"},
    {"tokenize", "--verbose", {"MODEL", "x", "--verbose"}, 0, "\n"},

    {"detokenize", "--help", {"--help"}, 0, "Token ids to text"},
    {"detokenize", "--gguf-dialect", {"MODEL", "1", "--gguf-dialect", "nonsense"}, 2, "nonsense"},
    {"detokenize",
     "--no-special",
     {"MODEL", "0", "12", "--no-special", "--json"},
     0,
     "\"text\":\"PIECE12\""},
    {"detokenize", "--json", {"MODEL", "12", "--json"}, 0, "\"ids\":[12]"},
    {"detokenize", "--quiet", {"MODEL", "12", "--quiet"}, 0, "PIECE12"},
    {"detokenize", "--verbose", {"MODEL", "12", "--verbose"}, 0, "PIECE12"},

    {"eval", "--help", {"--help"}, 0, "perplexity"},
    {"eval",
     "--gguf-dialect",
     {"MODEL", "perplexity", "FILE", "--gguf-dialect", "nonsense"},
     2,
     "nonsense"},
    {"eval", "--context", {"MODEL", "perplexity", "FILE", "--context", "16"}, 0, "of 16)"},
    {"eval",
     "--kv-type",
     {"MODEL", "perplexity", "FILE", "-c", "16", "--kv-type", "f32", "--json"},
     0,
     "\"kv_type\": \"f32\""},
    {"eval",
     "--chunks",
     {"MODEL", "perplexity", "FILE", "-c", "16", "--chunks", "1"},
     0,
     "of 1 chunks"},
    {"eval",
     "--threads",
     {"MODEL", "perplexity", "FILE", "-c", "16", "-t", "3", "--json"},
     0,
     "3 threads"},
    {"eval",
     "--activations",
     {"MODEL", "perplexity", "FILE", "-c", "16", "--activations", "f32", "--json"},
     0,
     "float/"},
    {"eval", "--cache", {"MODEL", "perplexity", "FILE", "--cache", ""}, 2, "on, off or a folder"},
    {"eval", "--json", {"MODEL", "perplexity", "FILE", "-c", "16", "--json"}, 0, "\"mean_nll\""},
    {"eval", "--quiet", {"MODEL", "perplexity", "FILE", "-c", "16", "--quiet"}, 0, "perplexity "},
    {"eval",
     "--verbose",
     {"MODEL", "perplexity", "FILE", "-c", "16", "--verbose"},
     0,
     "perplexity "},

    {"bench", "--help", {"--help"}, 0, "Measure speed"},
    {"bench", "--gguf-dialect", {"MODEL", "--gguf-dialect", "nonsense"}, 2, "nonsense"},
    {"bench", "--shape", {"--shape", "tiny", "SHORT"}, 0, "--shape tiny: random q4_0"},
    {"bench", "--codec", {"--shape", "tiny", "--codec", "q8_0", "SHORT"}, 0, "random q8_0"},
    {"bench", "--head-codec", {"--shape", "tiny", "--head-codec", "f16", "SHORT"}, 0, "head f16"},
    {"bench", "--seed", {"MODEL", "--seed", "2"}, 2, "--seed has no meaning"},
    {"bench", "--write-gguf", {"MODEL", "--write-gguf", "x"}, 2, "--write-gguf has no meaning"},
    {"bench", "--prompt", {"MODEL", "SHORT", "--csv"}, 0, "prefill,0,1,8,1,"},
    {"bench", "--generate", {"MODEL", "SHORT", "--csv"}, 0, "decode,0,2,2,1,"},
    {"bench", "--depth", {"MODEL", "SHORT", "--csv"}, 0, "decode,3,2,2,1,"},
    {"bench", "--batch", {"MODEL", "SHORT", "--csv"}, 0, "decode,3,1,2,1,"},
    {"bench", "--repetitions", {"MODEL", "SHORT", "--json"}, 0, "\"repetitions\": 1,"},
    {"bench", "--seconds", {"MODEL", "SHORT", "--seconds", "-1"}, 2, "--seconds"},
    {"bench", "--limits", {"MODEL", "SHORT", "--json"}, 0, "\"limits\": null"},
    {"bench", "--context", {"MODEL", "--prompt", "20", "--context", "16"}, 2, "the context has 16"},
    {"bench", "--kv-type", {"MODEL", "SHORT", "--kv-type", "int8"}, 0, "KV int8"},
    {"bench",
     "--activations",
     {"--shape", "tiny", "SHORT", "--activations", "f32", "--json"},
     0,
     "float/"},
    {"bench", "--threads", {"MODEL", "SHORT", "--threads", "3"}, 0, "3 threads"},
    {"bench", "--head", {"kernels", "--head", "full"}, 2, "--head has no meaning with kernels"},
    {"bench", "--cache", {"kernels", "--cache", "off"}, 2, "--cache has no meaning with kernels"},
    {"bench", "--json", {"MODEL", "SHORT", "--json"}, 0, "\"median\""},
    {"bench", "--csv", {"MODEL", "--csv", "--json"}, 2, "--json and --csv"},
    {"bench", "--svg", {"MODEL", "SHORT", "--svg", "/no/such/folder/x.svg"}, 4, "x.svg"},
    {"bench", "--quiet", {"MODEL", "SHORT", "--quiet"}, 0, "tokens/s"},
    {"bench", "--verbose", {"MODEL", "SHORT", "--verbose"}, 0, "tokens/s"},

    {"embed", "--help", {"--help"}, 0, "Texts as vectors"},
    {"embed", "--gguf-dialect", {"MODEL", "x", "--gguf-dialect", "nonsense"}, 2, "nonsense"},
    {"embed",
     "-f",
     {"MODEL", "-f", "FILE", "--pooling", "last", "--truncate", "--json"},
     0,
     "Hello, hello"},
    {"embed", "--pooling", {"MODEL", "x", "--pooling", "cls", "--json"}, 0, "\"pooling\":\"cls\""},
    {"embed",
     "--context",
     {"MODEL", "one two three four", "--pooling", "last", "--context", "2"},
     2,
     "at most 2 expected"},
    {"embed",
     "--truncate",
     {"MODEL", "one two three", "--pooling", "last", "-c", "2", "--truncate", "--json"},
     0,
     "\"tokens\":2"},
    {"embed",
     "--similarity",
     {"MODEL", "x", "x", "--pooling", "last", "--similarity"},
     0,
     "1.000000 1.000000\n1.000000 1.000000\n"},
    {"embed",
     "--threads",
     {"MODEL", "x", "--pooling", "last", "-t", "3", "--json"},
     0,
     "3 threads"},
    {"embed",
     "--activations",
     {"MODEL", "x", "--pooling", "last", "--activations", "f32", "--json"},
     0,
     "float/"},
    {"embed",
     "--cache",
     {"MODEL", "x", "--pooling", "last", "--cache", ""},
     2,
     "on, off or a folder"},
    {"embed", "--json", {"MODEL", "x", "--pooling", "last", "--json"}, 0, "\"dimensions\":"},
    {"embed", "--quiet", {"MODEL", "x", "--pooling", "last", "--quiet"}, 0, " "},
    {"embed", "--verbose", {"MODEL", "x", "--pooling", "last", "--verbose"}, 0, " "},

    {"run", "--lora", {"MODEL", "x", "--lora", "/none"}, 3, "/none"},
    {"run", "--lora-scaled", {"MODEL", "x", "--lora-scaled", "half"}, 2, "FILE:SCALE expected"},
    {"batch", "--lora", {"BATCH", "--lora", "/none"}, 3, "/none"},
    {"batch", "--lora-scaled", {"BATCH", "--lora-scaled", "half"}, 2, "FILE:SCALE expected"},
    {"batch", "--help", {"--help"}, 0, "OpenAI's batch format"},
    {"batch", "--gguf-dialect", {"BATCH", "--gguf-dialect", "nonsense"}, 2, "nonsense"},
    {"batch", "--errors", {"BATCH", "--errors", "FILE"}, 2, "text.txt: is there already"},
    {"batch", "--overwrite", {"BATCH", "--overwrite", "--json"}, 0, "\"answered\": 1"},
    {"batch", "--parallel", {"BATCH", "--parallel", "3", "--json"}, 0, "\"parallel\": 3"},
    {"batch",
     "--max-tokens",
     {"BATCH", "--max-tokens", "3", "--json"},
     0,
     "\"generated_tokens\": 3"},
    {"batch",
     "--temperature",
     {"BATCH", "--temperature", "0.25", "--json"},
     0,
     "\"temperature\": \"0.25\""},
    {"batch", "--top-k", {"BATCH", "--top-k", "7", "--json"}, 0, "\"top_k\": \"7\""},
    {"batch", "--top-p", {"BATCH", "--top-p", "0.5", "--json"}, 0, "\"top_p\": \"0.5\""},
    {"batch", "--min-p", {"BATCH", "--min-p", "0.25", "--json"}, 0, "\"min_p\": \"0.25\""},
    {"batch",
     "--repeat-penalty",
     {"BATCH", "--repeat-penalty", "1.5", "--json"},
     0,
     "\"repeat_penalty\": \"1.5\""},
    {"batch",
     "--repeat-last-n",
     {"BATCH", "--repeat-last-n", "9", "--json"},
     0,
     "\"repeat_last_n\": \"9\""},
    {"batch",
     "--frequency-penalty",
     {"BATCH", "--frequency-penalty", "-0.5", "--json"},
     0,
     "\"frequency_penalty\": \"-0.5\""},
    {"batch",
     "--presence-penalty",
     {"BATCH", "--presence-penalty", "2.5", "--json"},
     0,
     "\"presence_penalty\": \"2.5\""},
    {"batch",
     "--typical-p",
     {"BATCH", "--typical-p", "0.5", "--json"},
     0,
     "\"typical_p\": \"0.5\""},
    {"batch",
     "--top-n-sigma",
     {"BATCH", "--top-n-sigma", "1.5", "--json"},
     0,
     "\"top_n_sigma\": \"1.5\""},
    {"batch",
     "--xtc-probability",
     {"BATCH", "--xtc-probability", "0.5", "--json"},
     0,
     "\"xtc_probability\": \"0.5\""},
    {"batch",
     "--xtc-threshold",
     {"BATCH", "--xtc-threshold", "0.25", "--json"},
     0,
     "\"xtc_threshold\": \"0.25\""},
    {"batch",
     "--dry-multiplier",
     {"BATCH", "--dry-multiplier", "0.75", "--json"},
     0,
     "\"dry_multiplier\": \"0.75\""},
    {"batch", "--dry-base", {"BATCH", "--dry-base", "2.5", "--json"}, 0, "\"dry_base\": \"2.5\""},
    {"batch",
     "--dry-allowed-length",
     {"BATCH", "--dry-allowed-length", "4", "--json"},
     0,
     "\"dry_allowed_length\": \"4\""},
    {"batch",
     "--dry-penalty-last-n",
     {"BATCH", "--dry-penalty-last-n", "100", "--json"},
     0,
     "\"dry_penalty_last_n\": \"100\""},
    {"batch",
     "--dry-sequence-breaker",
     {"BATCH", "--dry-sequence-breaker", "abc", "--json"},
     0,
     R"("dry_sequence_breakers": "[\"abc\"]")"},
    {"batch",
     "--samplers",
     {"BATCH", "--samplers", "top_k;temperature", "--json"},
     0,
     "\"samplers\": \"top_k;temperature;\""},
    {"batch",
     "--logit-bias",
     {"BATCH", "--logit-bias", "12=900", "--json"},
     0,
     "\"logit_bias\": \"12=900 \""},
    {"batch", "--seed", {"BATCH", "--seed", "41", "--json"}, 0, "\"seed\": \"41\""},
    {"batch", "--context", {"BATCH", "--context", "77", "--json"}, 0, "\"context\": \"77\""},
    {"batch", "--kv-type", {"BATCH", "--kv-type", "int8", "--json"}, 0, "\"kv_type\": \"int8\""},
    {"batch", "--activations", {"BATCH", "--activations", "f16"}, 2, "native"},
    {"batch", "--threads", {"BATCH", "--threads", "3", "--json"}, 0, "3 threads"},
    {"batch", "--cache", {"BATCH", "--cache", "off", "--json"}, 0, "\"packed_weights\": \"off\""},
    {"batch", "--head", {"BATCH", "--head", "half"}, 2, "coarse"},
    {"batch", "--chat-template", {"BATCH", "--chat-template", "/none"}, 3, "/none"},
    {"batch", "--pooling", {"BATCH", "--pooling", "most"}, 2, "mean"},
    {"batch", "--json", {"BATCH", "--json"}, 0, "\"done_before\": 0"},
    {"batch", "--quiet", {"BATCH", "--quiet"}, 0, ""},
    {"batch", "--verbose", {"BATCH", "--verbose"}, 0, ""},

    {"pull", "--help", {"--help"}, 0, "Bring a model here"},
    {"pull", "--name", {"bittern-stories", "--name", "No Name"}, 2, "\"No Name\""},
    {"pull", "--again", {"no-such-model", "--again"}, 2, "no model is called no-such-model"},
    {"pull", "--json", {"no-such-model", "--json"}, 2, "no model is called no-such-model"},
    {"pull", "--quiet", {"no-such-model", "--quiet"}, 2, "no model is called no-such-model"},
    {"pull", "--verbose", {"no-such-model", "--verbose"}, 2, "no model is called no-such-model"},

    {"list", "--help", {"--help"}, 0, "models that are here"},
    {"list", "--available", {"--available"}, 0, "smollm2-135m"},
    {"list", "--names", {"--available", "--names"}, 0, "bittern-stories\n"},
    {"list", "--json", {"--available", "--json"}, 0, "\"verified\": true"},
    {"list", "--quiet", {"--available", "--quiet"}, 0, "smollm2-135m"},
    {"list", "--verbose", {"--available", "--verbose"}, 0, "smollm2-135m"},

    {"rm", "--help", {"--help"}, 0, "Remove a pulled model"},
    {"rm", "--packed", {"no-such-model", "--packed"}, 3, "no such model is installed"},
    {"rm", "--quiet", {"no-such-model", "--quiet"}, 3, "no such model is installed"},
    {"rm", "--verbose", {"no-such-model", "--verbose"}, 3, "no such model is installed"},

    {"completion", "--help", {"--help"}, 0, "bash, zsh or fish"},
    {"completion", "--quiet", {"bash", "--quiet"}, 0, "complete -o filenames -F _bittern"},
    {"completion", "--verbose", {"fish", "--verbose"}, 0, "complete -c bittern"},

    {"help", "--help", {"--help"}, 0, "Explain a verb"},
    {"help", "--man", {"--man"}, 0, ".TH BITTERN 1"},
    {"help", "--json", {"--json"}, 0, "\"verb\": \"run\""},
    {"help", "--quiet", {"--quiet"}, 0, "bittern VERB"},
    {"help", "--verbose", {"--verbose"}, 0, "bittern VERB"},

    {"version", "--help", {"--help"}, 0, "Print the version"},
    {"version", "--json", {"--json"}, 0, "{\"version\":\""},
    {"version", "--quiet", {"--quiet"}, 0, "bittern "},
    {"version", "--verbose", {"--verbose"}, 0, "bittern "},
};

std::string last_name(const std::string& names) { return names.substr(names.rfind(',') + 1); }

using FlagSet = std::set<std::pair<std::string, std::string>>;

FlagSet declared_flags() {
  FlagSet flags;
  const JsonBuilder verbs = json_of(run_program({"help", "--json"}));
  for (const JsonBuilder& verb : verbs)
    for (const JsonBuilder& flag : verb["flags"])
      flags.emplace(verb["verb"].get<std::string>(), last_name(flag["names"].get<std::string>()));
  return flags;
}

TEST(EveryFlag, HasARowHere) {
  FlagSet rows;
  for (const Row& row : kRows)
    EXPECT_TRUE(rows.emplace(row.verb, row.flag).second) << row.verb << " " << row.flag;
  EXPECT_EQ(rows, declared_flags());
}

TEST(EveryFlag, DoesWhatItsRowSays) {
  const TemporaryFolder folder;
  std::string text;
  for (int line = 0; line < 40; ++line) text += "Hello, hello said the bird. ";
  const std::string file = folder.write("text.txt", text).string();
  const std::string requests =
      folder
          .write("requests.jsonl", R"({"custom_id": "a", "method": "POST",)"
                                   R"( "url": "/v1/completions", "body": {"prompt": "x"}})")
          .string();
  int outputs = 0;
  // The piece of one token, whatever the model's vocabulary is.
  const Finished piece = run_program({"detokenize", example_model(), "12"});
  const std::string piece12 = piece.out.substr(0, piece.out.size() - 1);

  for (const Row& row : kRows) {
    Words words{row.verb};
    std::string found = row.found;
    for (const std::string& word : row.words) {
      if (word == "MODEL") {
        words.push_back(example_model());
      } else if (word == "FILE") {
        words.push_back(file);
      } else if (word == "PIECE12") {
        words.push_back(piece12);
      } else if (word == "BATCH") {
        words.insert(words.end(),
                     {example_model(), requests, fmt::format("{}.{}", file, ++outputs)});
      } else if (word == "SHORT") {
        words.insert(words.end(), {"--prompt", "8", "--generate", "2", "--depth", "0,3", "--batch",
                                   "1,2", "--repetitions", "1", "--limits", "off"});
      } else {
        words.push_back(word);
      }
    }
    if (const size_t at = found.find("PIECE12"); at != std::string::npos)
      found.replace(at, 7, piece12);
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, row.status) << row.verb << " " << row.flag << "\n" << finished.err;
    const std::string& where = row.status == 0 ? finished.out : finished.err;
    EXPECT_NE(where.find(found), std::string::npos) << row.verb << " " << row.flag << "\n" << where;
    if (row.status != 0) {
      EXPECT_EQ(finished.out, "") << row.verb << " " << row.flag;
    }
  }
}

}  // namespace
}  // namespace bittern::test
