// Many requests at once on one model: a loop of steps, each over rows of many sequences. A step
// takes what came in, ends what was cancelled, plans rows, computes them, draws tokens and tells
// whoever asked. Nothing of that changes a bit of any answer (docs/guarantees.md): the rows of a
// step do not see each other, and a draw depends on the request's seed and the token's index.
//
//   Engine engine(*model, tokenizer, {});
//   const int64_t id = engine.submit(std::move(request), [](Delta delta) { ... });
//   while (engine.step()) {}
//
// submit(), cancel(), stats() and what never changes may be called from any thread; step() from
// one, on which the sinks are called too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "engine/drafter.h"
#include "engine/kv_pages.h"
#include "engine/prefix_folder.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/step_cost.h"
#include "engine/step_model.h"
#include "text/tokenizer.h"

namespace bittern::engine {

struct EngineOptions {
  int64_t max_sequences = 16;  // that run at once; no more than the model's logit rows
  int64_t max_queued_requests = 512;
  int64_t max_queued_tokens = int64_t{1} << 22;  // of their prompts
  MakeDrafter make_drafter = {};                 // none: no guesses
  int64_t max_guesses = 8;                       // of one text in one step
  // Pages of prompts on disk: read when a request is admitted, written by save_prefixes().
  std::shared_ptr<PrefixFolder> prefixes = {};
  std::function<double()> clock = monotonic_seconds;
  std::function<void()> wake = {};  // called by submit() and cancel(), on their threads
};

struct EngineStats {
  int64_t queued_requests = 0;  // submitted, nothing computed yet
  int64_t running_sequences = 0, waiting_sequences = 0;
  int64_t used_pages = 0, kept_pages = 0, page_count = 0;
  int64_t steps = 0, prompt_rows = 0, decode_rows = 0;
  int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;  // of ended texts
  int64_t guessed_tokens = 0, accepted_guesses = 0;
  int64_t finished_requests = 0, preemptions = 0;
  double model_seconds = 0.0;  // of the steps, in the model
  double other_seconds = 0.0;  // planning, drawing, telling
};

class Engine {
 public:
  // `tokenizer` may be null: no text is made then. Both must outlive the engine.
  Engine(StepModel& model, const text::Tokenizer* tokenizer, EngineOptions options);

  // Throws Error{usage} where the request is not one that can be run, naming the field, and
  // Error{resources} where the queue is full. The request's id.
  int64_t submit(Request request, Sink sink);
  // Ends it within a step; nothing where it has ended.
  void cancel(int64_t id);
  EngineStats stats() const;

  // Positions of a sequence: prompt and text together have no more tokens.
  int64_t context() const { return context_; }
  // Ids below this may be drawn.
  int64_t token_count() const { return token_count_; }

  // One step; false where there was nothing to do.
  bool step();
  // Writes the pages that are known to the folder of the options, the last used ones as far as it
  // has room. On the thread of step(). How many there are in it of those now.
  int64_t save_prefixes() const;
  // Something was submitted or cancelled, or is not done.
  bool has_work() const;

  // Invariants that hold between steps; for tests.
  void check() const;

 private:
  // A text whose next token can be drawn: from `rows` rows of logits, one behind its last token
  // and one behind each guess.
  struct Draw {
    Sequence* sequence = nullptr;
    const float* logits = nullptr;
    int64_t rows = 0;
    Delta delta;
  };

  void validate(const Request& request) const;
  void take_inbox();
  void start(std::unique_ptr<Job> job);
  void end_job(int64_t id);
  void leave_queue(Job& job);
  void start_text(Sequence& sequence) const;
  void guess();
  void restore(Sequence& sequence);
  void fill_rows(std::span<const StepWork> plan);
  std::vector<Draw> settle(std::span<const StepWork> plan, const float* logits);
  void score_prompt(Job& job, const float* logits);
  void fork(Sequence& first, const float* logits, std::vector<Draw>& draws);
  void share_pages(const Sequence& from, Sequence& to);
  void draw(Draw& draw) const;
  void take_drawn(Draw& draw);
  void tell(Sequence& sequence, Delta delta);
  void pass_on(Job& job, Delta delta, double score);
  void close(Job& job);
  void tell_best(Job& job);
  void record(const EngineStats& step);

  StepModel& model_;
  const text::Tokenizer* tokenizer_;
  EngineOptions options_;
  StepLimits limits_;
  int64_t context_;  // no more than all pages hold
  int64_t token_count_;
  KvPages pages_;
  Scheduler scheduler_;
  StepCost cost_;
  std::map<int64_t, std::unique_ptr<Job>> jobs_;
  std::vector<model::BatchRow> rows_;
  std::vector<backend::HeadCut> cuts_;  // of the rows that want logits
  int64_t arrivals_ = 0;
  int64_t guessed_ = 0, accepted_ = 0, guess_turns_ = 0;

  mutable std::mutex mutex_;  // of what follows
  std::vector<std::unique_ptr<Job>> inbox_;
  std::vector<int64_t> cancelled_;
  int64_t next_id_ = 1;
  int64_t queued_requests_ = 0, queued_tokens_ = 0;
  EngineStats stats_;
};

}  // namespace bittern::engine
