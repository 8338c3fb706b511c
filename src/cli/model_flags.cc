#include "cli/model_flags.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "format/vocab.h"
#include "store/home.h"
#include "store/resolve.h"

namespace bittern::cli {
namespace {

// Threads beyond this are a slip of the finger.
constexpr int64_t kThreadsMax = 1024;
constexpr int64_t kContextFlagMax = int64_t{1} << 30;

struct KvName {
  std::string_view name;
  backend::KvType type;
};
constexpr KvName kKvNames[] = {
    {"f32", backend::KvType::f32}, {"f16", backend::KvType::f16}, {"int8", backend::KvType::int8}};

}  // namespace

void ModelFlags::declare_path(Flags& flags) {
  flags.argument("MODEL", &path, true,
                 "A GGUF or SafeTensors file, a Hugging Face folder, or a pulled model's name.");
  flags.text({"--gguf-dialect", "NAME",
              "How to read a GGUF whose layout its sizes leave open: mainline, bitnet, ..."},
             &gguf_dialect);
}

void ModelFlags::declare_threads(Flags& flags) {
  flags.integer({"-t,--threads", "N",
                 "Threads; the physical cores that quota and affinity leave by default."},
                &threads, 1, kThreadsMax);
}

void ModelFlags::declare_context(Flags& flags) {
  flags.integer({"-c,--context", "N",
                 "Positions to keep; the model's maximum, or what memory allows, by default."},
                &context, 1, kContextFlagMax);
  std::vector<std::string_view> names;
  for (const KvName& row : kKvNames) names.push_back(row.name);
  flags.choice({"--kv-type", "TYPE", "Keys and values as f32, f16 (default) or int8."}, &kv_type,
               names);
}

void ModelFlags::declare_activations(Flags& flags) {
  flags.choice({"--activations", "TYPE",
                "What meets the weights: native (default) is int8 for block formats (Q4_K, ...) "
                "and bf16 for bf16; f32 is exact and slower."},
               &activations, {"native", "f32"});
}

void ModelFlags::declare_head(Flags& flags) {
  flags.choice(
      {"--head", "WAY",
       "An output layer of f32, f16 or bf16: coarse reads an 8-bit copy and the few rows "
       "that can still win, with the same tokens; full reads all. Default: coarse where it "
       "is faster."},
      &head, {"coarse", "full"});
}

void ModelFlags::declare_cache(Flags& flags) {
  flags.text({"--cache", "on|off|DIR",
              "Keep packed weights for the next load: on (default; in the store), off, or in this "
              "folder."},
             &cache);
}

std::optional<backend::PackCacheOptions> ModelFlags::pack_cache(const Log& log) const {
  if (cache == "off") return std::nullopt;
  if (!cache) return engine::default_pack_cache(log);
  if (cache == "on")
    return backend::PackCacheOptions{.folder = model_store::Home::from_environment().packed()};
  if (cache->empty()) fail(ErrorKind::usage, "--cache: on, off or a folder expected, got \"\"");
  // Whoever names a folder wants a file in it.
  return backend::PackCacheOptions{.folder = *cache, .least_bytes = 0};
}

format::Checkpoint ModelFlags::open() const {
  return format::open_checkpoint(model_store::resolve_model(*path),
                                 {.gguf_dialect = gguf_dialect.value_or("")});
}

backend::HeadPlane ModelFlags::head_plane() const {
  if (head == "full") return backend::HeadPlane::never;
  return head == "coarse" ? backend::HeadPlane::always : backend::HeadPlane::where_faster;
}

int ModelFlags::thread_count() const {
  return threads ? static_cast<int>(*threads) : cpu::usable_core_count();
}

backend::KvType ModelFlags::kv() const {
  for (const KvName& row : kKvNames)
    if (kv_type == row.name) return row.type;
  return backend::KvType::f16;
}

std::string_view kv_type_name(backend::KvType type) {
  for (const KvName& row : kKvNames)
    if (row.type == type) return row.name;
  return "";
}

engine::SessionOptions ModelFlags::over(engine::SessionOptions wanted, const Log& log) const {
  wanted.kv_type = kv();
  wanted.float_activations = float_activations();
  wanted.head = head_plane();
  wanted.cache = pack_cache(log);
  wanted.threads = thread_count();
  return wanted;
}

engine::Session load_session(const ModelFlags& flags, const engine::SessionOptions& wanted,
                             const Log& log) {
  const double started = monotonic_seconds();
  engine::Session session = engine::load_session(flags.open(), flags.over(wanted, log), log);
  session.load_seconds = monotonic_seconds() - started;
  return session;
}

std::unique_ptr<text::Tokenizer> load_tokenizer(const ModelFlags& flags) {
  if (auto spec = format::read_vocab_file(*flags.path))
    return text::Tokenizer::build(*std::move(spec));
  return text::Tokenizer::build(format::read_vocab(flags.open()));
}

}  // namespace bittern::cli
