// Writing GGUF v3: key-values in their order, tensors in the order given, every tensor padded to
// the alignment. The bytes depend on the content alone, so a canonical file that is read and
// written comes out identical. Data is streamed; the file appears complete or not at all.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "format/checkpoint.h"

namespace bittern::format::gguf {

struct TensorPlan {
  std::string name;
  codec::Id codec = codec::Id::f32;
  std::vector<int64_t> shape;  // outermost first
};

// Bytes of the tensor's data, padding aside. Throws bad_input where its shape cannot be stored in
// its codec, Error{unsupported} where GGUF has no type for that.
int64_t data_bytes(const TensorPlan& tensor);

class Writer {
 public:
  // Writes everything up to the data section. Throws bad_input where a tensor cannot be stored
  // (its name, shape or codec), Error{resources} where the file cannot be written.
  Writer(const std::filesystem::path& path, const Metadata& metadata,
         std::span<const TensorPlan> tensors);
  // The next bytes of the data, in the order of the tensors; a tensor may come in many pieces,
  // but no piece may span two tensors.
  void write(Bytes piece);
  // After the last byte of the last tensor: everything is on disk, but under a temporary name.
  void seal();
  // Seals if that has not been done; the file appears under its name.
  void finish();

 private:
  void pad();

  AtomicFile file_;
  int64_t alignment_;
  std::vector<int64_t> tensor_bytes_;
  size_t current_ = 0;   // tensor being written
  int64_t written_ = 0;  // bytes of it
};

// The bytes of a file before its data section, padding included.
std::vector<std::byte> encode_header(const Metadata& metadata, std::span<const TensorPlan> tensors);

// A whole checkpoint at once.
void write(const std::filesystem::path& path, const Metadata& metadata,
           std::span<const TensorView> tensors);

}  // namespace bittern::format::gguf
