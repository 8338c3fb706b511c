#include "format/gguf/split_writer.h"

#include "base/check.h"
#include "base/checked_math.h"
#include "base/error.h"
#include "format/gguf/header.h"
#include "format/gguf/split.h"

namespace bittern::format::gguf {
namespace {

// The tensors of every part, in order.
std::vector<std::vector<TensorPlan>> cut(std::span<const TensorPlan> tensors, int64_t alignment,
                                         const SplitLimits& limits) {
  std::vector<std::vector<TensorPlan>> parts(1);
  int64_t part_bytes = 0;
  for (const TensorPlan& tensor : tensors) {
    const auto bytes = checked_align(data_bytes(tensor), alignment);
    const auto sum = bytes ? checked_add(part_bytes, *bytes) : std::nullopt;
    if (!sum) bad_input("tensor '{}': a part would pass 2^63 bytes", printable(tensor.name));
    const bool full = (limits.data_bytes > 0 && *sum > limits.data_bytes) ||
                      (limits.tensors > 0 && std::ssize(parts.back()) >= limits.tensors);
    if (full && !parts.back().empty()) {
      parts.emplace_back();
      part_bytes = 0;
    }
    parts.back().push_back(tensor);
    part_bytes += *bytes;
  }
  return parts;
}

MetadataValue value_of_u16(int64_t value) {
  MetadataValue result;
  result.type = ValueType::u16;
  result.raw.resize(sizeof(uint16_t));
  store(result.raw.data(), static_cast<uint16_t>(value));
  return result;
}

bool is_split_key(std::string_view key) {
  return key == kSplitIndexKey || key == kSplitCountKey || key == kSplitTensorsKey;
}

// The model's keys; a model read from a set brings that set's keys along.
Metadata without_split_keys(const Metadata& metadata) {
  Metadata result;
  for (const auto& [key, value] : metadata.entries())
    if (!is_split_key(key)) result.set(key, value);
  return result;
}

Metadata part_metadata(const Metadata& model, int64_t index, int64_t count, int64_t tensors) {
  Metadata result;
  if (index == 0) {
    result = model;
  } else if (const MetadataValue* alignment = model.find(kAlignmentKey)) {
    result.set(std::string(kAlignmentKey), *alignment);
  }
  result.set(std::string(kSplitIndexKey), value_of_u16(index));
  result.set(std::string(kSplitCountKey), value_of_u16(count));
  result.set(std::string(kSplitTensorsKey), value_of(static_cast<int32_t>(tensors)));
  return result;
}

}  // namespace

SplitWriter::SplitWriter(const std::filesystem::path& path, const Metadata& metadata,
                         std::span<const TensorPlan> tensors, const SplitLimits& limits) {
  const Metadata model = without_split_keys(metadata);
  auto cuts = cut(tensors, alignment_of(model), limits);
  const int64_t count = std::ssize(cuts);
  if (count > kSplitCountMax)
    bad_input("{}: at most {} parts expected, the limits give {}", path.string(), kSplitCountMax,
              count);
  const bool plain = count == 1;
  const std::string prefix = (path.parent_path() / path.stem()).string();
  for (int64_t index = 0; index < count; ++index) {
    paths_.push_back(plain ? path : std::filesystem::path(prefix + split_suffix(index, count)));
    parts_.push_back({std::move(cuts[static_cast<size_t>(index)]),
                      plain ? model : part_metadata(model, index, count, std::ssize(tensors))});
  }
  open_next();
}

void SplitWriter::open_next() {
  const size_t index = writers_.size();
  writers_.push_back(
      std::make_unique<Writer>(paths_[index], parts_[index].metadata, parts_[index].tensors));
  tensor_ = 0;
  written_ = 0;
}

// Behind whole tensors, those without elements included; seals parts that are complete.
void SplitWriter::skip_empty_tensors() {
  while (true) {
    const std::vector<TensorPlan>& tensors = parts_[writers_.size() - 1].tensors;
    while (tensor_ < tensors.size() && data_bytes(tensors[tensor_]) == 0) ++tensor_;
    if (tensor_ < tensors.size() || writers_.size() == parts_.size()) return;
    writers_.back()->seal();
    open_next();
  }
}

void SplitWriter::write(Bytes piece) {
  if (piece.empty()) return;
  skip_empty_tensors();
  const std::vector<TensorPlan>& tensors = parts_[writers_.size() - 1].tensors;
  writers_.back()->write(piece);  // which checks that it belongs to a tensor, and to one only
  written_ += static_cast<int64_t>(piece.size());
  if (written_ < data_bytes(tensors[tensor_])) return;
  ++tensor_;
  written_ = 0;
}

void SplitWriter::finish() {
  skip_empty_tensors();
  BITTERN_CHECK(writers_.size() == parts_.size(), "{} of {} parts written", writers_.size(),
                parts_.size());
  writers_.back()->seal();
  for (size_t i = writers_.size(); i > 0; --i) writers_[i - 1]->finish();
}

}  // namespace bittern::format::gguf
