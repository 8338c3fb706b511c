// config.json: architecture, numbers, rotary tables, quantisation rules; then what is computed
// from accepted numbers before any tensor has been looked at.
#include "base/json.h"
#include "fuzz/target.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/plan.h"
#include "model/rope.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = as_text(fuzz::input(data, size));
  for (const model::ArchSpec& arch : model::arch_table())
    fuzz::accept_errors([&] {
      const auto document = json::Document::parse(text, "config.json");
      const model::Config config = model::config_from_hf(document->root(), arch);
      const int64_t context = model::planned_context(config, 0);
      model::rope_frequencies(config, config.rope, context);
      if (config.window_rope) model::rope_frequencies(config, *config.window_rope, context);
      model::plan_memory(config, {}, {});
    });
  return 0;
}
