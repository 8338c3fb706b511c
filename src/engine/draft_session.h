// A smaller model, loaded beside the one that it makes guesses for (model_drafter.h), on the same
// threads.
#pragma once

#include <cstdint>
#include <memory>

#include "base/log.h"
#include "engine/model_drafter.h"
#include "engine/session.h"
#include "format/checkpoint.h"

namespace bittern::engine {

class DraftSession {
 public:
  // Loaded as `session` was, with room for `positions` positions of all texts together as far as
  // memory allows. Throws what load_session throws, and Error{bad_input} naming both where the two
  // have not the same tokens. The session must outlive it.
  DraftSession(const Session& session, format::Checkpoint draft, int64_t positions, const Log& log);

  // As EngineOptions::make_drafter wants it; must outlive the drafters.
  std::unique_ptr<Drafter> make_drafter() { return drafts_.make_drafter(); }

 private:
  Session session_;
  std::unique_ptr<StepModel> model_;
  DraftModel drafts_;
};

// Throws Error{bad_input} naming both where token n of the one is not token n of the other, as long
// as either knows it. Rows that pad an output layer do not count.
void require_same_tokens(const Session& session, const Session& draft);

}  // namespace bittern::engine
