// The flags that name the model a verb works on and say how to run it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "base/log.h"
#include "cli/flags.h"
#include "engine/session.h"
#include "format/checkpoint.h"
#include "text/tokenizer.h"

namespace bittern::cli {

struct ModelFlags {
  std::optional<std::string> path, gguf_dialect, kv_type, activations, cache, head;
  std::optional<int64_t> threads, context;

  void declare_path(Flags& flags);     // MODEL, --gguf-dialect
  void declare_threads(Flags& flags);  // --threads
  void declare_context(Flags& flags);  // --context, --kv-type
  void declare_activations(Flags& flags);
  void declare_cache(Flags& flags);
  void declare_head(Flags& flags);

  format::Checkpoint open() const;
  int thread_count() const;
  backend::KvType kv() const;
  bool float_activations() const { return activations == "f32"; }
  // What the flags say over what the verb wants of a session; its context is the verb's.
  engine::SessionOptions over(engine::SessionOptions wanted, const Log& log) const;

 private:
  // Where packed weights are kept; nothing where they are not to be, or nobody says where.
  std::optional<backend::PackCacheOptions> pack_cache(const Log& log) const;
  backend::HeadPlane head_plane() const;
};

std::string_view kv_type_name(backend::KvType type);

// Opens what the flags name and loads it.
engine::Session load_session(const ModelFlags& flags, const engine::SessionOptions& wanted,
                             const Log& log);

// The tokenizer alone, without loading weights.
std::unique_ptr<text::Tokenizer> load_tokenizer(const ModelFlags& flags);

}  // namespace bittern::cli
