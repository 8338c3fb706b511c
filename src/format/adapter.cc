#include "format/adapter.h"

#include <cmath>
#include <unordered_map>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/float_mode.h"
#include "format/gguf/header.h"
#include "format/gguf/reader.h"
#include "format/limits.h"
#include "format/peft_config.h"
#include "format/safetensors/reader.h"

namespace bittern::format {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfigFile = "adapter_config.json";
constexpr std::string_view kWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kPickleFile = "adapter_model.bin";

// How a container calls the two tensors of a module.
struct PairNames {
  std::string_view prefix, a_ending, b_ending;
};
constexpr PairNames kPeftNames = {"base_model.model.", ".lora_A.weight", ".lora_B.weight"};
constexpr PairNames kGgufNames = {"", ".weight.lora_a", ".weight.lora_b"};

std::string name_of(const Checkpoint& checkpoint) { return checkpoint.path.string(); }

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// What is left when the pairs are taken, by what it is there for.
[[noreturn]] void refuse_tensor(const Checkpoint& checkpoint, const std::string& name) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  std::string_view what = "a whole tensor (modules_to_save, norms)";
  if (has("lora_magnitude_vector")) what = "a magnitude of DoRA";
  if (has("lora_embedding_")) what = "an adapter of the embedding";
  if (has(".trainable_tokens_")) what = "trained rows of the embedding";
  if (name.ends_with(".bias")) what = "a bias";
  fail(ErrorKind::unsupported,
       "{}: tensor '{}': {} is not supported: expected the lora_A and lora_B of linear layers",
       name_of(checkpoint), printable(name, 200), what);
}

void check_pair(const Checkpoint& checkpoint, const AdapterPair& pair) {
  for (const TensorView* tensor : {pair.a, pair.b}) {
    const codec::Codec& codec = codec::get(tensor->codec);
    // A matrix of one row may stand as a vector in GGUF.
    const bool is_matrix = tensor->shape.size() == 1 || tensor->shape.size() == 2;
    if (!codec.real || !is_matrix || tensor->elements() == 0) {
      bad_input("{}: tensor '{}': expected a matrix of real numbers, got {} [{}]",
                name_of(checkpoint), printable(tensor->name, 200), codec.name,
                fmt::join(tensor->shape, ", "));
    }
  }
  if (pair.a->rows() != pair.b->columns()) {
    bad_input("{}: tensor '{}': expected {} columns, the rank of A, got {}", name_of(checkpoint),
              printable(pair.b->name, 200), pair.a->rows(), pair.b->columns());
  }
}

std::vector<AdapterPair> find_pairs(const Checkpoint& checkpoint, const PairNames& names) {
  if (!checkpoint.opaque.empty()) {
    const OpaqueTensor& tensor = checkpoint.opaque.front();
    fail(ErrorKind::unsupported, "{}: tensor '{}': {} is not supported", name_of(checkpoint),
         printable(tensor.name, 200), printable(tensor.type));
  }
  std::vector<AdapterPair> pairs;
  std::unordered_map<std::string, const TensorView*> up;
  const auto module_of = [&](std::string_view name, std::string_view ending) {
    name.remove_suffix(ending.size());
    if (name.starts_with(names.prefix)) name.remove_prefix(names.prefix.size());
    return std::string(name);
  };
  for (const TensorView& tensor : checkpoint.tensors) {
    if (tensor.name.ends_with(names.a_ending))
      pairs.push_back({.module = module_of(tensor.name, names.a_ending), .a = &tensor});
    else if (!tensor.name.ends_with(names.b_ending))
      refuse_tensor(checkpoint, tensor.name);
    else if (!up.emplace(module_of(tensor.name, names.b_ending), &tensor).second)
      bad_input("{}: tensor '{}': expected once, got it twice", name_of(checkpoint),
                printable(tensor.name, 200));
  }
  for (AdapterPair& pair : pairs) {
    const auto found = up.extract(pair.module);
    if (found.empty()) {
      bad_input("{}: tensor '{}': expected the B of it, got none", name_of(checkpoint),
                printable(pair.a->name, 200));
    }
    pair.b = found.mapped();
    check_pair(checkpoint, pair);
  }
  if (!up.empty()) {
    bad_input("{}: tensor '{}': expected the A of it, got none", name_of(checkpoint),
              printable(up.begin()->second->name, 200));
  }
  if (pairs.empty()) bad_input("{}: expected tensors of LoRA, got none", name_of(checkpoint));
  return pairs;
}

std::string digest_of(const std::string& config, const Checkpoint& checkpoint) {
  Digest digest(Digest::Kind::sha256);
  digest.update(fmt::format("{} ", config.size()));
  digest.update(config);
  for (const FileMap& map : checkpoint.maps) digest.update(map.bytes());
  return digest.hex();
}

AdapterFile open_peft(const fs::path& folder, const fs::path& weights) {
  const fs::path config_path = folder / kConfigFile;
  if (!is_there(config_path))
    bad_input("{}: expected {} of an adapter, got none", folder.string(), kConfigFile);
  const std::string text = read_text_file(config_path, kConfigBytesMax);
  const auto document = json::Document::parse(text, config_path.string());
  PeftConfig config = parse_peft_config(document->root());
  if (!is_there(weights)) {
    if (is_there(folder / kPickleFile)) {
      fail(ErrorKind::unsupported,
           "{}: {} is not read, as it may run programs: convert it to SafeTensors (load it with "
           "PEFT and save it again)",
           folder.string(), kPickleFile);
    }
    bad_input("{}: expected {}, got none", folder.string(), kWeightsFile);
  }
  AdapterFile adapter;
  adapter.checkpoint.container = Container::safetensors;
  adapter.checkpoint.path = weights;
  adapter.checkpoint.dialect = "PEFT";
  safetensors::add_file(adapter.checkpoint, weights);
  adapter.checkpoint.index();
  adapter.base_model = config.base_model;
  adapter.unknown_keys = std::move(config.unknown_keys);
  adapter.identity = digest_of(text, adapter.checkpoint);
  adapter.pairs = find_pairs(adapter.checkpoint, kPeftNames);
  for (AdapterPair& pair : adapter.pairs) {
    if (!config.has_rank_pattern && pair.rank() != config.rank) {
      bad_input("{}: tensor '{}': expected {} rows (r of {}), got {}", weights.string(),
                printable(pair.a->name, 200), config.rank, kConfigFile, pair.rank());
    }
    pair.scale = config.scale_of(pair.module, pair.rank());
  }
  return adapter;
}

bool is_gguf(const fs::path& path) {
  const FileMap map = FileMap::open(path);
  return as_text(map.bytes()).starts_with(gguf::kMagic);
}

}  // namespace

// One scale for all, by alpha and the rank of each; without alpha 1, as llama.cpp has it.
AdapterFile adapter_of(Checkpoint checkpoint) {
  AdapterFile adapter;
  adapter.checkpoint = std::move(checkpoint);
  const fs::path& path = adapter.checkpoint.path;
  const Metadata& keys = adapter.checkpoint.metadata;
  const auto require = [&](std::string_view key, std::string_view expected) {
    const std::string got = keys.get_string(key).value_or("");
    if (got != expected)
      bad_input("{}: {}: expected \"{}\", got \"{}\"", path.string(), key, expected,
                printable(got));
  };
  require("general.type", "adapter");
  require("adapter.type", "lora");
  if (keys.find("adapter.alora.invocation_tokens") != nullptr) {
    fail(ErrorKind::unsupported,
         "{}: adapter.alora.invocation_tokens: aLoRA (an adapter that begins at certain tokens) is "
         "not supported: expected a plain LoRA adapter",
         path.string());
  }
  const double alpha = keys.get_number("adapter.lora.alpha").value_or(0.0);
  if (!std::isfinite(alpha))
    bad_input("{}: adapter.lora.alpha: expected a number, got {}", path.string(), alpha);
  adapter.architecture = keys.get_string("general.architecture").value_or("");
  adapter.base_model = keys.get_string("general.base_model.0.name").value_or("");
  adapter.identity = digest_of("", adapter.checkpoint);
  adapter.pairs = find_pairs(adapter.checkpoint, kGgufNames);
  for (AdapterPair& pair : adapter.pairs)
    pair.scale = alpha == 0.0 ? 1.0 : alpha / static_cast<double>(pair.rank());
  return adapter;
}

AdapterFile open_adapter(const fs::path& path) {
  const DefaultFloatMode mode;  // numbers are read from text
  std::error_code error;
  if (fs::is_directory(path, error)) return open_peft(path, path / kWeightsFile);
  if (is_gguf(path)) return adapter_of(gguf::open(path, {}));
  if (path.extension() == ".safetensors") return open_peft(path.parent_path(), path);
  if (path.filename() == kPickleFile)
    return open_peft(path.parent_path(), path.parent_path() / kWeightsFile);
  bad_input("{}: expected an adapter: a PEFT folder, its {} or a GGUF file", path.string(),
            kWeightsFile);
}

}  // namespace bittern::format
