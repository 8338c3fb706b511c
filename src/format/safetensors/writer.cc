#include "format/safetensors/writer.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/check.h"
#include "base/checked_math.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "format/safetensors/dtypes.h"

namespace bittern::format::safetensors {
namespace {

constexpr size_t kHeaderAlignment = 8;
constexpr std::string_view kMetadataKey = "__metadata__";

const Dtype& dtype_of(const TensorPlan& tensor) {
  const Dtype* dtype = find_dtype(tensor.codec);
  if (dtype == nullptr)
    fail(ErrorKind::unsupported, "tensor '{}': SafeTensors has no type for {}",
         printable(tensor.name), codec::get(tensor.codec).name);
  return *dtype;
}

int64_t bytes_of(const TensorPlan& tensor) {
  const auto elements = checked_product(tensor.shape);
  const auto bytes =
      elements ? checked_multiply(*elements, dtype_of(tensor).bits / 8) : std::nullopt;
  if (!bytes)
    bad_input("tensor '{}': shape [{}] has more than 2^63 bytes", printable(tensor.name),
              fmt::join(tensor.shape, ", "));
  return *bytes;
}

std::vector<size_t> data_order(std::span<const TensorPlan> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const Dtype* left = &dtype_of(tensors[a]);
    const Dtype* right = &dtype_of(tensors[b]);
    return left != right ? left > right : tensors[a].name < tensors[b].name;
  });
  return order;
}

void check_names(std::span<const TensorPlan> tensors) {
  std::unordered_set<std::string_view> names;
  for (const TensorPlan& tensor : tensors) {
    if (!utf8::is_valid(tensor.name) || tensor.name == kMetadataKey)
      bad_input("tensor '{}': a UTF-8 name that SafeTensors does not reserve expected",
                printable(tensor.name));
    if (!names.insert(tensor.name).second)
      bad_input("tensor '{}': a unique name expected, got it twice", printable(tensor.name));
  }
}

}  // namespace

Writer::Writer(const std::filesystem::path& path,
               const std::map<std::string, std::string>& metadata,
               std::span<const TensorPlan> tensors)
    : file_(path), order_(data_order(tensors)) {
  check_names(tensors);
  JsonBuilder header = JsonBuilder::object();
  if (!metadata.empty()) {
    JsonBuilder& target = header[std::string(kMetadataKey)];
    for (const auto& [key, value] : metadata) target[key] = value;
  }
  for (const size_t i : order_) {
    const TensorPlan& tensor = tensors[i];
    const auto end = checked_add(data_bytes_, bytes_of(tensor));
    if (!end) bad_input("tensor '{}': the file would pass 2^63 bytes", printable(tensor.name));
    header.push_back({tensor.name,
                      {{"dtype", dtype_of(tensor).name},
                       {"shape", tensor.shape},
                       {"data_offsets", {data_bytes_, *end}}}});
    data_bytes_ = *end;
  }
  std::string text = to_text(header);
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  std::byte length[8];
  store(length, static_cast<uint64_t>(text.size()));
  file_.write(Bytes(length));
  file_.write(text);
}

void Writer::write(Bytes piece) {
  written_ += static_cast<int64_t>(piece.size());
  BITTERN_CHECK(written_ <= data_bytes_, "{} bytes of {}", written_, data_bytes_);
  file_.write(piece);
}

void Writer::finish() {
  BITTERN_CHECK(written_ == data_bytes_, "{} bytes of {}", written_, data_bytes_);
  file_.commit();
}

void write(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
           std::span<const TensorView> tensors) {
  std::vector<TensorPlan> plan;
  for (const TensorView& tensor : tensors)
    plan.push_back({tensor.name, tensor.codec, tensor.shape});
  Writer writer(path, metadata, plan);
  for (const size_t i : writer.order()) writer.write(tensors[i].bytes);
  writer.finish();
}

}  // namespace bittern::format::safetensors
