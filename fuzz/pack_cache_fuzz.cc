// Files of packed weights: the directory, then every byte that it points at.
#include "backend/cpu/pack_file.h"
#include "base/check.h"
#include "fuzz/target.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::accept_errors([&] {
    const auto directory = backend::parse_pack(fuzz::input(data, size), "fuzz.pack");
    for (const backend::PackEntry& entry : directory.entries) {
      backend::pack_checksum(entry.data);
      BITTERN_CHECK(directory.find(entry.key) == &entry, "entry {}", entry.layout);
    }
    // What can be read takes as many bytes when it is written.
    BITTERN_CHECK(backend::pack_bytes(directory) == static_cast<int64_t>(size), "{}", size);
  });
}
