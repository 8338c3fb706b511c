#include "cli/speculation_flags.h"

#include "base/error.h"
#include "engine/repeat_drafter.h"
#include "store/resolve.h"

namespace bittern::cli {
namespace {

constexpr int64_t kMostGuessesMax = 64;

}  // namespace

void SpeculationFlags::declare(Flags& flags) {
  flags.choice(
      {"--speculation", "WAY",
       "Guess tokens ahead, for the same text sooner: lookup copies what the text repeats, "
       "draft asks the draft model, off (default) does not guess."},
      &way, {"off", "lookup", "draft"});
  flags.text({"-md,--model-draft,--draft-model", "MODEL",
              "A smaller model with the same tokens, for --speculation draft."},
             &draft_model);
  flags.integer(
      {"--spec-draft-n-max,--draft-max", "N", "Guess at most so many tokens at once; default 8."},
      &most, 1, kMostGuessesMax);
}

void SpeculationFlags::check(std::string_view verb) const {
  if (way == "draft" && !draft_model)
    fail(ErrorKind::usage, "{}: --speculation draft: needs --draft-model MODEL", verb);
  if (way && way != "draft" && draft_model)
    fail(ErrorKind::usage, "{}: --draft-model: not with --speculation {}", verb, *way);
  if (most && !is_on())
    fail(ErrorKind::usage, "{}: --draft-max: needs --speculation lookup or --draft-model", verb);
}

int64_t SpeculationFlags::most_guesses() const {
  return is_on() ? most.value_or(engine::EngineOptions{}.max_guesses) : 0;
}

void SpeculationFlags::apply(engine::EngineOptions& options, engine::DraftSession* draft,
                             int64_t pool_tokens) const {
  options.max_guesses = most_guesses();
  if (draft != nullptr)
    options.make_drafter = [draft](const engine::Request&) { return draft->make_drafter(); };
  else if (uses_lookup())
    options.make_drafter = engine::repeat_drafters(pool_tokens);
}

std::optional<format::Checkpoint> SpeculationFlags::open_draft() const {
  if (!draft_model) return std::nullopt;
  return format::open_checkpoint(model_store::resolve_model(*draft_model));
}

}  // namespace bittern::cli
