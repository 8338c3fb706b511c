// GGUF: header, dialect, tensors by value, vocabulary; and what is read can be written again.
#include "format/gguf/reader.h"
#include "format/gguf/writer.h"
#include "format/vocab.h"
#include "fuzz/target.h"

using namespace bittern;

namespace {

void decode_all(const format::Checkpoint& checkpoint) {
  std::vector<float> row;
  for (const TensorView& tensor : checkpoint.tensors) {
    if (tensor.elements() == 0) continue;  // its dimensions are bounded by nothing
    row.resize(static_cast<size_t>(tensor.columns()));
    for (int64_t i = 0; i < tensor.rows(); ++i) decode_rows(tensor, i, 1, row.data());
  }
}

void write_header(const format::Checkpoint& checkpoint) {
  std::vector<format::gguf::TensorPlan> plan;
  for (const TensorView& tensor : checkpoint.tensors)
    plan.push_back({tensor.name, tensor.codec, tensor.shape});
  format::gguf::encode_header(checkpoint.metadata, plan);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::accept_errors([&] {
    const auto checkpoint = format::gguf::read(fuzz::input(data, size), "fuzz.gguf");
    decode_all(checkpoint);
    write_header(checkpoint);
    format::read_vocab(checkpoint);
  });
}
