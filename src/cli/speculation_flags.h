// The flags that say how tokens are guessed ahead (docs/engine.md, "Guesses"). The text is the same
// with any of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/flags.h"
#include "engine/draft_session.h"
#include "engine/engine.h"
#include "format/checkpoint.h"

namespace bittern::cli {

struct SpeculationFlags {
  std::optional<std::string> way, draft_model;
  std::optional<int64_t> most;

  void declare(Flags& flags);

  // Throws Error{usage} where the flags exclude each other.
  void check(std::string_view verb) const;
  bool is_on() const { return uses_draft() || uses_lookup(); }
  bool uses_draft() const { return draft_model.has_value(); }
  bool uses_lookup() const { return way == "lookup"; }
  // Guesses of one text in one step; 0: none.
  int64_t most_guesses() const;
  // How an engine guesses: with `draft` where there is one, else by lookup, in earlier texts too
  // where `pool_tokens` of them are kept, or not at all.
  void apply(engine::EngineOptions& options, engine::DraftSession* draft,
             int64_t pool_tokens) const;
  // The draft model, opened; nothing where there is none.
  std::optional<format::Checkpoint> open_draft() const;
};

}  // namespace bittern::cli
