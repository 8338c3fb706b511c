#include "format/peft_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace bittern::format {
namespace {

using json::Kind;
using json::Value;

constexpr int64_t kRankMax = int64_t{1} << 20;
constexpr double kAlphaMax = 1e9;

// How it was trained, which layers were chosen for it, who made it: the tensors say the rest.
// fan_in_fan_out turns a merged sum round, not the matrices; what `bias` and modules_to_save leave
// are tensors, which are refused by name where there are any.
constexpr std::array<std::string_view, 32> kPassedOver = {"task_type",
                                                          "auto_mapping",
                                                          "peft_version",
                                                          "revision",
                                                          "inference_mode",
                                                          "target_modules",
                                                          "exclude_modules",
                                                          "lora_dropout",
                                                          "fan_in_fan_out",
                                                          "bias",
                                                          "modules_to_save",
                                                          "layers_to_transform",
                                                          "layers_pattern",
                                                          "megatron_config",
                                                          "megatron_core",
                                                          "trainable_token_indices",
                                                          "loftq_config",
                                                          "eva_config",
                                                          "corda_config",
                                                          "lora_ga_config",
                                                          "runtime_config",
                                                          "qalora_group_size",
                                                          "ensure_weight_tying",
                                                          "peft_type",
                                                          "base_model_name_or_path",
                                                          "r",
                                                          "lora_alpha",
                                                          "use_rslora",
                                                          "rank_pattern",
                                                          "alpha_pattern",
                                                          "init_lora_weights",
                                                          "velora_config"};

// What the tensors would mean with these keys is not computed here.
struct Refused {
  std::string_view key, what;
};
constexpr std::array kRefused = {
    Refused{"use_dora", "DoRA (weights of a norm of their own)"},
    Refused{"alora_invocation_tokens", "aLoRA (an adapter that begins at certain tokens)"},
    Refused{"use_qalora", "QA-LoRA (inputs pooled in groups)"},
    Refused{"use_bdlora", "BD-LoRA (block-diagonal matrices)"},
    Refused{"lora_bias", "biases of B"},
    Refused{"layer_replication", "replicated layers"},
    Refused{"target_parameters", "adapters of parameters that are no linear layers"},
    Refused{"monteclora_config", "MonteCLoRA"},
    Refused{"arrow_config", "Arrow (a router over adapters)"},
    Refused{"kasa_config", "KaSA (singular values between the matrices)"},
};

// Starts that leave the base model as it is; the others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) take
// something out of it, which is then missing.
constexpr std::array<std::string_view, 4> kPlainStarts = {"gaussian", "eva", "orthogonal", "mica"};

// Neither null, false, zero-length nor empty.
bool is_set(const Value& value, std::string_view key) {
  switch (value.kind()) {
    case Kind::null:
      return false;
    case Kind::boolean:
      return value.as_boolean(key);
    case Kind::string:
      return !value.as_string(key).empty();
    case Kind::array:
      return !value.elements(key).empty();
    case Kind::object:
      return !value.members(key).empty();
    case Kind::integer:
    case Kind::number:
      return true;
  }
  return true;
}

[[noreturn]] void refuse(const Value& root, std::string_view key, std::string_view what) {
  fail(ErrorKind::unsupported, "{}: {}: {} is not supported: expected a plain LoRA adapter",
       root.file_name(), key, what);
}

void check_kind_of_adapter(const Value& root) {
  const auto type = root.get_string("peft_type");
  if (!type) {
    bad_input("{}: peft_type: expected \"LORA\" (an adapter that PEFT saved), got nothing",
              root.file_name());
  }
  if (*type != "LORA") {
    fail(ErrorKind::unsupported, "{}: peft_type: expected \"LORA\", got \"{}\"", root.file_name(),
         printable(*type));
  }
  for (const Refused& row : kRefused) {
    const auto value = root.find(row.key);
    if (value && is_set(*value, row.key)) refuse(root, row.key, row.what);
  }
  const auto start = root.get("init_lora_weights");
  if (!start || start->is(Kind::boolean)) return;
  const std::string_view name = start->as_string("init_lora_weights");
  if (std::ranges::find(kPlainStarts, name) != kPlainStarts.end()) return;
  fail(ErrorKind::unsupported,
       "{}: init_lora_weights: expected an adapter of the unchanged base model, got \"{}\" (PEFT "
       "converts it: save_pretrained with path_initial_model_for_weight_conversion)",
       root.file_name(), printable(name));
}

double checked_alpha(double alpha, std::string_view field, const Value& root) {
  if (std::isfinite(alpha) && std::abs(alpha) <= kAlphaMax) return alpha;
  bad_input("{}: {}: expected a number up to {:g}, got {}", root.file_name(), printable(field),
            kAlphaMax, alpha);
}

}  // namespace

PeftConfig parse_peft_config(const Value& root) {
  if (!root.is(Kind::object)) {
    bad_input("{}: expected an object, got {}", root.file_name(), json::kind_name(root.kind()));
  }
  check_kind_of_adapter(root);
  PeftConfig config;
  config.base_model = root.get_string("base_model_name_or_path").value_or("");
  config.rank = root.get_integer("r").value_or(config.rank);
  if (config.rank < 1 || config.rank > kRankMax)
    bad_input("{}: r: expected 1 to {}, got {}", root.file_name(), kRankMax, config.rank);
  config.alpha =
      checked_alpha(root.get_number("lora_alpha").value_or(config.alpha), "lora_alpha", root);
  config.rank_stabilised = root.get_boolean("use_rslora").value_or(false);
  const auto ranks = root.get("rank_pattern");
  config.has_rank_pattern = ranks && is_set(*ranks, "rank_pattern");
  if (const auto alphas = root.get("alpha_pattern")) {
    for (const auto& [key, value] : alphas->members("alpha_pattern")) {
      const double alpha = checked_alpha(value.as_number("alpha_pattern"), "alpha_pattern", root);
      const std::string whole = fmt::format("\\A(?:.*\\.)?(?:{})\\z", key);
      const std::string source = fmt::format("{}: alpha_pattern", root.file_name());
      config.alpha_pattern.emplace_back(text::Regex(whole, source), alpha);
    }
  }
  for (const auto& [key, value] : root.members("adapter")) {
    const bool is_known = std::ranges::find(kPassedOver, key) != kPassedOver.end() ||
                          std::ranges::find(kRefused, key, &Refused::key) != kRefused.end();
    if (!is_known && is_set(value, key)) config.unknown_keys.emplace_back(key);
  }
  return config;
}

double PeftConfig::scale_of(std::string_view module, int64_t module_rank) const {
  const auto own = std::ranges::find_if(
      alpha_pattern, [&](const auto& entry) { return !entry.first.find_all(module).empty(); });
  const double numerator = own == alpha_pattern.end() ? alpha : own->second;
  const auto rows = static_cast<double>(module_rank);
  return numerator / (rank_stabilised ? std::sqrt(rows) : rows);
}

}  // namespace bittern::format
