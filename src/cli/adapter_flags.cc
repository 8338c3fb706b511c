#include "cli/adapter_flags.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "format/adapter.h"

namespace bittern::cli {
namespace {

// "FILE:SCALE"; the last colon counts.
std::pair<std::string, float> parse_scaled(const std::string& word) {
  const size_t colon = word.rfind(':');
  std::optional<double> scale;
  if (colon != std::string::npos) scale = parse_number(word.substr(colon + 1));
  if (!scale || colon == 0)
    fail(ErrorKind::usage, "--lora-scaled: FILE:SCALE expected, got \"{}\"", printable(word));
  return {word.substr(0, colon), static_cast<float>(*scale)};
}

}  // namespace

void AdapterFlags::declare(Flags& flags) {
  flags.texts({"--lora", "FILE",
               "Add a LoRA adapter: a PEFT folder, its SafeTensors file or a GGUF file. "
               "Repeatable."},
              &files);
  flags.texts({"--lora-scaled", "FILE:SCALE", "The same, multiplied by SCALE. Repeatable."},
              &scaled);
}

std::shared_ptr<const model::AdapterSet> AdapterFlags::load(const model::Model& model,
                                                            backend::Backend& backend,
                                                            const Log& log) const {
  std::vector<std::pair<std::string, float>> wanted;
  for (const std::string& file : files) wanted.emplace_back(file, 1.0f);
  for (const std::string& word : scaled) wanted.push_back(parse_scaled(word));
  std::vector<model::AdapterSet::Entry> entries;
  for (const auto& [path, scale] : wanted) {
    const format::AdapterFile file = format::open_adapter(path);
    for (const std::string& key : file.unknown_keys)
      log.warning("{}: adapter_config.json: {} is not known, and passed over", path,
                  printable(key));
    auto adapter = model::bind_adapter(file, model, backend);
    log.detail("{}: adapter of rank {} for {} linear layers, {:.1f} MiB, scale {}", path,
               adapter->rank, adapter->deltas.size(),
               static_cast<double>(adapter->resident_bytes) / (1 << 20), scale);
    entries.push_back({std::move(adapter), scale});
  }
  auto set = std::make_shared<const model::AdapterSet>(std::move(entries));
  return set->empty() ? nullptr : set;
}

}  // namespace bittern::cli
