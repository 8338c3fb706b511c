#include "serve/batch/batch_runner.h"

#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace bittern::serve {
namespace {

constexpr int kOk = 200;

}  // namespace

BatchRunner::BatchRunner(BatchModel model, int64_t window, Sink sink)
    : model_(std::move(model)), window_(window), sink_(std::move(sink)) {}

int64_t BatchRunner::waiting_count() const {
  int64_t count = 0;
  for (const Job& job : jobs_) {
    const auto prompts = std::span(job.prepared.requests).subspan(job.submitted);
    if (!job.error && !prompts.empty()) count += std::ssize(prompts) * prompts.front().choices;
  }
  return count;
}

void BatchRunner::start(int64_t index, std::string_view line, const BatchIds& ids) {
  Job job;
  job.index = index;
  job.ids = ids;
  BatchAnswer answer{.index = index};
  try {
    job.custom_id = read_custom_id(line);
    const BatchRequest request = read_batch_request(line);
    if (const auto* inputs = std::get_if<openai::EmbeddingRequest>(&request.body)) {
      answer.line = batch_output(ids, job.custom_id, kOk, embed(*inputs));
    } else {
      prepare(job, request);
      jobs_.push_back(std::move(job));
      return;
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    answer = refusal(job, error);
  }
  sink_(std::move(answer));
}

void BatchRunner::prepare(Job& job, const BatchRequest& request) const {
  if (model_.engine == nullptr)
    openai::refuse("url", openai::error_code::kUnsupported,
                   "the model is an encoder and predicts no text");
  const uint64_t seed = batch_seed(model_.seed, job.custom_id);
  openai::ResponseOptions options{
      .created = model_.created(), .model = model_.name, .fingerprint = model_.fingerprint};
  if (const auto* chat = std::get_if<openai::ChatRequest>(&request.body)) {
    options.kind = openai::TextKind::chat;
    options.id = "chatcmpl-" + job.ids.response;
    options.choices = chat->text.choices;
    options.log_probabilities = chat->top_log_probabilities.has_value();
    job.prepared = openai::prepare(*chat, model_.text, seed);
  } else {
    const auto& completion = std::get<openai::CompletionRequest>(request.body);
    options.kind = openai::TextKind::completion;
    options.id = "cmpl-" + job.ids.response;
    options.choices = completion.text.choices;
    options.log_probabilities = completion.top_log_probabilities.has_value();
    job.prepared = openai::prepare(completion, model_.text, seed);
  }
  job.response.emplace(job.prepared, *model_.text.tokenizer, std::move(options));
}

JsonBuilder BatchRunner::embed(const openai::EmbeddingRequest& request) {
  if (model_.embedder == nullptr)
    openai::refuse("url", openai::error_code::kUnsupported, "{}", model_.no_embedder);
  std::vector<std::vector<float>> vectors;
  int64_t token_count = 0;
  for (const openai::PromptField& input : request.inputs) {
    interrupt::check();
    const std::string path =
        request.inputs.size() == 1 ? "input" : openai::element_path("input", vectors.size());
    const std::vector<int32_t> tokens =
        openai::prompt_tokens(input, *model_.text.tokenizer, true, path);
    openai::require_fit(tokens, model_.embedder->max_tokens(), path);
    token_count += std::ssize(tokens);
    vectors.push_back(model_.embedder->embed(tokens));
    if (request.dimensions && *request.dimensions != std::ssize(vectors.back()))
      openai::refuse("dimensions", openai::error_code::kUnsupported,
                     "{}, those of the model, are supported, got {}", vectors.back().size(),
                     *request.dimensions);
  }
  tokens_.prompt += token_count;
  return openai::embedding_response(request, model_.name, vectors, token_count);
}

// Of the oldest line first, as far as the window goes.
void BatchRunner::submit_waiting() {
  for (Job& job : jobs_) {
    while (!job.error && job.submitted < job.prepared.requests.size()) {
      if (running_ >= window_) return;
      try {
        submit_next(job);
      } catch (const Error& error) {
        // A queue that is full of prompts has room again after some steps.
        if (error.kind() == ErrorKind::resources && running_ > 0) return;
        job.error = error;
        for (const int64_t id : job.engine_ids) model_.engine->cancel(id);
      }
    }
  }
}

void BatchRunner::submit_next(Job& job) {
  const auto prompt = static_cast<int64_t>(job.submitted);
  // A copy: a full queue leaves it where it is.
  engine::Request request = job.prepared.requests[job.submitted];
  const int64_t choices = request.choices;
  job.engine_ids.push_back(model_.engine->submit(
      std::move(request),
      [this, &job, prompt](engine::Delta delta) { hear(job, prompt, std::move(delta)); }));
  job.prepared.requests[job.submitted] = {};
  ++job.submitted;
  job.open_choices += choices;
  running_ += choices;
}

void BatchRunner::hear(Job& job, int64_t prompt_index, engine::Delta delta) {
  generated_ += std::ssize(delta.tokens);
  if (delta.ending) {
    --job.open_choices;
    --running_;
  }
  job.response->add(prompt_index, std::move(delta));
}

bool BatchRunner::step() {
  if (model_.engine == nullptr || jobs_.empty()) return false;
  submit_waiting();
  model_.engine->step();
  answer_ended();
  return true;
}

void BatchRunner::answer_ended() {
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const bool is_ended =
        job->open_choices == 0 && (job->error.has_value() || job->response->is_done());
    if (!is_ended) {
      ++job;
      continue;
    }
    BatchAnswer answer = answer_of(*job);
    job = jobs_.erase(job);
    sink_(std::move(answer));
  }
}

BatchAnswer BatchRunner::answer_of(const Job& job) {
  try {
    if (job.error) throw Error(*job.error);
    JsonBuilder body = job.response->json();
    const engine::Usage& usage = job.response->usage();
    tokens_.prompt += usage.prompt_tokens;
    tokens_.cached += usage.cached_tokens;
    tokens_.generated += usage.generated_tokens;
    return {.index = job.index,
            .line = batch_output(job.ids, job.custom_id, kOk, std::move(body)),
            .is_error = false};
  } catch (const Error& error) {
    return refusal(job, error);
  }
}

BatchAnswer BatchRunner::refusal(const Job& job, const Error& error) {
  openai::ErrorReply reply = openai::error_reply(error);
  return {.index = job.index,
          .line = batch_output(job.ids, job.custom_id, reply.status, std::move(reply.body)),
          .is_error = true};
}

}  // namespace bittern::serve
