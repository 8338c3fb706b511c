// Writing SafeTensors as the reference does: compact JSON padded with spaces to a multiple of 8,
// tensors by descending dtype and then by name, so that data is naturally aligned and the bytes
// depend on the content alone. Data is streamed; the file appears complete or not at all.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "format/checkpoint.h"

namespace bittern::format::safetensors {

struct TensorPlan {
  std::string name;
  codec::Id codec = codec::Id::f32;
  std::vector<int64_t> shape;
};

class Writer {
 public:
  // Throws bad_input where a tensor cannot be stored (its name, shape or codec),
  // Error{resources} where the file cannot be written.
  Writer(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
         std::span<const TensorPlan> tensors);
  // Positions in `tensors` in the order in which their data must come.
  const std::vector<size_t>& order() const { return order_; }
  // The next bytes of the data, in any pieces.
  void write(Bytes piece);
  // After the last byte: the file appears under its name.
  void finish();

 private:
  AtomicFile file_;
  std::vector<size_t> order_;
  int64_t data_bytes_ = 0;  // expected in all
  int64_t written_ = 0;
};

// Whole tensors at once, in any order.
void write(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
           std::span<const TensorView> tensors);

}  // namespace bittern::format::safetensors
