// bittern show: what a model is, without loading it. Text fits in 80 columns.
#include "base/error.h"
#include "base/progress.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/model_facts.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "store/remote_model.h"
#include "store/resolve.h"

namespace bittern::cli {
namespace {

constexpr size_t kColumns = 80;
// Elements of a metadata array that text shows; --json has them all.
constexpr size_t kShownElements = 4;

// At most `width` code points, the cut marked.
std::string cut(std::string_view text, size_t width) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (count + 3 >= width && utf8::decode(text.substr(at)).length < text.size() - at &&
        text.size() - at > 3)
      return std::string(text.substr(0, at)) + "...";
    at += utf8::decode(text.substr(at)).length;
  }
  return std::string(text);
}

std::string short_value(const JsonBuilder& value) {
  if (value.is_string()) return printable(value.get_ref<const std::string&>(), kColumns);
  if (!value.is_array()) return to_text(value);
  std::string text = fmt::format("[{}]", value.size());
  for (size_t index = 0; index < std::min(value.size(), kShownElements); ++index)
    text += (index == 0 ? " " : ", ") + printable(to_text(value[index]), kColumns);
  return value.size() > kShownElements ? text + ", ..." : text;
}

std::string count_text(int64_t count) {
  if (count < 1'000'000) return fmt::format("{}", count);
  return count < 1'000'000'000 ? fmt::format("{:.2f} M", static_cast<double>(count) * 1e-6)
                               : fmt::format("{:.3f} G", static_cast<double>(count) * 1e-9);
}

std::string bytes_text(int64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

std::string shape_text(const TensorView& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.shape, ", "));
}

std::string config_text(const model::Config& config) {
  return fmt::format(
      "{} layers, hidden {}, ffn {}, {} heads of {}, {} KV heads, vocabulary {}, context {}, "
      "rope theta {:g}, scaling {}, {} head{}",
      config.layer_count, config.hidden_size, config.ffn_size, config.head_count, config.head_dim,
      config.kv_head_count, config.vocab_size, config.max_context, config.rope.theta,
      model::rope_scaling_name(config.rope.scaling), config.tied_embedding ? "tied" : "own",
      config.ternary ? ", W1.58A8" : "");
}

JsonBuilder config_json(const model::Config& config, std::string_view family) {
  return {{"name", config.architecture},
          {"family", family},
          {"layer_count", config.layer_count},
          {"hidden_size", config.hidden_size},
          {"ffn_size", config.ffn_size},
          {"head_count", config.head_count},
          {"kv_head_count", config.kv_head_count},
          {"head_dim", config.head_dim},
          {"vocab_size", config.vocab_size},
          {"max_context", config.max_context},
          {"norm_eps", config.norm_eps},
          {"rope_theta", config.rope.theta},
          {"rope_scaling", model::rope_scaling_name(config.rope.scaling)},
          {"tied_embedding", config.tied_embedding},
          {"ternary", config.ternary}};
}

JsonBuilder type_json(const TypeFacts& facts) {
  return {{"type", facts.type},
          {"count", facts.count},
          {"weights", facts.elements},
          {"bytes", facts.bytes},
          {"bits_per_weight", facts.bits_per_weight()}};
}

JsonBuilder plan_json(const model::MemoryPlan& plan, const model::PlanOptions& options,
                      int64_t context) {
  return {{"context", context},
          {"kv_type", kv_type_name(options.kv_type)},
          {"mapped_bytes", plan.file_bytes},
          {"packed_bytes", plan.packed_bytes},
          {"coarse_head_bytes", plan.head_bytes},
          {"kv_bytes", plan.kv_bytes},
          {"rope_bytes", plan.rope_bytes},
          {"workspace_bytes", plan.workspace_bytes},
          {"attention_bytes", plan.attention_bytes},
          {"logits_bytes", plan.logits_bytes},
          {"needed_bytes", plan.needed()}};
}

class Show final : public Command {
 public:
  void declare(Flags& flags) override {
    model_flags_.declare_path(flags);
    model_flags_.declare_context(flags);
    flags.toggle({"--tensors", "", "List every tensor."}, &tensors_);
    flags.toggle({"--json", "", "One JSON document, metadata whole."}, &json_);
    flags.note(
        "Bits per weight count every byte of the tensors, scales included; body leaves "
        "the token embedding and the head out. MODEL may also be hf:ORG/REPO[:FILE] or the web "
        "address of a file: only its header is fetched.");
  }

  int run(const Log& log) override {
    std::optional<model_store::RemoteModel> remote;
    const format::Checkpoint checkpoint =
        model_store::is_remote(*model_flags_.path) ? open_remote(remote, log) : model_flags_.open();
    plan_options_.context = model_flags_.context.value_or(0);
    plan_options_.kv_type = model_flags_.kv();
    plan_options_.threads = model_flags_.thread_count();
    plan_options_.coarse_head = true;
    const ModelFacts facts = gather_facts(checkpoint, plan_options_);
    write_output(json_ ? document(checkpoint, facts) : page(checkpoint, facts));
    return 0;
  }

 private:
  // A file that is not here, by its header alone.
  format::Checkpoint open_remote(std::optional<model_store::RemoteModel>& remote,
                                 const Log& log) const {
    const std::string& name = *model_flags_.path;
    remote.emplace(name, model_store::Settings::from_environment());
    log.info("{}: {} of {} fetched", name,
             format_bytes(static_cast<double>(remote->fetched_bytes())),
             format_bytes(static_cast<double>(remote->bytes())));
    format::Checkpoint checkpoint = format::open_checkpoint(
        remote->path(), {.gguf_dialect = model_flags_.gguf_dialect.value_or("")});
    checkpoint.path = name;
    return checkpoint;
  }

  std::string page(const format::Checkpoint& checkpoint, const ModelFacts& facts) const;
  std::string document(const format::Checkpoint& checkpoint, const ModelFacts& facts) const;

  ModelFlags model_flags_;
  model::PlanOptions plan_options_;
  bool tensors_ = false, json_ = false;
};

std::string Show::page(const format::Checkpoint& checkpoint, const ModelFacts& facts) const {
  constexpr size_t kLabel = 14;
  std::string text;
  const auto row = [&](std::string_view label, std::string_view value) {
    text += fmt::format("{:<{}}{}\n", label, kLabel, wrap(value, kColumns, kLabel));
  };
  row("model", cut(printable(checkpoint.path.string(), kColumns), kColumns - kLabel));
  row("container", checkpoint.dialect);
  row("architecture",
      facts.config ? fmt::format("{} ({})", printable(facts.config->architecture), facts.family)
                   : "cannot run here: " + facts.problem);
  if (facts.config) row("", config_text(*facts.config));
  row("tokenizer", facts.tokenizer);
  row("weights", fmt::format("{} in {} tensors, {}", count_text(facts.all.elements),
                             facts.all.count, bytes_text(facts.all.bytes)));
  row("", fmt::format("{:.3f} bits per weight, body {:.3f}", facts.all.bits_per_weight(),
                      facts.body.bits_per_weight()));
  text += fmt::format("\n{:<22}{:>8}{:>12}{:>12}{:>8}\n", "type", "tensors", "weights", "bytes",
                      "bits");
  for (const TypeFacts& type : facts.types)
    text += fmt::format("{:<22}{:>8}{:>12}{:>12}{:>8.3f}\n", type.type, type.count,
                        count_text(type.elements), bytes_text(type.bytes), type.bits_per_weight());
  if (facts.plan) {
    text += fmt::format("\nmemory for {} positions, KV {}\n", facts.context,
                        kv_type_name(plan_options_.kv_type));
    for (const std::string& line : model::plan_lines(*facts.plan)) text += "  " + line + "\n";
  }
  text += "\nmetadata\n";
  for (const auto& [key, value] : facts.metadata)
    text += cut(fmt::format("  {} = {}", printable(key), short_value(value)), kColumns) + "\n";
  if (tensors_) {
    text += "\ntensors\n";
    for (const TensorView& tensor : checkpoint.tensors)
      text += fmt::format("{:<10}{:>8} {:<14} {}\n", type_name(checkpoint, tensor),
                          bytes_text(static_cast<int64_t>(tensor.bytes.size())), shape_text(tensor),
                          printable(tensor.name));
    for (const format::OpaqueTensor& tensor : checkpoint.opaque)
      text += fmt::format("{:<10}{:>8} [{}] {}, no codec yet\n", tensor.type,
                          bytes_text(static_cast<int64_t>(tensor.bytes.size())),
                          fmt::join(tensor.shape, ", "), printable(tensor.name));
  }
  return text;
}

std::string Show::document(const format::Checkpoint& checkpoint, const ModelFacts& facts) const {
  JsonBuilder types = JsonBuilder::array();
  for (const TypeFacts& type : facts.types) types.push_back(type_json(type));
  JsonBuilder metadata = JsonBuilder::object();
  for (const auto& [key, value] : facts.metadata) metadata[key] = value;
  JsonBuilder result = {
      {"model", *model_flags_.path},
      {"container", format::container_name(checkpoint.container)},
      {"dialect", checkpoint.dialect},
      {"architecture",
       facts.config ? config_json(*facts.config, facts.family) : JsonBuilder(nullptr)},
      {"problem", facts.config ? JsonBuilder(nullptr) : JsonBuilder(facts.problem)},
      {"tokenizer", facts.tokenizer},
      {"tensor_count", facts.all.count},
      {"weights", facts.all.elements},
      {"bytes", facts.all.bytes},
      {"bits_per_weight", facts.all.bits_per_weight()},
      {"body_bits_per_weight", facts.body.bits_per_weight()},
      {"types", std::move(types)},
      {"memory_plan",
       facts.plan ? plan_json(*facts.plan, plan_options_, facts.context) : JsonBuilder(nullptr)},
      {"metadata", std::move(metadata)}};
  if (tensors_) {
    JsonBuilder list = JsonBuilder::array();
    for (const TensorView& tensor : checkpoint.tensors)
      list.push_back({{"name", tensor.name},
                      {"type", type_name(checkpoint, tensor)},
                      {"shape", tensor.shape},
                      {"bytes", tensor.bytes.size()}});
    for (const format::OpaqueTensor& tensor : checkpoint.opaque)
      list.push_back({{"name", tensor.name},
                      {"type", tensor.type},
                      {"shape", tensor.shape},
                      {"bytes", tensor.bytes.size()}});
    result["tensors"] = std::move(list);
  }
  return to_text(result, 2) + "\n";
}

}  // namespace

std::unique_ptr<Command> make_show() { return std::make_unique<Show>(); }

}  // namespace bittern::cli
