#include "format/gguf/writer.h"

#include "base/check.h"
#include "base/checked_math.h"
#include "format/gguf/header.h"
#include "format/gguf/types.h"
#include "format/limits.h"

namespace bittern::format::gguf {
namespace {

constexpr uint32_t kVersion = 3;

class HeaderBytes {
 public:
  template <typename T>
  void put(T value) {
    const size_t position = bytes.size();
    bytes.resize(position + sizeof value);
    store(bytes.data() + position, value);
  }
  void put_bytes(Bytes more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
  void put_string(std::string_view text) {
    put(static_cast<uint64_t>(text.size()));
    put_bytes(std::as_bytes(std::span(text)));
  }
  void pad(int64_t alignment) {
    const auto padded = checked_align(static_cast<int64_t>(bytes.size()), alignment);
    bytes.resize(static_cast<size_t>(padded.value()));
  }

  std::vector<std::byte> bytes;
};

void put_value(HeaderBytes& out, const MetadataValue& value) {
  out.put(static_cast<uint32_t>(value.type));
  if (value.type == ValueType::array) {
    out.put(static_cast<uint32_t>(value.element_type));
    out.put(static_cast<uint64_t>(value.count));
  }
  for (const std::string& text : value.strings) out.put_string(text);
  out.put_bytes(value.raw);
}

const TypeRow& type_of(const TensorPlan& tensor) {
  const TypeRow* type = find_type(tensor.codec);
  if (type == nullptr)
    fail(ErrorKind::unsupported, "tensor '{}': GGUF has no type for {}", printable(tensor.name),
         codec::get(tensor.codec).name);
  return *type;
}

void put_info(HeaderBytes& out, const TensorPlan& tensor, int64_t offset) {
  if (tensor.name.size() > kTensorNameBytesMax)
    bad_input("tensor '{}': GGUF names have at most {} bytes, got {}", printable(tensor.name),
              kTensorNameBytesMax, tensor.name.size());
  if (tensor.shape.size() > kDimensionsMax)
    bad_input("tensor '{}': GGUF tensors have at most {} dimensions, got {}",
              printable(tensor.name), kDimensionsMax, tensor.shape.size());
  out.put_string(tensor.name);
  out.put(static_cast<uint32_t>(tensor.shape.size()));
  for (size_t i = tensor.shape.size(); i > 0; --i) out.put(tensor.shape[i - 1]);
  out.put(type_of(tensor).id);
  out.put(static_cast<uint64_t>(offset));
}

}  // namespace

int64_t data_bytes(const TensorPlan& tensor) {
  const TypeRow& type = type_of(tensor);
  std::optional<int64_t> bytes;
  if (checked_product(tensor.shape)) {
    TensorView view;
    view.shape = tensor.shape;
    bytes = tensor_bytes(type, view.rows(), view.columns());
  }
  if (!bytes)
    bad_input("tensor '{}': shape [{}] cannot be stored as {}", printable(tensor.name),
              fmt::join(tensor.shape, ", "), type.name);
  return *bytes;
}

std::vector<std::byte> encode_header(const Metadata& metadata,
                                     std::span<const TensorPlan> tensors) {
  HeaderBytes out;
  out.put_bytes(std::as_bytes(std::span(kMagic)));
  out.put(kVersion);
  out.put(static_cast<uint64_t>(tensors.size()));
  out.put(static_cast<uint64_t>(metadata.entries().size()));
  for (const auto& [key, value] : metadata.entries()) {
    out.put_string(key);
    put_value(out, value);
  }
  const int64_t alignment = alignment_of(metadata);
  int64_t offset = 0;
  for (const TensorPlan& tensor : tensors) {
    put_info(out, tensor, offset);
    const auto end = checked_add(offset, data_bytes(tensor));
    const auto padded = end ? checked_align(*end, alignment) : std::nullopt;
    if (!padded) bad_input("tensor '{}': the file would pass 2^63 bytes", printable(tensor.name));
    offset = *padded;
  }
  out.pad(alignment);
  return std::move(out.bytes);
}

Writer::Writer(const std::filesystem::path& path, const Metadata& metadata,
               std::span<const TensorPlan> tensors)
    : file_(path), alignment_(alignment_of(metadata)) {
  file_.write(encode_header(metadata, tensors));
  for (const TensorPlan& tensor : tensors) tensor_bytes_.push_back(data_bytes(tensor));
}

void Writer::pad() {
  const int64_t position = file_.bytes_written();
  const int64_t padding = checked_align(position, alignment_).value() - position;
  file_.write(std::vector<std::byte>(static_cast<size_t>(padding)));
}

void Writer::write(Bytes piece) {
  // Tensors without elements have nothing to write and no padding.
  while (current_ < tensor_bytes_.size() && tensor_bytes_[current_] == 0) ++current_;
  if (piece.empty()) return;
  BITTERN_CHECK(current_ < tensor_bytes_.size(), "data after the last tensor");
  written_ += static_cast<int64_t>(piece.size());
  BITTERN_CHECK(written_ <= tensor_bytes_[current_], "tensor {}: {} bytes of {}", current_,
                written_, tensor_bytes_[current_]);
  file_.write(piece);
  if (written_ < tensor_bytes_[current_]) return;
  pad();
  written_ = 0;
  ++current_;
}

void Writer::seal() {
  write({});
  BITTERN_CHECK(current_ == tensor_bytes_.size(), "{} of {} tensors written", current_,
                tensor_bytes_.size());
  file_.seal();
}

void Writer::finish() {
  seal();
  file_.commit();
}

void write(const std::filesystem::path& path, const Metadata& metadata,
           std::span<const TensorView> tensors) {
  std::vector<TensorPlan> plan;
  for (const TensorView& tensor : tensors)
    plan.push_back({tensor.name, tensor.codec, tensor.shape});
  Writer writer(path, metadata, plan);
  for (const TensorView& tensor : tensors) writer.write(tensor.bytes);
  writer.finish();
}

}  // namespace bittern::format::gguf
