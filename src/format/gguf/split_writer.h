// Writing a model as a set of GGUF files, cut between tensors by bytes or by count:
//
//   PREFIX-00001-of-00003.gguf   the key-values, split.no 0, split.count 3, split.tensors.count
//   PREFIX-00002-of-00003.gguf   split.* alone (and general.alignment where the model sets it)
//
// Every part is written under a temporary name; only when all are on disk are they renamed, the
// first part last. Readers begin with that one, so an interruption leaves nothing that opens.
// What fits into one part is written as one plain file.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "format/gguf/writer.h"

namespace bittern::format::gguf {

// Limits of one part; 0 for none. A tensor larger than `data_bytes` has a part of its own.
struct SplitLimits {
  int64_t data_bytes = 0;  // of tensors, padding included
  int64_t tensors = 0;
};

class SplitWriter {
 public:
  // `path` is the name of the whole, PREFIX.gguf. Throws as Writer, and bad_input where the parts
  // would be more than the format counts.
  SplitWriter(const std::filesystem::path& path, const Metadata& metadata,
              std::span<const TensorPlan> tensors, const SplitLimits& limits);

  // The files of the set, in order.
  const std::vector<std::filesystem::path>& paths() const { return paths_; }

  // As Writer: the data in the order of the tensors, no piece over two of them.
  void write(Bytes piece);
  void finish();

 private:
  struct Part {
    std::vector<TensorPlan> tensors;
    Metadata metadata;
  };
  void open_next();
  void skip_empty_tensors();

  std::vector<std::filesystem::path> paths_;
  std::vector<Part> parts_;
  std::vector<std::unique_ptr<Writer>> writers_;  // of the parts begun; all but the last sealed
  size_t tensor_ = 0;                             // of the current part, being written
  int64_t written_ = 0;                           // bytes of it
};

}  // namespace bittern::format::gguf
