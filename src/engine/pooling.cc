// Sources: sentence-transformers 5 (modules.json, Pooling.get_config_dict), llama.cpp's
// llama_pooling_type.
#include "engine/pooling.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file_map.h"

namespace bittern::engine {
namespace {

constexpr int64_t kFileBytesMax = 1 << 20;
constexpr int64_t kMaxTokensMax = int64_t{1} << 30;
// Positions of a causal model where nobody says more.
constexpr int64_t kCausalTokens = 8192;
// In the order of Pooling.
constexpr std::array<std::string_view, 3> kNames = {"mean", "cls", "last"};

// sentence-transformers' switches of its pooling module, and those of its names.
struct Mode {
  std::string_view key, name;
  std::optional<Pooling> pooling;  // nothing: not computed here
};
constexpr Mode kModes[] = {
    {"pooling_mode_mean_tokens", "mean", Pooling::mean},
    {"pooling_mode_cls_token", "cls", Pooling::cls},
    {"pooling_mode_lasttoken", "lasttoken", Pooling::last},
    {"pooling_mode_max_tokens", "max", std::nullopt},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", std::nullopt},
    {"pooling_mode_weightedmean_tokens", "weightedmean", std::nullopt},
};

std::unique_ptr<json::Document> read_json(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return nullptr;
  return json::Document::parse(read_text_file(path, kFileBytesMax), path.string());
}

Pooling pooling_of(const Mode& mode, const std::string& file) {
  if (!mode.pooling)
    fail(ErrorKind::unsupported, "{}: {}: mean, cls or last token expected", file, mode.key);
  return *mode.pooling;
}

// Exactly one of the modes may be on: several would be joined into one longer vector.
Pooling read_pooling(const json::Document& config) {
  const json::Value root = config.root();
  const std::string& file = config.file_name();
  std::optional<Pooling> found;
  if (const auto name = root.get_string("pooling_mode")) {
    for (const Mode& mode : kModes)
      if (mode.name == *name) return pooling_of(mode, file);
    fail(ErrorKind::unsupported, "{}: pooling_mode: mean, cls or lasttoken expected, got \"{}\"",
         file, printable(*name));
  }
  for (const Mode& mode : kModes) {
    if (!root.get_boolean(mode.key).value_or(false)) continue;
    if (found) fail(ErrorKind::unsupported, "{}: {}: one pooling mode expected", file, mode.key);
    found = pooling_of(mode, file);
  }
  if (!found) bad_input("{}: a pooling mode expected, none is true", file);
  return *found;
}

// The pooling of a sentence-transformers folder; nothing where it is none.
std::optional<Pooling> folder_pooling(const std::filesystem::path& folder) {
  const auto modules = read_json(folder / "modules.json");
  std::filesystem::path place = "1_Pooling";
  if (modules) {
    for (const json::Value& module : modules->root().elements("modules")) {
      const std::string_view type = module.get_string("type").value_or("");
      const std::string_view name = type.substr(type.rfind('.') + 1);
      if (name == "Transformer" || name == "Normalize") continue;
      if (name != "Pooling") {
        fail(ErrorKind::unsupported,
             "{}: module {}: Transformer, Pooling and Normalize are computed here",
             modules->file_name(), printable(type));
      }
      place = std::string(module.get_string("path").value_or(""));
      // A folder of the model, never one elsewhere.
      if (place.has_parent_path() || place == "..")
        bad_input("{}: path of the pooling: the name of a folder expected, got \"{}\"",
                  modules->file_name(), printable(place.string()));
    }
  }
  const auto config = read_json(folder / place / "config.json");
  if (!config) return std::nullopt;
  return read_pooling(*config);
}

std::optional<Pooling> gguf_pooling(const format::Checkpoint& checkpoint,
                                    const model::Config& config) {
  const std::string key = config.architecture + ".pooling_type";
  const auto type = checkpoint.metadata.get_integer(key);
  if (!type || *type == 0) return std::nullopt;
  if (*type > static_cast<int64_t>(kNames.size()) || *type < 0) {
    fail(ErrorKind::unsupported, "{}: {}: 1 (mean), 2 (cls) or 3 (last) expected, got {}",
         config.file, key, *type);
  }
  return static_cast<Pooling>(*type - 1);
}

}  // namespace

std::string_view pooling_name(Pooling pooling) { return kNames[static_cast<size_t>(pooling)]; }

std::span<const std::string_view> pooling_names() { return kNames; }

std::optional<Pooling> pooling_from_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Pooling>(found - kNames.begin());
}

EmbeddingDefaults embedding_defaults(const format::Checkpoint& checkpoint,
                                     const model::Config& config) {
  EmbeddingDefaults defaults;
  if (checkpoint.container == format::Container::gguf) {
    defaults.pooling = gguf_pooling(checkpoint, config);
  } else {
    const std::filesystem::path& path = checkpoint.path;
    const auto folder = std::filesystem::is_directory(path) ? path : path.parent_path();
    defaults.pooling = folder_pooling(folder);
    if (const auto sizes = read_json(folder / "sentence_bert_config.json")) {
      defaults.max_tokens = sizes->root().get_integer("max_seq_length");
      if (defaults.max_tokens && (*defaults.max_tokens < 1 || *defaults.max_tokens > kMaxTokensMax))
        bad_input("{}: max_seq_length: 1 to {} expected, got {}", sizes->file_name(), kMaxTokensMax,
                  *defaults.max_tokens);
    }
  }
  if (!defaults.pooling && config.mask == backend::Mask::bidirectional)
    defaults.pooling = Pooling::mean;
  return defaults;
}

int64_t embedding_tokens(const EmbeddingDefaults& defaults, const model::Config& config) {
  if (defaults.max_tokens) return std::min(*defaults.max_tokens, config.max_context);
  return config.mask == backend::Mask::bidirectional ? config.max_context
                                                     : std::min(config.max_context, kCausalTokens);
}

}  // namespace bittern::engine
