#include "cli/model_session.h"

#include <algorithm>

#include "backend/cpu/layout_probe.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "format/vocab.h"
#include "kernel/select.h"
#include "model/bind.h"
#include "store/home.h"
#include "store/resolve.h"

namespace bittern::cli {
namespace {

// Threads beyond this are a slip of the finger.
constexpr int64_t kThreadsMax = 1024;
constexpr int64_t kContextFlagMax = int64_t{1} << 30;
// No default context goes below this, whatever the memory.
constexpr int64_t kLeastDefaultContext = 512;

struct KvName {
  std::string_view name;
  backend::KvType type;
};
constexpr KvName kKvNames[] = {
    {"f32", backend::KvType::f32}, {"f16", backend::KvType::f16}, {"int8", backend::KvType::int8}};

// The most positions, halving from the model's maximum, whose plan fits.
int64_t context_that_fits(const model::Config& config, const format::Checkpoint& checkpoint,
                          model::PlanOptions options, int64_t available, const Log& log) {
  options.context = config.max_context;
  while (options.context / 2 >= kLeastDefaultContext &&
         model::plan_memory(config, checkpoint, options).needed() > available)
    options.context /= 2;
  if (options.context < config.max_context)
    log.info("context {} (the model allows {}, memory does not)", options.context,
             config.max_context);
  return options.context;
}

// As bind decides.
bool is_ternary(const model::Config& config, const format::Checkpoint& checkpoint) {
  return config.ternary ||
         std::any_of(checkpoint.tensors.begin(), checkpoint.tensors.end(),
                     [](const TensorView& tensor) { return codec::is_i2_s(tensor.codec); });
}

void require_coarse_head(const model::Model& model) {
  if (model.head == nullptr || model.head->coarse_bytes > 0) return;
  fail(ErrorKind::unsupported,
       "{}: --head coarse: expected an output layer of finite f32, f16 or bf16 weights, got {}",
       printable(model.config.file), model.head->layout);
}

std::string head_text(const backend::Linear& head) {
  if (head.coarse_bytes == 0) return fmt::format("{}, read in full", head.layout);
  return fmt::format("{}, read by a coarse plane of {} where its whole rows are not needed",
                     head.layout, format_bytes(static_cast<double>(head.coarse_bytes)));
}

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
  backend::PackCacheOptions options;
  if (cache && cache != "on") {
    if (cache->empty()) fail(ErrorKind::usage, "--cache: on, off or a folder expected, got \"\"");
    options.folder = *cache;
    options.least_bytes = 0;  // whoever names a folder wants a file in it
    return options;
  }
  try {
    options.folder = model_store::Home::from_environment().packed();
  } catch (const Error& error) {
    if (cache) throw;
    log.detail("packed weights are not kept: {}", error.message());
    return std::nullopt;
  }
  return options;
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

const text::Tokenizer& Session::tokenizer() const {
  if (!model->tokenizer) fail(ErrorKind::unsupported, "{}", model->no_tokenizer_reason);
  return *model->tokenizer;
}

std::vector<std::string> Session::kernels() const {
  std::vector<std::string> names;
  for (const backend::Linear* linear : model->linears()) {
    if (std::find(names.begin(), names.end(), linear->kernel) == names.end())
      names.push_back(linear->kernel);
  }
  return names;
}

engine::SequenceRunner Session::make_runner(int64_t positions) const {
  return {*model,
          *backend,
          {.context = std::clamp<int64_t>(positions, 1, shape.context),
           .kv_type = kv_type,
           .max_rows = shape.max_rows,
           .max_logit_rows = shape.max_logit_rows}};
}

Session load_session(const ModelFlags& flags, RunShape shape, const Log& log) {
  const double started = monotonic_seconds();
  Session session = load_session(flags.open(), flags, shape, log);
  session.load_seconds = monotonic_seconds() - started;
  return session;
}

Session load_session(format::Checkpoint checkpoint, const ModelFlags& flags, RunShape shape,
                     const Log& log) {
  const double started = monotonic_seconds();
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  const model::Config config = model::read_config(checkpoint, arch);

  if (shape.max_logit_rows > 0 && !config.has_head) {
    fail(ErrorKind::unsupported,
         "{}: {} is an encoder and predicts no text; `bittern embed` runs it", config.file,
         arch.name);
  }

  Session session;
  session.kv_type = flags.kv();
  const int64_t available = memory::available_bytes();
  model::LoadOptions options;
  options.plan.kv_type = session.kv_type;
  options.plan.threads = flags.thread_count();
  options.plan.float_activations = flags.float_activations();
  options.plan.max_rows = shape.max_rows;
  const backend::HeadPlane head = shape.cut_logits ? flags.head_plane() : backend::HeadPlane::never;
  options.plan.coarse_head = head != backend::HeadPlane::never;
  options.plan.context = shape.context > 0
                             ? shape.context
                             : context_that_fits(config, checkpoint, options.plan, available, log);
  shape.context = model::planned_context(config, options.plan.context);
  session.shape = shape;
  model::MemoryPlan plan = model::plan_memory(config, checkpoint, options.plan);
  plan.logits_bytes *= shape.max_logit_rows;
  log.detail("{}: {}, architecture {}", flags.path.value_or(""), checkpoint.dialect, arch.name);
  log.detail("memory plan for {} positions ({} available):", shape.context,
             format_bytes(static_cast<double>(available)));
  for (const std::string& line : plan_lines(plan)) log.detail("  {}", line);
  model::require_memory(plan, available, config.file);

  const kernel::Table& kernels = kernel::select(log);  // asks for tiles: before there are threads
  session.threads = std::make_unique<ThreadPool>(flags.thread_count());
  backend::CpuOptions cpu_options{.float_activations = flags.float_activations(), .head = head};
  auto cache_options = flags.pack_cache(log);
  if (is_ternary(config, checkpoint)) {
    const auto folder = cache_options ? std::optional(cache_options->folder) : std::nullopt;
    cpu_options.ternary =
        backend::choose_ternary_layout(*session.threads, kernels, folder, plan.packed_bytes, log);
  }
  if (cache_options)
    session.cache =
        std::make_unique<backend::PackCache>(*std::move(cache_options), checkpoint.maps, log);
  cpu_options.cache = session.cache.get();
  session.backend = backend::make_cpu_backend(*session.threads, kernels, cpu_options);
  {
    Progress progress("loading", config.layer_count, Progress::Unit::items, "layers",
                      log.level() == Log::Level::quiet);
    options.layer_bound = [&](int64_t) { progress.advance(1); };
    session.model = model::Model::load(std::move(checkpoint), *session.backend, options);
  }
  if (head == backend::HeadPlane::always) require_coarse_head(*session.model);
  session.load_seconds = monotonic_seconds() - started;
  if (session.cache) {
    session.cache->finish();
    log.detail("packed weights: {}", session.cache->summary());
  }
  if (session.model->head != nullptr && shape.cut_logits)
    log.detail("output layer: {}", head_text(*session.model->head));
  log.detail("loaded in {:.2f} s on {}; kernels: {}", session.load_seconds,
             session.backend->description(), fmt::join(session.kernels(), ", "));
  return session;
}

std::vector<std::string> plan_lines(const model::MemoryPlan& plan) {
  const auto line = [](std::string_view part, int64_t bytes) {
    return fmt::format("{:<24}{:>12}", part, format_bytes(static_cast<double>(bytes)));
  };
  std::vector<std::string> lines = {line("weights, mapped", plan.file_bytes),
                                    line("weights, repacked", plan.packed_bytes)};
  if (plan.head_bytes > 0) lines.push_back(line("coarse output layer", plan.head_bytes));
  for (const auto& [part, bytes] :
       {std::pair{"keys and values", plan.kv_bytes}, std::pair{"rotary table", plan.rope_bytes},
        std::pair{"step buffers", plan.workspace_bytes},
        std::pair{"attention", plan.attention_bytes}, std::pair{"logits", plan.logits_bytes},
        std::pair{"needed beside the map", plan.needed()}})
    lines.push_back(line(part, bytes));
  return lines;
}

std::unique_ptr<text::Tokenizer> load_tokenizer(const ModelFlags& flags) {
  if (auto spec = format::read_vocab_file(*flags.path))
    return text::Tokenizer::build(*std::move(spec));
  return text::Tokenizer::build(format::read_vocab(flags.open()));
}

}  // namespace bittern::cli
