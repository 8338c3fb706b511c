// config.json: architecture, numbers, rotary tables, quantisation rules.
#include "base/json.h"
#include "fuzz/target.h"
#include "model/arch.h"
#include "model/config.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = as_text(fuzz::input(data, size));
  for (const model::ArchSpec& arch : model::arch_table())
    fuzz::accept_errors([&] {
      const auto document = json::Document::parse(text, "config.json");
      model::config_from_hf(document->root(), arch);
    });
  return 0;
}
