#include "engine/draft_session.h"

#include <utility>

#include "base/error.h"

namespace bittern::engine {
namespace {

Session load_draft(const Session& session, format::Checkpoint draft, const Log& log) {
  SessionOptions options = session.options;
  options.max_logit_rows = 1;
  options.cut_logits = true;
  // A plane that was asked for by name is the large model's.
  options.head = backend::HeadPlane::where_faster;
  options.pool = session.threads;
  log.detail("draft model:");
  Session loaded = load_session(std::move(draft), std::move(options), log);
  require_same_tokens(session, loaded);
  return loaded;
}

}  // namespace

DraftSession::DraftSession(const Session& session, format::Checkpoint draft, int64_t positions,
                           const Log& log)
    : session_(load_draft(session, std::move(draft), log)),
      model_(session_.make_step_model(positions)),
      drafts_(*model_) {}

void require_same_tokens(const Session& session, const Session& draft) {
  const text::Tokenizer& expected = session.tokenizer();
  const text::Tokenizer& got = draft.tokenizer();
  const std::string file = printable(session.model->config.file);
  const std::string draft_file = printable(draft.model->config.file);
  const int32_t count = expected.vocab_size();
  if (got.vocab_size() != count || draft.model->config.vocab_size < count)
    bad_input("{}: a draft model with the {} tokens of {} expected, got {}", draft_file, count,
              file, std::min<int64_t>(got.vocab_size(), draft.model->config.vocab_size));
  for (int32_t token = 0; token < count; ++token) {
    const std::string bytes = expected.token_bytes(token, {.skip_special = false});
    const std::string other = got.token_bytes(token, {.skip_special = false});
    if (bytes != other)
      bad_input(
          "{}: a draft model with the tokens of {} expected, where token {} is \"{}\", got "
          "\"{}\"",
          draft_file, file, token, printable(bytes), printable(other));
  }
}

}  // namespace bittern::engine
