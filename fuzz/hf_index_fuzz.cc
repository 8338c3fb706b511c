// model.safetensors.index.json: whatever it says, only plain file names come out.
#include "format/safetensors/shards.h"
#include "fuzz/target.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::accept_errors([&] {
    const auto index =
        format::safetensors::parse_index(as_text(fuzz::input(data, size)), "index.json");
    for (const std::string& file : index.files)
      if (file.find('/') != std::string::npos) __builtin_trap();
  });
}
