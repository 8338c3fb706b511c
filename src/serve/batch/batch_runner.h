// Runs requests of a batch file: parses, submits to an engine so many that it always has the next
// ones waiting, gathers answers, and gives each back as a line of the output. A request that cannot
// be run becomes a line of the errors; nothing but Ctrl-C and a broken machine stops the others.
//
// One thread: the engine's steps are taken here.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/embedder.h"
#include "engine/engine.h"
#include "serve/batch/batch_line.h"
#include "serve/openai/error.h"
#include "serve/openai/text_model.h"
#include "serve/openai/text_response.h"

namespace bittern::serve {

// What answers. What it refers to must outlive the runner.
struct BatchModel {
  std::string name;  // that answers carry, whatever name a request gives
  std::string fingerprint;
  engine::Engine* engine = nullptr;  // null: the model predicts no text
  openai::TextModel text;            // its tokenizer is always there
  engine::Embedder* embedder = nullptr;
  std::string no_embedder;           // why it is null
  uint64_t seed = 0;                 // see batch_seed
  std::function<int64_t()> created;  // seconds since 1970
};

// A line of output.
struct BatchAnswer {
  int64_t index = 0;
  std::string line = {};
  bool is_error = false;
};

struct BatchTokens {
  int64_t prompt = 0, cached = 0, generated = 0;  // of answers
};

class BatchRunner {
 public:
  using Sink = std::function<void(BatchAnswer answer)>;

  // At most `window` texts wait or run at once, but for those of one line.
  BatchRunner(BatchModel model, int64_t window, Sink sink);

  // Another line may be started.
  bool has_room() const { return waiting_count() + running_ < window_; }
  // Begins line `index`. May answer at once. Throws Error{interrupted} only.
  void start(int64_t index, std::string_view line, const BatchIds& ids);
  // A step of the engine; answers those that are done by it. False where there was nothing to do.
  bool step();

  // Generated so far, in texts that run too.
  int64_t generated_tokens() const { return generated_; }
  const BatchTokens& tokens() const { return tokens_; }

 private:
  struct Job {
    int64_t index = 0;
    std::string custom_id;
    BatchIds ids;
    openai::PreparedText prepared;
    size_t submitted = 0;      // of its prompts
    int64_t open_choices = 0;  // submitted and not ended
    std::vector<int64_t> engine_ids;
    std::optional<openai::TextResponse> response;
    std::optional<Error> error;
  };

  int64_t waiting_count() const;
  void prepare(Job& job, const BatchRequest& request) const;
  JsonBuilder embed(const openai::EmbeddingRequest& request);
  void submit_waiting();
  void submit_next(Job& job);
  void hear(Job& job, int64_t prompt_index, engine::Delta delta);
  void answer_ended();
  BatchAnswer answer_of(const Job& job);
  static BatchAnswer refusal(const Job& job, const Error& error);

  BatchModel model_;
  int64_t window_;
  Sink sink_;
  std::list<Job> jobs_;  // their addresses are in the engine's sinks
  int64_t running_ = 0;  // texts submitted and not ended
  int64_t generated_ = 0;
  BatchTokens tokens_;
};

}  // namespace bittern::serve
