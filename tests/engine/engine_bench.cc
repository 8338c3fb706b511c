// What the engine's promises cost and bring, on real models: ratios within one run, for
// docs/measurements/engine.txt. Nothing here is a test: tests decide, this measures.
//   engine_bench prefix MODEL          first token of a prompt whose first 2048 tokens are known
//   engine_bench crowd MODEL           a short request behind a prompt of 4096, 8 texts beside
//   engine_bench models MODEL MODEL... texts of several models, one after the other and in turns
//   engine_bench guesses MODEL         greedy texts of some kinds of prompts, guessed at or not
//   engine_bench scripted MODEL        guesses that are right with a known probability
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "bench/samples.h"
#include "engine/chat_prompt.h"
#include "engine/engine.h"
#include "engine/repeat_drafter.h"
#include "engine/session.h"
#include "engine/session_loader.h"
#include "format/checkpoint.h"

namespace bittern::engine {
namespace {

constexpr int64_t kRows = 24;  // with logits: 16 texts, or one and its guesses

SessionOptions session_options(int64_t context, int64_t sequences) {
  const Log log(Log::Level::quiet);
  return {.context = context,
          .sequences = sequences,
          .max_logit_rows = kRows,
          .cut_logits = true,
          .cache = default_pack_cache(log)};
}

Session open_session(const std::string& path, int64_t context, int64_t sequences) {
  return load_session(format::open_checkpoint(path), session_options(context, sequences),
                      Log(Log::Level::quiet));
}

std::vector<int32_t> random_tokens(random::Sequence& draw, int64_t count, int64_t vocab_size) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens)
    token = static_cast<int32_t>(draw.below(static_cast<uint64_t>(vocab_size)));
  return tokens;
}

Request greedy(std::vector<int32_t> prompt, int64_t max_tokens) {
  Request request;
  request.prompt = std::move(prompt);
  request.sampling.temperature = 0.0;
  request.max_tokens = max_tokens;
  request.ignore_end_of_generation = true;
  return request;
}

void drain(Engine& engine) {
  while (engine.has_work()) engine.step();
}

double median(std::vector<double> values) { return bench::spread_of(values).median; }

// ---- prefix

void measure_prefix(const std::string& path) {
  constexpr int64_t kShared = 2048, kOwn = 16;
  constexpr int kRounds = 5;
  const Session session = open_session(path, kShared + 2 * kOwn + 8, 2);
  const auto model = session.make_step_model(session.positions);
  Engine engine(*model, nullptr, {});
  random::Sequence draw(1);
  const int64_t vocab_size = model->limits().vocab_size;
  std::vector<double> cold, known;
  const auto first_token = [&](const std::vector<int32_t>& prompt) {
    const double begin = monotonic_seconds();
    engine.submit(greedy(prompt, 1), [](const Delta&) {});
    drain(engine);
    return monotonic_seconds() - begin;
  };
  first_token(random_tokens(draw, 64, vocab_size));
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<int32_t> shared = random_tokens(draw, kShared, vocab_size);
    for (std::vector<double>* times : {&cold, &known}) {
      std::vector<int32_t> prompt = shared;
      for (const int32_t token : random_tokens(draw, kOwn, vocab_size)) prompt.push_back(token);
      times->push_back(first_token(prompt));
    }
  }
  fmt::print(
      "prefix: {} tokens, {} of them known: first token after {:.1f} ms, else {:.1f} ms: "
      "{:.1f} times sooner\n",
      kShared + kOwn, kShared, median(known) * 1e3, median(cold) * 1e3,
      median(cold) / median(known));
}

// ---- crowd

void measure_crowd(const std::string& path) {
  constexpr int64_t kNeighbours = 8, kLong = 4096, kShort = 16, kTexts = 3000;
  const Session session = open_session(path, kLong + 64, 2);
  const auto model = session.make_step_model(session.positions);
  Engine engine(*model, nullptr, {});
  random::Sequence draw(2);
  const int64_t vocab_size = model->limits().vocab_size;
  std::vector<int64_t> ids;
  for (int64_t text = 0; text < kNeighbours; ++text)
    ids.push_back(
        engine.submit(greedy(random_tokens(draw, 32, vocab_size), kTexts), [](const Delta&) {}));
  const auto timed_step = [&] {
    const double begin = monotonic_seconds();
    engine.step();
    return monotonic_seconds() - begin;
  };
  // A prompt beside the texts, so that the engine knows what its rows cost.
  engine.submit(greedy(random_tokens(draw, 512, vocab_size), 1), [](const Delta&) {});
  for (int step = 0; step < 20; ++step) timed_step();
  std::vector<double> alone;
  for (int step = 0; step < 40; ++step) alone.push_back(timed_step());
  const double decode = median(alone);

  // Steps until the first token of a short prompt, and the time.
  const auto first_token = [&] {
    bool told = false;
    engine.submit(greedy(random_tokens(draw, kShort, vocab_size), 1),
                  [&](const Delta&) { told = true; });
    std::pair<int, double> taken{0, 0.0};
    for (; !told; ++taken.first) taken.second += timed_step();
    return taken;
  };
  const auto undisturbed = first_token();
  bool is_long_done = false;
  engine.submit(greedy(random_tokens(draw, kLong, vocab_size), 1),
                [&](const Delta&) { is_long_done = true; });
  timed_step();
  const auto behind = first_token();
  std::vector<double> gaps;
  while (!is_long_done) gaps.push_back(timed_step());
  const auto late = std::ranges::count_if(gaps, [&](double gap) { return gap > 4.0 * decode; });
  fmt::print(
      "crowd: {} texts, a step {:.1f} ms; first token of a prompt of {} after {:.1f} ms in {} "
      "steps, "
      "behind a prompt of {} after {:.1f} ms in {} steps; {} gaps between tokens of the texts "
      "meanwhile: median {:.1f} ms ({:.2f} steps), {} of them over 4 steps, the longest {:.1f} ms "
      "({:.2f} steps)\n",
      kNeighbours, decode * 1e3, kShort, undisturbed.second * 1e3, undisturbed.first, kLong,
      behind.second * 1e3, behind.first, gaps.size(), median(gaps) * 1e3, median(gaps) / decode,
      late, *std::ranges::max_element(gaps) * 1e3, *std::ranges::max_element(gaps) / decode);
  for (const int64_t id : ids) engine.cancel(id);
  drain(engine);
}

// ---- models

void measure_models(const std::vector<std::string>& paths) {
  constexpr int64_t kTexts = 4, kTokens = 48, kPrompt = 32;
  constexpr int kRounds = 3;
  SessionLoader loader([](const std::string& name) { return format::open_checkpoint(name); },
                       session_options(512, kTexts), Log(Log::Level::quiet));
  ModelHost host(loader, {.memory_bytes = int64_t{1} << 40,
                          .max_models = static_cast<int64_t>(paths.size()),
                          .keep_alive = -1.0,
                          .engine = {}});
  std::vector<std::shared_ptr<HostedModel>> models;
  for (const std::string& path : paths) models.push_back(host.acquire(path));
  using Texts = std::vector<std::vector<int32_t>>;
  const auto submit = [&](size_t index, Texts& texts) {
    random::Sequence draw(index);
    texts.assign(kTexts, {});
    for (std::vector<int32_t>& text : texts) {
      Request request = greedy(random_tokens(draw, kPrompt, 10000), kTokens);
      request.reuse_prefix = false;
      models[index]->engine().submit(std::move(request), [&text](const Delta& delta) {
        text.insert(text.end(), delta.tokens.begin(), delta.tokens.end());
      });
    }
  };
  const auto run = [&] {
    const double begin = monotonic_seconds();
    while (host.step()) {
    }
    return monotonic_seconds() - begin;
  };
  std::vector<double> alone, together;
  bool equal = true;
  for (int round = 0; round <= kRounds; ++round) {
    std::vector<Texts> one(models.size()), all(models.size());
    double sum = 0.0;
    for (size_t index = 0; index < models.size(); ++index) {
      submit(index, one[index]);
      sum += run();
    }
    for (size_t index = 0; index < models.size(); ++index) submit(index, all[index]);
    const double interleaved = run();
    equal = equal && one == all;
    if (round == 0) continue;  // pages are touched
    alone.push_back(sum);
    together.push_back(interleaved);
  }
  fmt::print(
      "models: {} of them, {} texts of {} tokens each: one model after the other {:.2f} s, in "
      "turns {:.2f} s: {:+.1f} %; texts {}\n",
      models.size(), kTexts, kTokens, median(alone), median(together),
      (median(together) / median(alone) - 1.0) * 100.0, equal ? "equal" : "DIFFER");
}

// ---- guesses

struct Kind {
  const char* name;
  const char* prompt;
};

constexpr const char* kPassage =
    "The lighthouse at Carrow Point was built in 1874 by the engineer Margaret Hale. It stands "
    "forty-two metres above the sea and its lamp can be seen from thirty kilometres away. For "
    "ninety years the lamp was tended by three keepers who lived with their families in the white "
    "cottages beside the tower. In 1964 the light was made automatic, and the cottages were sold. "
    "Today the tower is open to visitors on weekends from April to October, and the old oil store "
    "holds a small museum about the keepers and their work.";

constexpr Kind kKinds[] = {
    {"edit", "Copy the following text exactly, word for word, but replace 1874 by 1881:\n\n"},
    {"extract", "List every sentence of the following text that contains a number, unchanged:\n\n"},
    {"document",
     "Answer from the text, quoting it: who tended the lamp, and when is the tower "
     "open?\n\n"},
    {"free", "Write a short story about a fox who learns to swim. Do not use this text:\n\n"}};

struct Timing {
  std::vector<int32_t> tokens;
  double seconds = 0.0;  // from the first token on
  EngineStats stats;
};

Timing decode(StepModel& model, const text::Tokenizer* tokenizer, const MakeDrafter& make,
              const Request& request) {
  Engine engine(model, tokenizer, {.make_drafter = make});
  Timing timing;
  double begin = 0.0;
  engine.submit(request, [&](const Delta& delta) {
    if (timing.tokens.empty()) begin = monotonic_seconds();
    timing.tokens.insert(timing.tokens.end(), delta.tokens.begin(), delta.tokens.end());
  });
  drain(engine);
  timing.seconds = monotonic_seconds() - begin;
  timing.stats = engine.stats();
  return timing;
}

// Both ways in turn; the median ratio of times.
void compare(const std::string& name, StepModel& model, const text::Tokenizer* tokenizer,
             const MakeDrafter& make, const Request& request) {
  constexpr int kRounds = 5;
  std::vector<double> ratios, rates;
  EngineStats stats;
  size_t count = 0;
  bool equal = true;
  for (int round = 0; round < kRounds; ++round) {
    const Timing off = decode(model, tokenizer, {}, request);
    const Timing on = decode(model, tokenizer, make, request);
    equal = equal && off.tokens == on.tokens;
    ratios.push_back(off.seconds / on.seconds);
    count = off.tokens.size();
    rates.push_back(static_cast<double>(count - 1) / off.seconds);
    stats = on.stats;
  }
  fmt::print(
      "guesses, {}: {} tokens at {:.1f} tokens/s without, {:.2f} times that with ({:.2f} to "
      "{:.2f}); {} guessed, {} right; texts {}\n",
      name, count, median(rates), median(ratios), *std::ranges::min_element(ratios),
      *std::ranges::max_element(ratios), stats.guessed_tokens, stats.accepted_guesses,
      equal ? "equal" : "DIFFER");
}

void measure_guesses(const std::string& path) {
  const Session session = open_session(path, 1024, 1);
  const auto model = session.make_step_model(session.positions);
  const auto chat_template = ChatTemplate::of(session.model->checkpoint, false);
  for (const Kind& kind : kKinds) {
    const std::string text = std::string(kind.prompt) + kPassage;
    Prompt prompt{.text = text};
    if (chat_template) {
      chat::Conversation conversation;
      conversation.messages.push_back(chat::message("user", text));
      prompt = chat_template->render(std::move(conversation));
    }
    Request request = greedy(encode(session.tokenizer(), prompt), 160);
    request.ignore_end_of_generation = false;
    request.reuse_prefix = false;
    compare(kind.name, *model, &session.tokenizer(), repeat_drafters(0), request);
  }
}

// Guesses what follows in a known text, right with a given probability.
class Scripted final : public Drafter {
 public:
  Scripted(const std::vector<int32_t>& text, double probability)
      : text_(text), probability_(probability), record_(0.5) {}

  Guesses guess(std::span<const int32_t> tokens, const GuessLimits& limits) override {
    record_.learn(last_, tokens.subspan(known_));
    known_ = tokens.size();
    last_.clear();
    for (size_t place = known_; place < text_.size() && std::ssize(last_) < limits.most; ++place) {
      const bool is_right = draw_.uniform() < probability_;
      last_.push_back(is_right ? text_[place] : (text_[place] + 1) % 1000);
    }
    return {last_, record_.probability()};
  }

 private:
  const std::vector<int32_t>& text_;
  double probability_;
  GuessRecord record_;
  std::vector<int32_t> last_;
  size_t known_ = 0;
  random::Sequence draw_{7};
};

void measure_scripted(const std::string& path) {
  const Session session = open_session(path, 512, 1);
  const auto model = session.make_step_model(session.positions);
  random::Sequence draw(3);
  Request request = greedy(random_tokens(draw, 64, model->limits().vocab_size), 160);
  request.reuse_prefix = false;
  std::vector<int32_t> text = request.prompt;
  for (const int32_t token : decode(*model, nullptr, {}, request).tokens) text.push_back(token);
  for (const double probability : {0.0, 0.3, 0.6, 0.8, 0.9, 1.0}) {
    const MakeDrafter make = [&](const Request&) {
      return std::make_unique<Scripted>(text, probability);
    };
    compare(fmt::format("right with probability {}", probability), *model, nullptr, make, request);
  }
}

int measure(const std::vector<std::string>& words) {
  const std::map<std::string, void (*)(const std::string&)> cases = {
      {"prefix", measure_prefix},
      {"crowd", measure_crowd},
      {"guesses", measure_guesses},
      {"scripted", measure_scripted}};
  if (words.size() >= 2 && words[0] == "models") {
    measure_models({words.begin() + 1, words.end()});
    return 0;
  }
  if (words.size() == 2 && cases.contains(words[0])) {
    cases.at(words[0])(words[1]);
    return 0;
  }
  fmt::print(stderr, "engine_bench prefix|crowd|models|guesses|scripted MODEL...\n");
  return 2;
}

}  // namespace
}  // namespace bittern::engine

int main(int count, char** words) {
  try {
    return bittern::engine::measure({words + 1, words + count});
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "engine_bench: {}\n", error.message());
    return 1;
  }
}
