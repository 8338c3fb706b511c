// The engine for as long as one likes: 256 requests queued at any time, texts of several tenants
// and priorities, random cancels, pages for less than half of what could run. Every text must be
// what it is alone (or the beginning of it, where it was cancelled), end once, and leave no page
// behind; memory is printed every minute.
//   engine_soak MODEL [MINUTES [SEED]]
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "engine/engine.h"
#include "engine/repeat_drafter.h"
#include "engine/session.h"
#include "format/checkpoint.h"

namespace bittern::engine {
namespace {

constexpr int64_t kQueued = 256, kSequences = 16, kContext = 320, kKinds = 64;
constexpr double kCancelShare = 0.2;
constexpr int64_t kCheckEvery = 256;  // steps

// A request and its texts when nothing else runs.
struct Kind {
  Request request;
  std::vector<std::vector<int32_t>> tokens;  // of each choice
};

struct Counts {
  int64_t submitted = 0, whole = 0, cut = 0, tokens = 0;
};

std::vector<Kind> make_kinds(StepModel& model, random::Sequence& draw) {
  std::vector<Kind> kinds(kKinds);
  const auto vocab_size = static_cast<uint64_t>(model.limits().vocab_size);
  std::vector<int32_t> shared(150);
  for (int32_t& token : shared) token = static_cast<int32_t>(draw.below(vocab_size));
  for (Kind& kind : kinds) {
    Request& request = kind.request;
    request.prompt.assign(shared.begin(), shared.begin() + static_cast<int64_t>(draw.below(150)));
    for (uint64_t token = 0; token < 1 + draw.below(60); ++token)
      request.prompt.push_back(static_cast<int32_t>(draw.below(vocab_size)));
    request.sampling.seed = draw.below(1000);
    request.sampling.temperature = draw.below(3) == 0 ? 0.0 : 0.9;
    request.max_tokens = static_cast<int64_t>(1 + draw.below(90));
    request.choices = draw.below(5) == 0 ? 3 : 1;
    request.priority = static_cast<int32_t>(draw.below(3));
    request.tenant = std::string(1, static_cast<char>('a' + draw.below(4)));
    kind.tokens.resize(static_cast<size_t>(request.choices));
    Engine alone(model, nullptr, {.max_sequences = 3});
    alone.submit(request, [&](const Delta& delta) {
      auto& tokens = kind.tokens[static_cast<size_t>(delta.choice)];
      tokens.insert(tokens.end(), delta.tokens.begin(), delta.tokens.end());
    });
    while (alone.step()) {
    }
  }
  return kinds;
}

class Soak {
 public:
  Soak(StepModel& model, uint64_t seed)
      : draw_(seed),
        kinds_(make_kinds(model, draw_)),
        engine_(model, nullptr,
                {.max_sequences = kSequences,
                 .max_queued_requests = kQueued,
                 .make_drafter = repeat_drafters(4096)}) {}

  void run(double seconds) {
    const double begin = monotonic_seconds();
    double next_line = 60.0;
    for (int64_t step = 1; monotonic_seconds() - begin < seconds; ++step) {
      while (engine_.stats().queued_requests < kQueued) submit();
      if (draw_.uniform() < kCancelShare * 0.1 && !running_.empty())
        engine_.cancel(running_[draw_.below(running_.size())]);
      engine_.step();
      if (step % kCheckEvery == 0) engine_.check();
      if (monotonic_seconds() - begin < next_line) continue;
      print(monotonic_seconds() - begin);
      next_line += 60.0;
    }
    for (const int64_t id : std::vector<int64_t>(running_))
      if (draw_.uniform() < 0.5) engine_.cancel(id);
    while (engine_.has_work()) engine_.step();
    engine_.check();
    BITTERN_CHECK(running_.empty(), "{} requests never ended", running_.size());
    BITTERN_CHECK(engine_.stats().used_pages == 0, "{} pages are left", engine_.stats().used_pages);
    print(monotonic_seconds() - begin);
  }

 private:
  struct Told {
    const Kind* kind;
    int64_t id = 0;
    std::vector<std::vector<int32_t>> tokens;
    int64_t ended = 0;
  };

  void submit() {
    auto told = std::make_shared<Told>();
    told->kind = &kinds_[draw_.below(kinds_.size())];
    told->tokens.resize(told->kind->tokens.size());
    told->id = engine_.submit(told->kind->request,
                              [this, told](const Delta& delta) { take(*told, delta); });
    running_.push_back(told->id);
    ++counts_.submitted;
  }

  void take(Told& told, const Delta& delta) {
    const auto choice = static_cast<size_t>(delta.choice);
    auto& tokens = told.tokens[choice];
    tokens.insert(tokens.end(), delta.tokens.begin(), delta.tokens.end());
    counts_.tokens += std::ssize(delta.tokens);
    const auto& expected = told.kind->tokens[choice];
    BITTERN_CHECK(tokens.size() <= expected.size() &&
                      std::equal(tokens.begin(), tokens.end(), expected.begin()),
                  "request {}, choice {}: another text after {} tokens", told.id, choice,
                  tokens.size());
    if (!delta.ending) return;
    const bool is_cut = delta.ending->reason == FinishReason::interrupted;
    BITTERN_CHECK(is_cut || tokens.size() == expected.size(), "request {}: {} tokens of {}",
                  told.id, tokens.size(), expected.size());
    ++(is_cut ? counts_.cut : counts_.whole);
    ++told.ended;
    BITTERN_CHECK(told.ended <= std::ssize(told.tokens), "request {} ended twice", told.id);
    if (told.ended == std::ssize(told.tokens)) std::erase(running_, told.id);
  }

  void print(double seconds) const {
    const EngineStats stats = engine_.stats();
    fmt::print(
        "{:.0f} s: {} requests, {} texts whole, {} cut, {} tokens, {} steps, {} preemptions, "
        "{} of {} guesses right, {} resident\n",
        seconds, counts_.submitted, counts_.whole, counts_.cut, counts_.tokens, stats.steps,
        stats.preemptions, stats.accepted_guesses, stats.guessed_tokens,
        format_bytes(static_cast<double>(memory::resident_bytes())));
    std::fflush(stdout);
  }

  random::Sequence draw_;
  std::vector<Kind> kinds_;
  Engine engine_;
  std::vector<int64_t> running_;
  Counts counts_;
};

}  // namespace
}  // namespace bittern::engine

int main(int count, char** words) {
  using namespace bittern;
  try {
    if (count < 2 || count > 4) fail(ErrorKind::usage, "engine_soak MODEL [MINUTES [SEED]]");
    const Log log(Log::Level::quiet);
    const engine::Session session = engine::load_session(format::open_checkpoint(words[1]),
                                                         {.context = engine::kContext,
                                                          .sequences = engine::kSequences,
                                                          .max_logit_rows = 2 * engine::kSequences,
                                                          .cut_logits = true,
                                                          .cache = engine::default_pack_cache(log)},
                                                         log);
    // Pages for seven whole contexts.
    const auto model = session.make_step_model(7 * engine::kContext);
    engine::Soak soak(*model, count > 3 ? std::stoull(words[3]) : 1);
    soak.run((count > 2 ? std::stod(words[2]) : 30.0) * 60.0);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "engine_soak: {}\n", error.message());
    return 1;
  }
}
