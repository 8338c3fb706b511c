// See generations.h.
#include "bench/generations.h"

#include <algorithm>
#include <bit>
#include <cctype>

#include <fmt/format.h>

#include "backend/cpu/cpu_backend.h"
#include "base/check.h"
#include "base/cpu.h"
#include "bench/random_weights.h"
#include "bench/synthetic.h"
#include "codec/codec.h"
#include "kernel/bf16.h"
#include "kernel/block_pack.h"
#include "kernel/select.h"
#include "model/bind.h"
#include "model/forward.h"
#include "model/sequence.h"

namespace bittern::test {
namespace {

constexpr int64_t kContext = 640;
constexpr int64_t kMaxRows = 576;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool is_ternary(codec::Id id) {
  using enum codec::Id;
  const codec::Id rows[] = {tq1_0, tq2_0, i2_s, iq1_bn, iq2_bn, i2_s_rows4, i2_s_arm};
  return std::ranges::find(rows, id) != std::end(rows);
}

bench::ModelShape shape_of(const std::string& codec, ModelSize size) {
  bench::ModelShape shape = {.name = "toy",
                             .model = "a toy",
                             .source = "ours, for tests",
                             .architecture = "llama",
                             .hidden_size = 256,
                             .ffn_size = 256,
                             .layer_count = 1,
                             .head_count = 4,
                             .kv_head_count = 2,
                             .head_dim = 64,
                             .vocab_size = 101,
                             .context = kContext,
                             .rope_theta = 1e4,
                             .norm_eps = 1e-5};
  if (size == ModelSize::large) {
    shape.ffn_size = 768;
    shape.layer_count = 2;
    shape.vocab_size = 499;
  } else if (codec::find(codec)->tensor_bytes(1, 32)) {  // its blocks are short
    shape.hidden_size = 96;
    shape.ffn_size = 224;
    shape.head_count = 5;
    shape.kv_head_count = 1;
    shape.head_dim = 32;
  }
  return shape;
}

uint64_t mixed(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 29;
}

// A request while it runs.
struct Running {
  const Request* request = nullptr;
  model::SequenceState sequence;
  int64_t fed = 0;  // positions
  Trace trace;

  int64_t left_of_prompt() const { return static_cast<int64_t>(request->prompt.size()) - fed; }
  bool done() const { return static_cast<int64_t>(trace.tokens.size()) == request->generated; }
  int32_t token_at(int64_t position) const {
    const auto at = static_cast<size_t>(position);
    const size_t prompt = request->prompt.size();
    return at < prompt ? request->prompt[at] : trace.tokens[at - prompt];
  }

  // The next token, from the logits of the last position that was fed.
  void take(const float* logits, int64_t vocabulary) {
    for (int64_t i = 0; i < vocabulary; ++i)
      trace.logits = mixed(trace.logits, std::bit_cast<uint32_t>(logits[i]));
    int64_t best = fed % 7;
    for (int64_t id = best; id < vocabulary; id += 7)
      if (logits[id] > logits[best]) best = id;
    trace.tokens.push_back(static_cast<int32_t>(best));
  }
};

// Steps of a group of requests until all are done.
class Group {
 public:
  Group(BoundModel& bound, std::span<const Request> asked, const Way& way)
      : bound_(bound), way_(way), running_(asked.size()), pages_(page_count(asked)) {
    const model::Config& config = bound.model().config;
    store_ = bound.backend().make_kv_store({.layer_count = config.layer_count,
                                            .kv_head_count = config.kv_head_count,
                                            .head_dim = config.head_dim,
                                            .type = way.kv,
                                            .page_count = pages_.page_count()});
    for (size_t i = 0; i < asked.size(); ++i) running_[i].request = &asked[i];
  }

  std::vector<Trace> run(model::Workspace& workspace) {
    const int64_t vocabulary = bound_.model().config.vocab_size;
    std::vector<float> logits(running_.size() * static_cast<size_t>(vocabulary));
    for (int64_t step = 0; plan(step); ++step) {
      model::forward(bound_.model(), bound_.backend(), *store_, rows_, workspace, logits.data());
      for (size_t i = 0; i < wanting_.size(); ++i)
        wanting_[i]->take(logits.data() + static_cast<int64_t>(i) * vocabulary, vocabulary);
    }
    std::vector<Trace> traces;
    for (Running& one : running_) traces.push_back(std::move(one.trace));
    return traces;
  }

 private:
  static int64_t page_count(std::span<const Request> asked) {
    int64_t pages = 0;
    for (const Request& request : asked)
      pages += model::PagePool::pages_for(static_cast<int64_t>(request.prompt.size()) +
                                          request.generated);
    return pages;
  }

  // The rows of a step; false where nothing is left. Who comes first changes with the step.
  bool plan(int64_t step) {
    rows_.clear();
    wanting_.clear();
    bool waiting = false;
    const auto count = static_cast<int64_t>(running_.size());
    for (int64_t turn = 0; turn < count; ++turn) {
      const int64_t index = (turn + step) % count;
      Running& one = running_[static_cast<size_t>(index)];
      if (one.done()) continue;
      if (index > 2 * step) {
        waiting = true;
        continue;
      }
      feed(one);
    }
    return !rows_.empty() || waiting;
  }

  void feed(Running& one) {
    const int64_t room = kMaxRows - static_cast<int64_t>(rows_.size());
    const int64_t left = one.left_of_prompt();
    const int64_t take = left > 0 ? std::min({left, way_.chunk, room}) : std::min<int64_t>(1, room);
    BITTERN_CHECK(pages_.reserve(one.sequence, one.fed + take), "{} pages", pages_.page_count());
    for (int64_t i = 0; i < take; ++i, ++one.fed)
      rows_.push_back({one.token_at(one.fed), static_cast<int32_t>(one.fed), &one.sequence, false});
    if (take == 0 || one.left_of_prompt() > 0) return;
    rows_.back().wants_logits = true;
    wanting_.push_back(&one);
  }

  BoundModel& bound_;
  Way way_;
  std::vector<Running> running_;
  model::PagePool pages_;
  std::unique_ptr<backend::KvStore> store_;
  std::vector<model::BatchRow> rows_;
  std::vector<Running*> wanting_;
};

}  // namespace

std::vector<ModelFormat> model_formats() {
  std::vector<ModelFormat> formats;
  for (const codec::Codec& codec : codec::table()) {
    if (!bench::can_fill_random(codec.id)) continue;
    const std::string name = lower(codec.name);
    const bool block = kernel::block_layout(codec.id) != nullptr;
    const bool ternary = is_ternary(codec.id);
    if (!codec::is_i2_s(codec.id)) formats.push_back({name, name, false, false});
    if (block) formats.push_back({name + " f32", name, false, true});
    if (ternary) formats.push_back({name + " w1.58a8", name, true, false});
  }
  return formats;
}

std::vector<const kernel::Table*> processor_tables(const ModelFormat& format) {
  const uint64_t features = cpu::detect_features();
  std::vector<const kernel::Table*> tables;
  for (const kernel::Candidate& candidate : kernel::candidates()) {
    if ((candidate.features & ~features) != 0) continue;
    const auto order = [&](const kernel::Table& table) {
      return kernel::select_bf16(table, features).order;
    };
    if (format.codec == "bf16" && !tables.empty() &&
        order(*tables.front()) != order(*candidate.table))
      continue;
    tables.push_back(candidate.table);
  }
  return tables;
}

BoundModel::BoundModel(const ModelFormat& format, const Machine& machine, ModelSize size)
    : pool_(machine.threads),
      backend_(backend::make_cpu_backend(
          pool_, *machine.table,
          {.inline_work = 0, .float_activations = format.float_activations})) {
  bench::ModelShape shape = shape_of(format.codec, size);
  shape.ternary = format.ternary;
  if (format.ternary) shape.architecture = "bitnet";
  const bench::SyntheticPlan plan = bench::plan_synthetic(shape, {.codec = format.codec});
  format::Checkpoint checkpoint = bench::make_synthetic(shape, plan, 7, pool_, {});
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  model::Config config = model::read_config(checkpoint, arch);
  model_ = model::bind(std::move(checkpoint), arch, std::move(config), *backend_, kContext);
}

std::vector<Request> requests(int64_t count, int64_t vocabulary) {
  std::vector<Request> made;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t length = i == 0 ? 45 : i == 1 ? 530 : 1 + i * 13 % 40;
    Request request{.prompt = {}, .generated = i == 0 ? 256 : 2 + i % 9};
    for (int64_t k = 0; k < length; ++k)
      request.prompt.push_back(
          static_cast<int32_t>((k * (37 + 2 * i) + 11 * i + k * k) % vocabulary));
    made.push_back(std::move(request));
  }
  return made;
}

std::vector<Trace> generate(BoundModel& bound, const std::vector<Request>& asked, const Way& way) {
  model::Workspace workspace(bound.model(), kMaxRows);
  std::vector<Trace> traces;
  for (size_t first = 0; first < asked.size(); first += static_cast<size_t>(way.batch)) {
    const size_t count = std::min(asked.size() - first, static_cast<size_t>(way.batch));
    const std::vector<Trace> group =
        Group(bound, std::span(asked).subspan(first, count), way).run(workspace);
    traces.insert(traces.end(), group.begin(), group.end());
  }
  return traces;
}

std::string_view kv_name(backend::KvType type) {
  switch (type) {
    case backend::KvType::f32:
      return "f32";
    case backend::KvType::f16:
      return "f16";
    case backend::KvType::int8:
      return "int8";
  }
  return "";
}

}  // namespace bittern::test
