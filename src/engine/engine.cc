#include "engine/engine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace bittern::engine {
namespace {

constexpr int64_t kMostChoices = 128;
constexpr int64_t kTryEvery = 64;
constexpr double kTryProbability = 0.3;

// Keys and values are those of the model with these adapters. The length stands first, so that no
// tenant's name reads as another's with adapters.
std::string salt_of(const Request& request) {
  const std::string adapters = request.adapters ? request.adapters->identity() : "";
  return fmt::format("{} {}{}", request.tenant.size(), request.tenant, adapters);
}

}  // namespace

Engine::Engine(StepModel& model, const text::Tokenizer* tokenizer, EngineOptions options)
    : model_(model),
      tokenizer_(tokenizer),
      options_(std::move(options)),
      limits_(model.limits()),
      context_(std::min(limits_.context, limits_.page_count * backend::kPageTokens)),
      token_count_(tokenizer == nullptr
                       ? limits_.vocab_size
                       : std::min<int64_t>(limits_.vocab_size, tokenizer->vocab_size())),
      pages_(limits_.page_count),
      scheduler_(pages_, {.max_rows = limits_.max_rows,
                          .max_logit_rows = limits_.max_logit_rows,
                          .max_sequences = std::min({options_.max_sequences, limits_.max_rows,
                                                     limits_.max_logit_rows})}) {
  rows_.reserve(static_cast<size_t>(limits_.max_rows));
  if (options_.prefixes) scheduler_.restore = [this](Sequence& sequence) { restore(sequence); };
}

void Engine::validate(const Request& request) const {
  const auto length = static_cast<int64_t>(request.prompt.size());
  if (length == 0) fail(ErrorKind::usage, "prompt: at least one token expected");
  if (length > context_)
    fail(ErrorKind::usage, "prompt: {} tokens, the context has {}", length, context_);
  for (const int32_t token : request.prompt) {
    if (token < 0 || token >= limits_.vocab_size)
      fail(ErrorKind::usage, "prompt: token {}, the vocabulary has {}", token, limits_.vocab_size);
  }
  for (const LogitBias& bias : request.sampling.logit_bias) {
    if (bias.token < 0 || bias.token >= token_count_)
      fail(ErrorKind::usage, "logit_bias: token {}, the vocabulary has {}", bias.token,
           token_count_);
  }
  if (request.max_tokens && *request.max_tokens < 0)
    fail(ErrorKind::usage, "max_tokens: at least 0 expected, got {}", *request.max_tokens);
  if (request.choices < 1 || request.choices > kMostChoices)
    fail(ErrorKind::usage, "n: 1 to {} expected, got {}", kMostChoices, request.choices);
  if (request.best_of != 0 && (request.best_of < request.choices || request.best_of > kMostChoices))
    fail(ErrorKind::usage, "best_of: {} (n) to {} expected, got {}", request.choices, kMostChoices,
         request.best_of);
  for (const auto& count :
       {request.top_log_probability_count, request.prompt_log_probability_count}) {
    if (count && (*count < 0 || *count > token_count_))
      fail(ErrorKind::usage, "log-probabilities: 0 to {} expected, got {}", token_count_, *count);
  }
  if (request.min_tokens < 0)
    fail(ErrorKind::usage, "min_tokens: at least 0 expected, got {}", request.min_tokens);
  if (request.adapters && !request.adapters->empty() && !model_.takes(*request.adapters))
    fail(ErrorKind::usage, "adapters: expected those of this model, got another's");
  if (request.constraint && tokenizer_ == nullptr)
    fail(ErrorKind::unsupported, "constraint: the model has no tokenizer");
  if (std::ranges::find(request.stops, "") != request.stops.end())
    fail(ErrorKind::usage, "stop: an empty string");
  engine::validate(request.sampling, ErrorKind::usage, "request");
}

int64_t Engine::submit(Request request, Sink sink) {
  validate(request);
  const auto length = static_cast<int64_t>(request.prompt.size());
  int64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (queued_requests_ >= options_.max_queued_requests)
      fail(ErrorKind::resources, "the queue is full: {} requests wait", queued_requests_);
    if (queued_requests_ > 0 && queued_tokens_ + length > options_.max_queued_tokens)
      fail(ErrorKind::resources, "the queue is full: {} tokens of prompts wait", queued_tokens_);
    ++queued_requests_;
    queued_tokens_ += length;
    id = next_id_++;
    auto job = std::make_unique<Job>();
    job->id = id;
    job->request = std::move(request);
    job->sink = std::move(sink);
    inbox_.push_back(std::move(job));
  }
  if (options_.wake) options_.wake();
  return id;
}

void Engine::cancel(int64_t id) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(id);
  }
  if (options_.wake) options_.wake();
}

bool Engine::has_work() const {
  const std::lock_guard lock(mutex_);
  return !inbox_.empty() || !cancelled_.empty() || stats_.running_sequences > 0 ||
         stats_.waiting_sequences > 0;
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.queued_requests = queued_requests_;
  return stats;
}

void Engine::take_inbox() {
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<int64_t> cancelled;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(inbox_);
    cancelled.swap(cancelled_);
  }
  for (std::unique_ptr<Job>& job : jobs) start(std::move(job));
  for (const int64_t id : cancelled) end_job(id);
}

// The first choice computes the prompt, the others begin where it ends (fork).
void Engine::start(std::unique_ptr<Job> job) {
  Sequence& first = job->texts.emplace_back();
  first.job = job.get();
  first.arrival = arrivals_++;
  first.tokens = job->request.prompt;
  job->salt = salt_of(job->request);
  scheduler_.add(first);
  const int64_t id = job->id;
  jobs_.emplace(id, std::move(job));
}

// Every text of it ends where it is: before the fork that is at its beginning.
void Engine::end_job(int64_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  Job& job = *found->second;
  leave_queue(job);
  if (!job.has_forked) {
    scheduler_.remove(job.texts.front());
    job.texts.clear();
    for (int64_t choice = 0; choice < job.text_count(); ++choice)
      pass_on(job, {.choice = choice, .ending = Ending{.reason = FinishReason::interrupted}}, 0.0);
    return close(job);
  }
  // The last to be told takes the job with it.
  for (size_t left = job.texts.size(); left > 0; --left) {
    Sequence& text = job.texts.front();
    Delta delta{.choice = text.choice};
    text.text->end(FinishReason::interrupted, delta);
    tell(text, std::move(delta));
  }
}

void Engine::leave_queue(Job& job) {
  if (!job.is_queued) return;
  job.is_queued = false;
  const std::lock_guard lock(mutex_);
  --queued_requests_;
  queued_tokens_ -= job.prompt_length();
}

void Engine::start_text(Sequence& sequence) const {
  const int64_t room = context_ - sequence.job->prompt_length();
  sequence.text.emplace(sequence.job->request, sequence.choice, room, tokenizer_, token_count_);
}

// Pages that another process has left, one after the other as far as there are any.
void Engine::restore(Sequence& sequence) {
  constexpr auto kPage = static_cast<size_t>(backend::kPageTokens);
  const PrefixFolder& folder = *options_.prefixes;
  const std::string& salt = sequence.job->salt;
  model::SequenceState& state = sequence.state;
  std::span<const int32_t> rest = sequence.tokens;
  rest = rest.first(rest.size() - 1);  // the last token's logits are wanted
  std::vector<std::byte> page(static_cast<size_t>(model_.page_bytes()));
  std::string name;
  for (size_t index = 0; rest.size() >= kPage; ++index, rest = rest.subspan(kPage)) {
    name = folder.name(salt, name, rest.first(kPage));
    if (index < state.pages.size()) continue;
    if (pages_.available() == 0 || !options_.prefixes->load(name, rest.first(kPage), page)) return;
    state.pages.push_back(pages_.take());
    model_.import_page(state.pages.back(), page.data());
    state.length += backend::kPageTokens;
  }
}

int64_t Engine::save_prefixes() const {
  if (!options_.prefixes) return 0;
  constexpr auto kPage = static_cast<size_t>(backend::kPageTokens);
  PrefixFolder& folder = *options_.prefixes;
  std::vector<std::byte> bytes(static_cast<size_t>(model_.page_bytes()));
  int64_t room = folder.most_bytes(), saved = 0;
  pages_.visit_published(
      [&](const std::string& salt, const std::vector<int32_t>& tokens, int32_t page) {
        std::string name;
        for (std::span<const int32_t> rest = tokens; !rest.empty(); rest = rest.subspan(kPage))
          name = folder.name(salt, name, rest.first(kPage));
        room -= folder.file_bytes(model_.page_bytes());
        if (room < 0) return;
        model_.export_page(page, bytes.data());
        saved += folder.save(name, std::span(tokens).last(kPage), bytes);
      });
  return saved;
}

bool Engine::step() {
  const double started = options_.clock();
  take_inbox();
  guess();
  const std::span<const StepWork> plan = scheduler_.plan(cost_);
  EngineStats now{.steps = plan.empty() ? 0 : 1};
  for (const StepWork& work : plan)
    (work.sequence->pending() == 1 ? now.decode_rows : now.prompt_rows) += work.rows;
  fill_rows(plan);

  const double planned = options_.clock();
  const float* logits = plan.empty() ? nullptr : model_.run(rows_, cuts_);
  const double computed = options_.clock();
  if (!plan.empty()) cost_.observe(now.decode_rows, now.prompt_rows, computed - planned);

  std::vector<Draw> draws = settle(plan, logits);
  // Those with a grammar one by one: they may share it.
  const auto free = std::partition(draws.begin(), draws.end(), [](const Draw& draw) {
    return draw.sequence->job->request.constraint != nullptr;
  });
  std::for_each(draws.begin(), free, [&](Draw& constrained) { draw(constrained); });
  model_.parallel(draws.end() - free, [&](int64_t index) { draw(free[index]); });
  for (Draw& drawn : draws) take_drawn(drawn);

  now.model_seconds = computed - planned;
  now.other_seconds = (planned - started) + (options_.clock() - computed);
  record(now);
  return !plan.empty();
}

void Engine::record(const EngineStats& step) {
  const std::lock_guard lock(mutex_);
  stats_.running_sequences = scheduler_.running_count();
  stats_.waiting_sequences = scheduler_.waiting_count();
  stats_.used_pages = pages_.used_count();
  stats_.kept_pages = pages_.kept_count();
  stats_.page_count = pages_.page_count();
  stats_.preemptions = scheduler_.preemption_count();
  stats_.guessed_tokens = guessed_;
  stats_.accepted_guesses = accepted_;
  stats_.steps += step.steps;
  stats_.decode_rows += step.decode_rows;
  stats_.prompt_rows += step.prompt_rows;
  stats_.model_seconds += step.model_seconds;
  stats_.other_seconds += step.other_seconds;
}

// As many guesses as are worth their rows. Now and then a few that are not, or none, as what rows
// cost may have been a bad moment of the machine, or is long ago.
void Engine::guess() {
  if (!options_.make_drafter) return;
  std::vector<Sequence*> decoding;
  for (const auto& [id, job] : jobs_) {
    for (Sequence& text : job->texts)
      if (text.is_running && text.text && text.pending() == 1) decoding.push_back(&text);
  }
  if (decoding.empty()) return;
  auto rows = std::ssize(decoding);
  const double token_seconds = cost_.decode_seconds(rows) / static_cast<double>(rows);
  const int64_t turn = ++guess_turns_ % kTryEvery;
  const bool tries = turn == 0, rests = turn == kTryEvery / 2;
  for (Sequence* text : decoding) {
    const auto length = std::ssize(text->tokens);
    // The last token of a text is never computed, nor is any behind the end of the context.
    const int64_t most =
        std::min({options_.max_guesses, text->text->left() - 1, context_ - length});
    if (most <= 0) continue;
    if (!text->drafter) text->drafter = options_.make_drafter(text->job->request);
    Guesses guesses = text->drafter->guess(text->tokens, {most, token_seconds});
    // A draft model may have more rows in its output layer.
    const auto unknown = std::ranges::find_if(
        guesses.tokens, [&](int32_t token) { return token < 0 || token >= limits_.vocab_size; });
    guesses.tokens.erase(unknown, guesses.tokens.end());
    const auto count = std::ssize(guesses.tokens);
    int64_t worth = cost_.guess_rows(rows, guesses.probability, count);
    if (tries && guesses.probability > kTryProbability) worth = std::max(worth, count / 2);
    if (rests) worth = 0;
    guesses.tokens.resize(static_cast<size_t>(worth));
    rows += worth;
    text->draft = std::move(guesses.tokens);
  }
}

void Engine::fill_rows(std::span<const StepWork> plan) {
  rows_.clear();
  cuts_.clear();
  for (const auto& [sequence, rows] : plan) {
    const Job& job = *sequence->job;
    const auto length = std::ssize(sequence->tokens);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t position = sequence->state.length + row;
      const int64_t guesses = position + 1 - length;  // that are computed before this row's draw
      const int32_t token = position < length
                                ? sequence->tokens[static_cast<size_t>(position)]
                                : sequence->draft[static_cast<size_t>(position - length)];
      const bool is_scored = job.wants_prompt_logits() && position + 1 >= job.scored &&
                             position + 1 < job.prompt_length();
      rows_.push_back({.token = token,
                       .position = static_cast<int32_t>(position),
                       .sequence = &sequence->state,
                       .wants_logits = guesses >= 0 || is_scored,
                       .adapters = job.request.adapters.get()});
      if (guesses >= 0 && sequence->text)
        cuts_.push_back(sequence->text->cut(guesses));
      else if (rows_.back().wants_logits)
        cuts_.emplace_back();
    }
  }
}

// What was computed belongs to the sequences. Those whose last token has logits are drawn for.
std::vector<Engine::Draw> Engine::settle(std::span<const StepWork> plan, const float* logits) {
  std::vector<Draw> draws;
  size_t index = 0;
  for (const auto& [sequence, rows] : plan) {
    Job& job = *sequence->job;
    const auto length = static_cast<int64_t>(sequence->tokens.size());
    const float* own = nullptr;
    int64_t end = 0;
    for (int64_t row = 0; row < rows; ++row, ++index) {
      end = rows_[index].position + 1;
      if (!rows_[index].wants_logits) continue;
      if (end < length) score_prompt(job, logits);
      if (end == length) own = logits;
      logits += limits_.vocab_size;
    }
    sequence->state.length = std::min(end, length);
    scheduler_.publish(*sequence);
    leave_queue(job);
    if (!sequence->text) start_text(*sequence);
    if (own == nullptr) continue;
    draws.push_back({sequence, own, end - length + 1, {.choice = sequence->choice}});
    if (!job.has_forked) fork(*sequence, own, draws);
  }
  return draws;
}

// Of the prompt's next token.
void Engine::score_prompt(Job& job, const float* logits) {
  const int32_t token = job.request.prompt[static_cast<size_t>(job.scored)];
  job.prompt_log_probabilities.push_back(
      log_probabilities(logits, token_count_, token, *job.request.prompt_log_probability_count));
  ++job.scored;
}

// The prompt is computed: the other texts begin with its pages and draw from the same logits.
void Engine::fork(Sequence& first, const float* logits, std::vector<Draw>& draws) {
  Job& job = *first.job;
  job.has_forked = true;
  first.held.prompt_log_probabilities = std::move(job.prompt_log_probabilities);
  for (int64_t choice = 1; choice < job.text_count(); ++choice) {
    Sequence& text = job.texts.emplace_back();
    text.job = &job;
    text.choice = choice;
    text.arrival = arrivals_++;
    text.tokens = job.request.prompt;
    share_pages(first, text);
    scheduler_.adopt(text);
    start_text(text);
    draws.push_back({&text, logits, 1, {.choice = choice}});
  }
}

// Whole pages are shared, the one that both will write is copied. Without room for that the text
// has no pages, and computes the prompt again in its turn.
void Engine::share_pages(const Sequence& from, Sequence& to) {
  const auto whole = static_cast<size_t>(from.state.length / backend::kPageTokens);
  const bool has_part = from.state.length % backend::kPageTokens != 0;
  if (has_part && pages_.available() == 0) return;
  to.state.pages.assign(from.state.pages.begin(),
                        from.state.pages.begin() + static_cast<std::ptrdiff_t>(whole));
  for (const int32_t page : to.state.pages) pages_.share(page);
  if (has_part) {
    to.state.pages.push_back(pages_.take());
    model_.copy_page(from.state.pages[whole], to.state.pages.back());
  }
  to.state.length = from.state.length;
  to.published = from.published;
}

// A guess that equals what is drawn counts as computed; the first that does not ends them.
void Engine::draw(Draw& draw) const {
  Sequence& sequence = *draw.sequence;
  for (int64_t row = 0; row < draw.rows; ++row) {
    const int32_t token = sequence.text->take(draw.logits + row * limits_.vocab_size, draw.delta);
    const bool is_guessed =
        row + 1 < draw.rows && sequence.draft[static_cast<size_t>(row)] == token;
    if (sequence.text->ended() || !is_guessed) break;
  }
}

void Engine::take_drawn(Draw& draw) {
  Sequence& sequence = *draw.sequence;
  const std::vector<int32_t>& drawn = draw.delta.tokens;
  guessed_ += draw.rows - 1;
  accepted_ += std::max<int64_t>(0, std::ssize(drawn) - 1);
  if (!drawn.empty() && sequence.state.length > 0)
    sequence.state.length += static_cast<int64_t>(drawn.size()) - 1;
  sequence.tokens.insert(sequence.tokens.end(), drawn.begin(), drawn.end());
  sequence.draft.clear();
  tell(sequence, std::move(draw.delta));
}

void Engine::tell(Sequence& sequence, Delta delta) {
  Job& job = *sequence.job;
  const bool is_last = delta.ending.has_value();
  Delta& held = sequence.held;
  held.choice = sequence.choice;
  held.text += delta.text;
  held.tokens.insert(held.tokens.end(), delta.tokens.begin(), delta.tokens.end());
  std::ranges::move(delta.log_probabilities, std::back_inserter(held.log_probabilities));
  held.ending = std::move(delta.ending);
  if (is_last || !job.picks_best())
    pass_on(job, std::exchange(held, {}), sequence.text->mean_log_probability());
  if (!is_last) return;
  if (sequence.drafter && job.request.reuse_prefix) sequence.drafter->ended(sequence.tokens);
  {
    const std::lock_guard lock(mutex_);
    stats_.generated_tokens += sequence.text->generated();
  }
  scheduler_.remove(sequence);
  job.texts.remove_if([&](const Sequence& text) { return &text == &sequence; });
  if (job.texts.empty()) close(job);
}

// To the caller; where the best are picked, of whole texts, to those that are picked from.
void Engine::pass_on(Job& job, Delta delta, double score) {
  if (delta.ending) {
    delta.ending->usage.prompt_tokens = job.prompt_length();
    delta.ending->usage.cached_tokens = job.cached_tokens;
  }
  if (job.picks_best())
    job.finished.push_back({std::move(delta), score});
  else
    job.sink(std::move(delta));
}

// All its texts have ended. The job is gone after this.
void Engine::close(Job& job) {
  tell_best(job);
  const std::lock_guard lock(mutex_);
  ++stats_.finished_requests;
  stats_.prompt_tokens += job.prompt_length();
  stats_.cached_tokens += job.cached_tokens;
  const int64_t id = job.id;
  jobs_.erase(id);
}

// Ties go to the earlier choice.
void Engine::tell_best(Job& job) {
  std::ranges::sort(job.finished, [](const Job::Finished& a, const Job::Finished& b) {
    return a.score != b.score ? a.score > b.score : a.delta.choice < b.delta.choice;
  });
  for (int64_t rank = 0; rank < std::ssize(job.finished) && rank < job.request.choices; ++rank) {
    Delta& delta = job.finished[static_cast<size_t>(rank)].delta;
    delta.choice = rank;
    job.sink(std::move(delta));
  }
}

void Engine::check() const {
  pages_.check();
  std::vector<int64_t> users(static_cast<size_t>(pages_.page_count()));
  for (const auto& [id, job] : jobs_) {
    for (const Sequence& text : job->texts) {
      const model::SequenceState& state = text.state;
      const auto count = static_cast<int64_t>(text.tokens.size());
      BITTERN_CHECK(state.length < count, "{} of {} tokens computed", state.length, count);
      BITTERN_CHECK(text.is_running || state.pages.empty(), "{} pages", state.pages.size());
      BITTERN_CHECK(state.length <= std::ssize(state.pages) * backend::kPageTokens, "{} pages",
                    state.pages.size());
      const int64_t whole = state.length / backend::kPageTokens;
      for (int64_t index = 0; index < std::ssize(state.pages); ++index) {
        const int32_t page = state.pages[static_cast<size_t>(index)];
        ++users[static_cast<size_t>(page)];
        BITTERN_CHECK(index < whole || pages_.users(page) == 1, "page {} is written by {}", page,
                      pages_.users(page));
      }
    }
  }
  for (int32_t page = 0; page < pages_.page_count(); ++page)
    BITTERN_CHECK(users[static_cast<size_t>(page)] == pages_.users(page), "page {}", page);
}

}  // namespace bittern::engine
