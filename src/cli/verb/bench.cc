// bittern bench: how fast, and how near to what the machine can do.
//
//   bench MODEL           prefill and decode at several depths and batch sizes
//   bench --shape NAME    the same with random weights of a real model's shape, no file needed
//   bench kernels         every kernel by itself
//
// The work is in src/bench/; here are flags, the choice of cases and the order of things: limits
// before the weights take their memory, cases, then the reading limit once more.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/memory.h"
#include "base/progress.h"
#include "bench/kernel_probe.h"
#include "bench/random_weights.h"
#include "bench/report.h"
#include "bench/synthetic.h"
#include "cli/command.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "kernel/select.h"
#include "model/bind.h"

namespace bittern::cli {
namespace {

constexpr int64_t kPromptTokens = 512;
constexpr int64_t kTextTokens = 32;
constexpr int64_t kDepths[] = {0, 1024};
constexpr int64_t kBatches[] = {1, 8};
constexpr int64_t kKernelRows[] = {1, 16, 256};
constexpr codec::Id kKernelCodecs[] = {codec::Id::tq2_0, codec::Id::q4_0, codec::Id::q4_k,
                                       codec::Id::q6_k,  codec::Id::q8_0, codec::Id::bf16,
                                       codec::Id::f16,   codec::Id::f32};
constexpr int64_t kRepetitions = 5;
constexpr double kSeconds = 10.0;
constexpr double kKernelSeconds = 0.3;
constexpr int64_t kTokensMax = int64_t{1} << 30;
constexpr int64_t kBatchMax = 4096;
constexpr int64_t kRepetitionsMax = 10000;
constexpr double kSecondsMax = 86400.0;
constexpr int64_t kMostRows = 512;  // of a step

// "0,1024,4096": integers between `least` and `most`.
std::vector<int64_t> parse_list(const std::string& text, std::string_view flag, int64_t least,
                                int64_t most) {
  std::vector<int64_t> values;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const auto value = parse_integer(std::string_view(text).substr(begin, end - begin));
    if (!value || *value < least || *value > most)
      fail(ErrorKind::usage, "bench: {}: integers from {} to {} with commas expected, got \"{}\"",
           flag, least, most, printable(text));
    values.push_back(*value);
    begin = end + 1;
  }
  return values;
}

class Bench final : public Command {
 public:
  void declare(Flags& flags) override {
    flags.argument(
        "MODEL", &model_flags_.path, false,
        "A GGUF or SafeTensors file, or a Hugging Face folder; or the word kernels: every "
        "kernel by itself.");
    flags.text({"--gguf-dialect", "NAME",
                "How to read a GGUF whose layout its sizes leave open: mainline, bitnet, ..."},
               &model_flags_.gguf_dialect);
    flags.text({"--shape", "NAME",
                "Random weights in the shape of a real model instead of a file: " +
                    bench::shape_names() + "."},
               &shape_);
    flags.text({"--codec", "NAME",
                "With --shape: format of the layers: q4_0, q4_k_m, q8_0, bf16, tq2_0, ...; with "
                "kernels: formats, with commas."},
               &codec_);
    flags.text({"--head-codec", "NAME",
                "With --shape: format of the head; as llama-quantize chooses by default."},
               &head_codec_);
    flags.integer({"--seed", "N", "With --shape: of the weights; default 1."}, &seed_, 0,
                  std::numeric_limits<int64_t>::max());
    flags.text({"--write-gguf", "FILE", "With --shape: writes the model, for other programs."},
               &write_gguf_);
    flags.text(
        {"-p,--prompt-tokens,--prompt", "LIST", "Tokens of the prompt; default 512; 0: none."},
        &prompts_);
    flags.text({"-n,--text-tokens,--generate", "LIST",
                "Tokens made for each sequence; default 32; 0: none."},
               &texts_);
    flags.text({"-d,--depth", "LIST", "Positions in the context before; default 0,1024."},
               &depths_);
    flags.text({"-b,--batch", "LIST",
                "Sequences decoded side by side; default 1,8. With kernels: rows, default "
                "1,16,256."},
               &batches_);
    flags.integer({"--repetitions", "N", "Of each case; default 5."}, &repetitions_, 1,
                  kRepetitionsMax);
    flags.number(
        {"--seconds", "S",
         "A case repeats no more after so long; default 10. With kernels: time of a linear "
         "layer, default 0.3."},
        &seconds_, 0.0, kSecondsMax);
    flags.choice({"--limits", "WHICH", "Measure the machine's limits too: on (default) or off."},
                 &limits_flag_, {"on", "off"});
    model_flags_.declare_context(flags);
    model_flags_.declare_activations(flags);
    model_flags_.declare_threads(flags);
    model_flags_.declare_cache(flags);
    model_flags_.declare_head(flags);
    flags.toggle({"--json", "", "One JSON document."}, &json_);
    flags.toggle({"--csv", "", "One line for each case."}, &csv_);
    flags.text({"--svg", "FILE", "Draws the results too."}, &svg_);
    flags.note(
        "Median and spread of short slices: of a prefill a slice is the prompt, of decoding one "
        "step. Limits are measured in the same run: reading memory and register-only arithmetic "
        "with the same threads. The tokens are arbitrary; the time does not depend on them.");
  }

  int run(const Log& log) override {
    if (json_ && csv_) fail(ErrorKind::usage, "bench: --json and --csv: one of them expected");
    const bench::StealClock before = bench::read_steal();
    if (model_flags_.path == "kernels") {
      run_kernels(log);
    } else {
      run_model(log);
    }
    report_.machine = bench::describe_machine();
    report_.stolen = bench::stolen_share(before, bench::read_steal());
    print();
    return 0;
  }

 private:
  // ---- kernels one by one

  void run_kernels(const Log& log) {
    refuse({{"--shape", shape_.has_value()},
            {"--head-codec", head_codec_.has_value()},
            {"--seed", seed_.has_value()},
            {"--write-gguf", write_gguf_.has_value()},
            {"--prompt", prompts_.has_value()},
            {"--generate", texts_.has_value()},
            {"--depth", depths_.has_value()},
            {"--repetitions", repetitions_.has_value()},
            {"--context", model_flags_.context.has_value()},
            {"--kv-type", model_flags_.kv_type.has_value()},
            {"--gguf-dialect", model_flags_.gguf_dialect.has_value()},
            {"--cache", model_flags_.cache.has_value()},
            {"--head", model_flags_.head.has_value()}},
           "kernels");
    bench::KernelBenchOptions options;
    options.rows = list(batches_, "--batch", 1, kBatchMax, kKernelRows);
    options.codecs = kernel_codecs();
    options.seconds_per_linear = seconds_.value_or(kKernelSeconds);
    options.seconds_per_kernel = options.seconds_per_linear / 6.0;

    const kernel::Table& table = kernel::select(log);
    const uint64_t features = cpu::detect_features();
    ThreadPool pool(model_flags_.thread_count());
    ThreadPool alone(1);
    bench::Limits one_thread;
    if (with_limits()) {
      one_thread = bench::measure_limits(alone, table.name, features);
      report_.limits = bench::measure_limits(pool, table.name, features);
    }
    const auto backend = backend::make_cpu_backend(
        pool, table, {.float_activations = model_flags_.float_activations()});
    const auto total = static_cast<int64_t>(bench::kernel_probes().size() *
                                                bench::runnable_tables(features).size() +
                                            options.codecs.size() * options.rows.size());
    Progress progress("bench", total, Progress::Unit::items, "kernels",
                      log.level() == Log::Level::quiet);
    const auto measured = [&] { progress.advance(1); };
    report_.kernel_results = measure_entries(table, features, one_thread, options, measured);
    auto linears = measure_linears(*backend, table, pool, report_.limits.value_or(bench::Limits{}),
                                   options, measured);
    std::move(linears.begin(), linears.end(), std::back_inserter(report_.kernel_results));
    report_.backend = backend->description();
    report_.threads = pool.thread_count();
  }

  std::vector<codec::Id> kernel_codecs() const {
    if (!codec_) return {std::begin(kKernelCodecs), std::end(kKernelCodecs)};
    std::vector<codec::Id> codecs;
    for (size_t begin = 0; begin <= codec_->size();) {
      const size_t end = std::min(codec_->find(',', begin), codec_->size());
      const std::string name = codec_->substr(begin, end - begin);
      const codec::Codec* codec = codec::find(name);
      if (codec == nullptr || !bench::can_fill_random(codec->id))
        fail(ErrorKind::usage, "bench: --codec: no such format of weights: \"{}\"",
             printable(name));
      codecs.push_back(codec->id);
      begin = end + 1;
    }
    return codecs;
  }

  // ---- a model

  void run_model(const Log& log) {
    check_model_flags();
    format::Checkpoint checkpoint = shape_ ? make_checkpoint(log) : model_flags_.open();
    if (write_gguf_) {
      bench::write_synthetic(*write_gguf_, checkpoint);
      log.info("{} written", *write_gguf_);
    }
    const model::Config config =
        model::read_config(checkpoint, model::find_architecture(checkpoint));
    choose_cases(model_flags_.context.value_or(config.max_context), log);
    report_.model = shape_ ? "--shape " + *shape_ : *model_flags_.path;
    report_.kv_type = kv_type_name(model_flags_.kv());
    report_.threads = model_flags_.thread_count();
    if (cases_.empty()) return;

    measure_limits_first(log);
    const engine::Session session =
        engine::load_session(std::move(checkpoint), model_flags_.over(run_shape(), log), log);
    if (session.cache) session.cache->wait();  // or its thread would slow the first cases
    report_.backend = session.backend->description();
    report_.kernels = session.kernels();
    report_.context = session.options.context;
    report_.load_seconds = session.load_seconds;
    measure(session, log);
    report_.peak_memory_bytes = memory::peak_resident_bytes();
    if (report_.limits) measure_read_again(*session.threads, {}, *report_.limits);
  }

  void check_model_flags() const {
    if (shape_ && model_flags_.path)
      fail(ErrorKind::usage, "bench: MODEL or --shape expected, got both");
    if (shape_) {
      refuse({{"--gguf-dialect", model_flags_.gguf_dialect.has_value()},
              {"--cache", model_flags_.cache.has_value()}},
             "--shape");
      return;
    }
    if (!model_flags_.path) fail(ErrorKind::usage, "bench: MODEL, kernels or --shape expected");
    refuse({{"--codec", codec_.has_value()},
            {"--head-codec", head_codec_.has_value()},
            {"--seed", seed_.has_value()},
            {"--write-gguf", write_gguf_.has_value()}},
           "a file of weights");
  }

  format::Checkpoint make_checkpoint(const Log& log) {
    bench::ModelShape shape = bench::find_shape(*shape_);
    // Weights made up for the shape have seen no text: any number of positions is as good.
    shape.context = std::max(shape.context, model_flags_.context.value_or(0));
    const bench::SyntheticPlan plan = bench::plan_synthetic(
        shape, {.codec = codec_.value_or(""), .head_codec = head_codec_.value_or("")});
    report_.weights = fmt::format("random {}, head {}; {} weights in {}", plan.codec,
                                  plan.head_codec, format_count(shape.parameter_count()),
                                  format_bytes(static_cast<double>(plan.bytes)));
    Progress progress("making weights", plan.bytes, Progress::Unit::bytes, "",
                      log.level() == Log::Level::quiet);
    ThreadPool pool(model_flags_.thread_count());
    return bench::make_synthetic(shape, plan, static_cast<uint64_t>(seed_.value_or(1)), pool,
                                 [&](int64_t bytes) { progress.advance(bytes); });
  }

  static std::string format_count(int64_t count) {
    return count >= 100'000'000 ? fmt::format("{:.2f} billion", static_cast<double>(count) / 1e9)
                                : fmt::format("{:.2f} million", static_cast<double>(count) / 1e6);
  }

  // Every combination that the context has room for. What was asked for and does not fit is an
  // error; what is only a default gives way.
  void choose_cases(int64_t context, const Log& log) {
    const auto depths = list(depths_, "--depth", 0, kTokensMax, kDepths);
    const int64_t prompt[] = {
        prompts_ ? 0 : std::min(kPromptTokens, std::max<int64_t>(1, context * 4 / 5))};
    const int64_t text[] = {texts_ ? 0 : std::min(kTextTokens, std::max<int64_t>(1, context / 5))};
    const auto prompts = list(prompts_, "--prompt", 0, kTokensMax, prompt);
    const auto texts = list(texts_, "--generate", 0, kTokensMax, text);
    const auto batches = list(batches_, "--batch", 1, kBatchMax, kBatches);
    const auto add = [&](const bench::Case& what, bool asked) {
      if (what.tokens == 0) return;
      if (what.positions() <= context) {
        cases_.push_back(what);
      } else if (asked) {
        fail(ErrorKind::usage, "bench: {} tokens at depth {}, the context has {}", what.tokens,
             what.depth, context);
      } else {
        log.detail("{} of {} tokens at depth {} left out, as the context has {}",
                   phase_name(what.phase), what.tokens, what.depth, context);
      }
    };
    for (const int64_t depth : depths)
      for (const int64_t tokens : prompts)
        add({.phase = bench::Phase::prefill, .depth = depth, .tokens = tokens},
            depths_ || (prompts_ && depth == 0));
    for (const int64_t depth : depths)
      for (const int64_t batch : batches)
        for (const int64_t tokens : texts)
          add({.phase = bench::Phase::decode, .depth = depth, .tokens = tokens, .batch = batch},
              depths_ || (texts_ && depth == 0));
  }

  engine::SessionOptions run_shape() const {
    engine::SessionOptions shape{
        .context = model_flags_.context.value_or(0), .max_rows = 1, .cut_logits = true};
    for (const bench::Case& what : cases_) {
      if (!model_flags_.context) shape.context = std::max(shape.context, what.positions());
      const int64_t rows =
          what.phase == bench::Phase::prefill ? std::min(what.tokens, kMostRows) : what.batch;
      shape.max_rows = std::max(shape.max_rows, rows);
      shape.max_logit_rows = std::max(shape.max_logit_rows, what.batch);
    }
    return shape;
  }

  void measure_limits_first(const Log& log) {
    if (!with_limits()) return;
    ThreadPool pool(model_flags_.thread_count());
    report_.limits = bench::measure_limits(pool, kernel::select(log).name, cpu::detect_features());
    log.detail("limits: read {:.1f} GB/s", report_.limits->read_rate() / 1e9);
    memory::reset_peak_resident();  // or the buffer would count as the model's
  }

  void measure(const engine::Session& session, const Log& log) {
    const bench::ThroughputOptions options{.repetitions = repetitions_.value_or(kRepetitions),
                                           .seconds = seconds_.value_or(kSeconds),
                                           .max_rows = kMostRows};
    int64_t total = 0;
    for (const bench::Case& what : cases_) total += options.repetitions * what.tokens * what.batch;
    Progress progress("bench", total, Progress::Unit::items, "tokens",
                      log.level() == Log::Level::quiet);
    int64_t due = 0;
    const bench::Subject subject{*session.model, *session.backend, *session.threads,
                                 session.options.kv_type};
    for (const bench::Case& what : cases_) {
      report_.results.push_back(
          measure_case(subject, what, options, [&](int64_t tokens) { progress.advance(tokens); }));
      // What the clock cut short counts as done.
      due += options.repetitions * what.tokens * what.batch;
      progress.skip(due - progress.done());
      const bench::Result& result = report_.results.back();
      log.detail(
          "{} of {} tokens at depth {}, batch {}: {:.2f} tokens/s, {:.2f} % beside the model",
          phase_name(what.phase), what.tokens, what.depth, what.batch,
          result.tokens_per_second.median, result.engine_share * 100.0);
    }
  }

  // ---- shared

  bool with_limits() const { return limits_flag_ != "off"; }

  static std::vector<int64_t> list(const std::optional<std::string>& text, std::string_view flag,
                                   int64_t least, int64_t most,
                                   std::span<const int64_t> otherwise) {
    if (!text) return {otherwise.begin(), otherwise.end()};
    return parse_list(*text, flag, least, most);
  }

  struct Given {
    std::string_view flag;
    bool given;
  };
  static void refuse(std::initializer_list<Given> flags, std::string_view with) {
    for (const Given& row : flags)
      if (row.given) fail(ErrorKind::usage, "bench: {} has no meaning with {}", row.flag, with);
  }

  void print() const {
    if (svg_) {
      AtomicFile file(*svg_);
      file.write(to_svg(report_));
      file.commit();
    }
    if (json_) {
      write_output(to_text(to_json(report_), 2) + "\n");
    } else {
      write_output(csv_ ? to_csv(report_) : to_table(report_));
    }
  }

  ModelFlags model_flags_;
  std::optional<std::string> shape_, codec_, head_codec_, write_gguf_;
  std::optional<std::string> prompts_, texts_, depths_, batches_, limits_flag_, svg_;
  std::optional<int64_t> seed_, repetitions_;
  std::optional<double> seconds_;
  bool json_ = false, csv_ = false;
  std::vector<bench::Case> cases_;
  bench::Report report_;
};

}  // namespace

std::unique_ptr<Command> make_bench() { return std::make_unique<Bench>(); }

}  // namespace bittern::cli
