// Texts through the C API: those of `bittern run` for the same flags, every option honoured, every
// wrong one named.
#include <cmath>
#include <functional>
#include <regex>
#include <string>

#include "api/api_support.h"
#include "cli/program_support.h"

namespace bittern::test {
namespace {

using Options = bittern_generate_options;

class ApiGenerate : public testing::Test {
 protected:
  static void SetUpTestSuite() { model_ = load_example(); }
  static void TearDownTestSuite() { model_.reset(); }

  // The example prompt with a change.
  static Options with(const std::function<void(Options&)>& change) {
    Options options = generate_options(model_.get());
    change(options);
    return options;
  }
  static Text text_with(const std::function<void(Options&)>& change) {
    return generate(model_.get(), with(change)).at(0);
  }
  static std::string refused(const std::function<void(Options&)>& change) {
    const Options options = with(change);
    return outcome(bittern_generate(model_.get(), &options, nullptr, nullptr));
  }

  inline static ModelHandle model_;
};

std::string run_text(std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"run", example_model(), "Once upon a time", "--raw", "-n", "32",
                               "--seed", "1", "--quiet"});
  const Finished finished = run_program(flags);
  EXPECT_EQ(finished.status, 0) << finished.err;
  return finished.out;
}

TEST_F(ApiGenerate, SaysWhatTheProgramSays) {
  const char* stop[] = {" was", "."};
  const char* breaker[] = {"e"};
  const bittern_logit_bias bias[] = {{300, 2.5f}, {301, -INFINITY}};
  struct Case {
    std::vector<std::string> flags;
    std::function<void(Options&)> change;
  };
  const std::vector<Case> cases = {
      {{}, [](Options&) {}},
      {{"--temp", "0"}, [](Options& o) { o.temperature = 0; }},
      {{"--temp", "1.5", "--top-k", "0", "--top-p", "1", "--min-p", "0"},
       [](Options& o) {
         o.temperature = 1.5;
         o.top_k = 0;
         o.top_p = 1;
         o.min_p = 0;
       }},
      {{"--typical", "0.4", "--top-n-sigma", "1.5"},
       [](Options& o) {
         o.typical_p = 0.4;
         o.top_n_sigma = 1.5;
       }},
      {{"--xtc-probability", "0.9", "--xtc-threshold", "0.05"},
       [](Options& o) {
         o.xtc_probability = 0.9;
         o.xtc_threshold = 0.05;
       }},
      {{"--repeat-penalty", "1.4", "--repeat-last-n", "-1"},
       [](Options& o) {
         o.repeat_penalty = 1.4;
         o.repeat_last_n = -1;
       }},
      {{"--frequency-penalty", "0.8", "--presence-penalty", "0.4", "--repeat-last-n", "9"},
       [](Options& o) {
         o.frequency_penalty = 0.8;
         o.presence_penalty = 0.4;
         o.repeat_last_n = 9;
       }},
      {{"--dry-multiplier", "5", "--dry-base", "2", "--dry-allowed-length", "0",
        "--dry-penalty-last-n", "20", "--dry-sequence-breaker", "e"},
       [&](Options& o) {
         o.dry_multiplier = 5;
         o.dry_base = 2;
         o.dry_allowed_length = 0;
         o.dry_last_n = 20;
         o.dry_breakers = breaker;
         o.dry_breaker_count = 1;
       }},
      {{"--samplers", "temperature;top_k", "--top-k", "3"},
       [](Options& o) {
         o.samplers = "temperature;top_k";
         o.top_k = 3;
       }},
      {{"--logit-bias", "300+2.5", "--logit-bias", "301-inf"},
       [&](Options& o) {
         o.logit_bias = bias;
         o.logit_bias_count = 2;
       }},
      {{"--stop", " was", "--stop", "."},
       [&](Options& o) {
         o.stops = stop;
         o.stop_count = 2;
       }},
      {{"--seed", "18446744073709551"}, [](Options& o) { o.seed = 18446744073709551u; }},
      {{"--ignore-eos"}, [](Options& o) { o.ignore_eos = 1; }}};
  for (const Case& one : cases) {
    EXPECT_EQ(text_with(one.change).text + "\n", run_text(one.flags))
        << testing::PrintToString(one.flags);
  }
}

TEST_F(ApiGenerate, ThePromptMayBeTokens) {
  const std::vector<int32_t> tokens = tokenize(model_.get(), "Once upon a time");
  const Text text = text_with([&](Options& o) {
    o.prompt = nullptr;
    o.prompt_tokens = tokens.data();
    o.prompt_token_count = tokens.size();
  });
  EXPECT_EQ(text.text, text_with([](Options&) {}).text);
  EXPECT_EQ(text.prompt_tokens, static_cast<int64_t>(tokens.size()));
  EXPECT_EQ(text.generated_tokens, 32);
  EXPECT_EQ(text.tokens.size(), 32u);
  EXPECT_EQ(text.finish_reason, BITTERN_FINISH_MAX_TOKENS);
  EXPECT_EQ(text_with([](Options& o) {
              o.prompt = "Once upon a time, said";
              o.prompt_bytes = 16;
            }).text,
            text.text);
}

TEST_F(ApiGenerate, EndsWhereItIsToldTo) {
  const Text whole = text_with([](Options&) {});
  const std::string word = whole.text.substr(20, 6);
  const char* stop[] = {word.c_str()};
  const Text stopped = text_with([&](Options& o) {
    o.stops = stop;
    o.stop_count = 1;
  });
  EXPECT_EQ(stopped.finish_reason, BITTERN_FINISH_STOP_STRING);
  EXPECT_EQ(stopped.stop, word);
  EXPECT_EQ(stopped.text, whole.text.substr(0, whole.text.find(word)));

  const int32_t token = whole.tokens[5];
  const Text at_token = text_with([&](Options& o) {
    o.stop_tokens = &token;
    o.stop_token_count = 1;
  });
  EXPECT_EQ(at_token.finish_reason, BITTERN_FINISH_STOP_TOKEN);
  EXPECT_EQ(at_token.tokens, std::vector<int32_t>(whole.tokens.begin(), whole.tokens.begin() + 6));
  const Text later = text_with([&](Options& o) {
    o.stop_tokens = &token;
    o.stop_token_count = 1;
    o.min_tokens = 10;
  });
  EXPECT_GE(later.tokens.size(), 10u);

  const Text full = text_with([](Options& o) {
    o.max_tokens = -1;
    o.ignore_eos = 1;
  });
  EXPECT_EQ(full.finish_reason, BITTERN_FINISH_CONTEXT_FULL);
  const Text none = text_with([](Options& o) { o.max_tokens = 0; });
  EXPECT_EQ(none.finish_reason, BITTERN_FINISH_MAX_TOKENS);
  EXPECT_EQ(none.text, "");
}

TEST_F(ApiGenerate, LogProbabilitiesAreThoseOfTheProgram) {
  const JsonBuilder run =
      json_of(run_program({"run", example_model(), "Once upon a time", "--raw", "-n", "8", "--seed",
                           "1", "--json", "--logprobs", "3"}))["log_probabilities"];
  const Text text = text_with([](Options& o) {
    o.max_tokens = 8;
    o.logprobs = 3;
  });
  ASSERT_EQ(text.logprobs.size(), 8u);
  ASSERT_EQ(text.top_logprobs.size(), 24u);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(text.logprobs[i].token, text.tokens[i]);
    EXPECT_EQ(text.logprobs[i].token, run[i]["token_id"]);
    EXPECT_DOUBLE_EQ(text.logprobs[i].logprob, run[i]["log_probability"]);
    for (size_t rank = 0; rank < 3; ++rank) {
      const bittern_logprob& entry = text.top_logprobs[i * 3 + rank];
      EXPECT_EQ(entry.token, run[i]["top"][rank]["token_id"]);
      EXPECT_DOUBLE_EQ(entry.logprob, run[i]["top"][rank]["log_probability"]);
    }
  }
}

TEST_F(ApiGenerate, OfThePromptToo) {
  const Text text = text_with([](Options& o) {
    o.prompt_logprobs = 2;
    o.max_tokens = 1;
  });
  const std::vector<int32_t> prompt = tokenize(model_.get(), "Once upon a time");
  ASSERT_EQ(text.prompt_logprobs.size(), prompt.size() - 1);
  EXPECT_EQ(text.prompt_top_logprobs.size(), 2 * (prompt.size() - 1));
  EXPECT_TRUE(text.logprobs.empty());
  for (size_t i = 1; i < prompt.size(); ++i) {
    EXPECT_EQ(text.prompt_logprobs[i - 1].token, prompt[i]);
    EXPECT_LT(text.prompt_logprobs[i - 1].logprob, 0.0);
  }
}

TEST_F(ApiGenerate, SeveralTextsOfOnePrompt) {
  const Texts three = generate(model_.get(), with([](Options& o) { o.n = 3; }));
  ASSERT_EQ(three.size(), 3u);
  for (const auto& [choice, text] : three) {
    const uint64_t seed = 1 + static_cast<uint64_t>(choice);
    EXPECT_EQ(text.text, text_with([&](Options& o) { o.seed = seed; }).text);
  }
  const auto mean = [](const Text& text) {
    double sum = 0;
    for (const bittern_logprob& entry : text.logprobs) sum += entry.logprob;
    return sum / static_cast<double>(text.logprobs.size());
  };
  double best = -INFINITY;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    best = std::max(best, mean(text_with([&](Options& o) {
                      o.seed = seed;
                      o.logprobs = 0;
                    })));
  }
  const Texts chosen = generate(model_.get(), with([](Options& o) {
                                  o.best_of = 4;
                                  o.logprobs = 0;
                                }));
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_DOUBLE_EQ(mean(chosen.at(0)), best);
}

TEST_F(ApiGenerate, TheTextMatchesWhatIsAskedFor) {
  const char* choices[] = {"red", "green", "blue"};
  const Text choice = text_with([&](Options& o) {
    o.choices = choices;
    o.choice_count = 3;
  });
  EXPECT_TRUE(std::regex_match(choice.text, std::regex("red|green|blue"))) << choice.text;
  EXPECT_EQ(choice.finish_reason, BITTERN_FINISH_STOP_TOKEN);
  const Text digits = text_with([](Options& o) { o.regex = "[0-9]{4}-[0-9]{2}"; });
  EXPECT_TRUE(std::regex_match(digits.text, std::regex("[0-9]{4}-[0-9]{2}"))) << digits.text;
  const Text grammar = text_with([](Options& o) { o.grammar = "root ::= \"a\" \"b\"* \"c\""; });
  EXPECT_TRUE(std::regex_match(grammar.text, std::regex("ab*c?"))) << grammar.text;
  const Text schema = text_with([](Options& o) {
    o.max_tokens = 200;
    o.json_schema = R"({"type":"object","properties":{"ok":{"type":"boolean"}},)"
                    R"("required":["ok"],"additionalProperties":false})";
  });
  const JsonBuilder json = JsonBuilder::parse(schema.text, nullptr, false);
  ASSERT_TRUE(json.is_object()) << schema.text;
  EXPECT_TRUE(json["ok"].is_boolean());
  EXPECT_EQ(text_with([](Options& o) { o.json_object = 1; }).text[0], '{');
}

TEST_F(ApiGenerate, BadGrammarsAreRefusedByKind) {
  EXPECT_EQ(refused([](Options& o) { o.regex = "("; }).substr(0, 2), "3:");
  EXPECT_EQ(refused([](Options& o) { o.regex = "(?=a)"; }).substr(0, 2), "5:");
  EXPECT_EQ(refused([](Options& o) { o.json_schema = "{"; }).substr(0, 2), "3:");
  EXPECT_EQ(refused([](Options& o) { o.grammar = "stem ::= a"; }).substr(0, 2), "3:");
  EXPECT_EQ(refused([](Options& o) {
              o.regex = "a";
              o.json_object = 1;
            }),
            "2: at most one of json_schema, json_object, regex, choices and grammar expected, got "
            "2");
}

TEST_F(ApiGenerate, OptionsThatCannotBeAreNamed) {
  const char* empty[] = {""};
  const char* none[] = {nullptr};
  const bittern_logit_bias bias{1 << 20, 1.0f};
  const int32_t token = -1;
  struct Case {
    std::string named;
    std::function<void(Options&)> change;
  };
  const std::vector<Case> cases = {
      {"temperature", [](Options& o) { o.temperature = NAN; }},
      {"top-p", [](Options& o) { o.top_p = 1.5; }},
      {"top-k", [](Options& o) { o.top_k = -3; }},
      {"min-p", [](Options& o) { o.min_p = -0.1; }},
      {"typical", [](Options& o) { o.typical_p = 2; }},
      {"repeat-penalty", [](Options& o) { o.repeat_penalty = 0; }},
      {"xtc-probability", [](Options& o) { o.xtc_probability = -1; }},
      {"dry-base", [](Options& o) { o.dry_base = 0.5; }},
      {"samplers", [](Options& o) { o.samplers = "top_q"; }},
      {"n: 1 to", [](Options& o) { o.n = 0; }},
      {"best_of", [](Options& o) { o.best_of = -1; }},
      {"min_tokens", [](Options& o) { o.min_tokens = -1; }},
      {"log-probabilities", [](Options& o) { o.logprobs = 1 << 30; }},
      {"logit_bias",
       [&](Options& o) {
         o.logit_bias = &bias;
         o.logit_bias_count = 1;
       }},
      {"logit_bias: a pointer", [](Options& o) { o.logit_bias_count = 1; }},
      {"stop: an empty",
       [&](Options& o) {
         o.stops = empty;
         o.stop_count = 1;
       }},
      {"stops: a pointer",
       [&](Options& o) {
         o.stops = none;
         o.stop_count = 1;
       }},
      {"prompt: one of", [](Options& o) { o.prompt = nullptr; }},
      {"prompt: one of", [](Options& o) { o.chat_json = "{}"; }},
      {"prompt: token",
       [&](Options& o) {
         o.prompt = nullptr;
         o.prompt_tokens = &token;
         o.prompt_token_count = 1;
       }},
      {"prompt: at least one",
       [&](Options& o) {
         o.prompt = nullptr;
         o.prompt_tokens = &token;
       }},
      {"size", [](Options& o) { o.size = 8; }}};
  for (const Case& one : cases) {
    const std::string message = refused(one.change);
    EXPECT_EQ(message.substr(0, 2), "2:") << one.named << " " << message;
    EXPECT_NE(message.find(one.named), std::string::npos) << message;
  }
  const std::string long_prompt(5000, 'x');
  EXPECT_EQ(refused([&](Options& o) { o.prompt = long_prompt.c_str(); }).substr(0, 2), "2:");
  EXPECT_EQ(bittern_generate(model_.get(), nullptr, nullptr, nullptr), BITTERN_ERROR_USAGE);
  const Options good = with([](Options&) {});
  EXPECT_EQ(bittern_generate(nullptr, &good, nullptr, nullptr), BITTERN_ERROR_USAGE);
  // And the model is as good as before.
  EXPECT_FALSE(text_with([](Options&) {}).text.empty());
}

TEST_F(ApiGenerate, DefaultsWithoutAModelAreTheProjects) {
  Options options, other;
  ASSERT_EQ(bittern_generate_options_init(&options, sizeof options, nullptr), BITTERN_OK);
  EXPECT_EQ(options.temperature, 0.8);
  EXPECT_EQ(options.top_k, 40);
  EXPECT_EQ(options.max_tokens, -1);
  EXPECT_EQ(options.n, 1);
  ASSERT_EQ(bittern_generate_options_init(&other, sizeof other, nullptr), BITTERN_OK);
  EXPECT_NE(options.seed, other.seed);
}

struct Caller {
  bittern_model* model;
  int pieces = 0;
  std::string inner = {};
};

TEST_F(ApiGenerate, TheCallbackMayEndItAndUseTheModel) {
  Caller caller{model_.get()};
  const Options options = with([](Options& o) {
    o.max_tokens = -1;
    o.ignore_eos = 1;
  });
  const bittern_callback callback = [](void* user, const bittern_delta*) -> int32_t {
    auto& own = *static_cast<Caller*>(user);
    if (++own.pieces == 2) own.inner = text_of(own.model, generate_options(own.model));
    return own.pieces == 3 ? 1 : 0;
  };
  EXPECT_EQ(outcome(bittern_generate(model_.get(), &options, callback, &caller)),
            "130: the callback asked for the end");
  EXPECT_EQ(caller.pieces, 3);
  EXPECT_EQ(caller.inner, text_with([](Options&) {}).text);
}

}  // namespace
}  // namespace bittern::test
