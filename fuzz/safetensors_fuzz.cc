// SafeTensors: header, tiling, tensors by value.
#include "format/safetensors/reader.h"
#include "fuzz/target.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::accept_errors([&] {
    const auto checkpoint = format::safetensors::read(fuzz::input(data, size), "fuzz.safetensors");
    std::vector<float> row;
    for (const TensorView& tensor : checkpoint.tensors) {
      if (tensor.elements() == 0) continue;  // its dimensions are bounded by nothing
      row.resize(static_cast<size_t>(tensor.columns()));
      for (int64_t i = 0; i < tensor.rows(); ++i) decode_rows(tensor, i, 1, row.data());
    }
  });
}
