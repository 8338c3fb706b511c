// LoRA adapters: adapter_config.json of PEFT and the scales that follow from it, or a whole GGUF
// file and its pairs of tensors.
#include "base/json.h"
#include "format/adapter.h"
#include "format/gguf/header.h"
#include "format/gguf/reader.h"
#include "format/peft_config.h"
#include "fuzz/target.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes = fuzz::input(data, size);
  return fuzz::accept_errors([&] {
    if (as_text(bytes).starts_with(format::gguf::kMagic)) {
      format::adapter_of(format::gguf::read(bytes, "adapter.gguf", {}));
      return;
    }
    const auto document = json::Document::parse(as_text(bytes), "adapter_config.json");
    const format::PeftConfig config = format::parse_peft_config(document->root());
    for (const char* module : {"", "q_proj", "model.layers.0.self_attn.q_proj"})
      config.scale_of(module, config.rank);
  });
}
