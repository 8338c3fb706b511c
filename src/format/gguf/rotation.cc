#include "format/gguf/rotation.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "base/checked_math.h"
#include "base/error.h"

namespace bittern::format::gguf {
namespace {

constexpr std::string_view kPrefix = "prism.";
constexpr std::string_view kHadamard = "prism.hadamard.";
constexpr std::string_view kKnown[] = {
    "version",      "block_size",   "transform",   "axis",
    "sign_mode",    "sign_widths",  "sign_values", "inverse_weight_names",
    "weight_names", "gdn_v_grouped"};
constexpr int64_t kVersion = 1;
constexpr int64_t kBlockSizeMax = 1 << 20;

std::string key_of(std::string_view name) { return fmt::format("{}{}", kHadamard, name); }

// Whether there is any key of the contract; refuses those that are not in it.
bool has_contract(const Metadata& metadata) {
  bool found = false;
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(kPrefix)) continue;
    found = true;
    const bool known = key.starts_with(kHadamard) &&
                       std::ranges::find(kKnown, std::string_view(key).substr(kHadamard.size())) !=
                           std::end(kKnown);
    if (!known)
      fail(ErrorKind::unsupported,
           "{}: {}: an unknown key that may change the meaning of the weights", metadata.file_name,
           printable(key));
  }
  return found;
}

class Reader {
 public:
  explicit Reader(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint), metadata_(checkpoint.metadata) {}

  Rotation read() {
    require_version();
    require_text("transform", "normalized-sylvester-walsh-hadamard");
    require_text("axis", "input-last-dimension");
    Rotation rotation;
    rotation.block_size = read_block_size();
    rotation.signs = read_signs();
    rotation.weights = read_names("weight_names");
    if (rotation.weights.empty())
      bad_input("{}: {}: at least one tensor expected, got none", metadata_.file_name,
                key_of("weight_names"));
    rotation.inverse_weights = read_names("inverse_weight_names");
    rotation.grouped_value_heads = metadata_.get_boolean(key_of("gdn_v_grouped")).value_or(false);
    for (const std::string& name : rotation.weights) check_width(rotation, name);
    for (const std::string& name : rotation.inverse_weights) check_width(rotation, name);
    return rotation;
  }

 private:
  int64_t require_integer(std::string_view name) {
    const auto value = metadata_.get_integer(key_of(name));
    if (!value)
      bad_input("{}: {}: an integer expected, got none", metadata_.file_name, key_of(name));
    return *value;
  }

  void require_version() {
    const int64_t version = require_integer("version");
    if (version != kVersion)
      fail(ErrorKind::unsupported, "{}: {}: {} expected, got {}", metadata_.file_name,
           key_of("version"), kVersion, version);
  }

  void require_text(std::string_view name, std::string_view expected) {
    const auto value = metadata_.get_string(key_of(name));
    if (value != expected)
      fail(ErrorKind::unsupported, "{}: {}: '{}' expected, got {}", metadata_.file_name,
           key_of(name), expected, value ? fmt::format("'{}'", printable(*value)) : "none");
  }

  int64_t read_block_size() {
    const int64_t size = require_integer("block_size");
    if (size < 2 || size > kBlockSizeMax || !std::has_single_bit(static_cast<uint64_t>(size)))
      bad_input("{}: {}: a power of two from 2 to {} expected, got {}", metadata_.file_name,
                key_of("block_size"), kBlockSizeMax, size);
    return size;
  }

  std::vector<Rotation::Signs> read_signs() {
    const auto widths = metadata_.get_integers(key_of("sign_widths"));
    const auto values = metadata_.get_integers(key_of("sign_values"));
    const std::string mode = metadata_.get_string(key_of("sign_mode")).value_or("(none)");
    if (mode == "identity") {
      if ((widths && !widths->empty()) || (values && !values->empty()))
        bad_input("{}: {}: no signs expected with 'identity', got some", metadata_.file_name,
                  key_of("sign_values"));
      return {};
    }
    if (mode != "explicit")
      fail(ErrorKind::unsupported, "{}: {}: 'identity' or 'explicit' expected, got '{}'",
           metadata_.file_name, key_of("sign_mode"), printable(mode));
    if (!widths || !values || widths->empty())
      bad_input("{}: {}: signs expected with 'explicit', got none", metadata_.file_name,
                key_of("sign_values"));
    return cut_signs(*widths, *values);
  }

  std::vector<Rotation::Signs> cut_signs(const std::vector<int64_t>& widths,
                                         const std::vector<int64_t>& values) {
    std::vector<Rotation::Signs> signs;
    size_t position = 0;
    for (const int64_t width : widths) {
      const bool twice = std::ranges::any_of(
          signs, [width](const Rotation::Signs& known) { return known.width == width; });
      if (width <= 0 || static_cast<uint64_t>(width) > values.size() - position || twice)
        bad_input("{}: {}: distinct widths that add up to {} expected, got {}", metadata_.file_name,
                  key_of("sign_widths"), values.size(), fmt::join(widths, ", "));
      Rotation::Signs row{width, {}};
      for (; std::ssize(row.values) < width; ++position) {
        if (values[position] != 1 && values[position] != -1)
          bad_input("{}: {}: 1 or -1 expected, got {}", metadata_.file_name, key_of("sign_values"),
                    values[position]);
        row.values.push_back(static_cast<int8_t>(values[position]));
      }
      signs.push_back(std::move(row));
    }
    if (position != values.size())
      bad_input("{}: {}: {} signs expected by the widths, got {}", metadata_.file_name,
                key_of("sign_values"), position, values.size());
    return signs;
  }

  std::vector<std::string> read_names(std::string_view key) {
    const std::vector<std::string>* names = metadata_.get_strings(key_of(key));
    if (names == nullptr) return {};
    std::unordered_set<std::string_view> seen;
    for (const std::string& name : *names) {
      if (!seen.insert(name).second)
        bad_input("{}: {}: unique names expected, got '{}' twice", metadata_.file_name, key_of(key),
                  printable(name));
    }
    return *names;
  }

  // The width of the weight's input must be made of whole blocks, and have signs if any has.
  void check_width(const Rotation& rotation, const std::string& name) {
    const TensorView* tensor = checkpoint_.find(name);
    const OpaqueTensor* opaque = tensor == nullptr ? checkpoint_.find_opaque(name) : nullptr;
    if (tensor == nullptr && opaque == nullptr)
      bad_input("{}: {}: a tensor of the file expected, got '{}'", metadata_.file_name,
                key_of("weight_names"), printable(name));
    const std::vector<int64_t>& shape = tensor != nullptr ? tensor->shape : opaque->shape;
    const int64_t width = shape.empty() ? 1 : shape.back();
    if (width % rotation.block_size != 0)
      bad_input("{}: tensor '{}': columns in blocks of {} expected by its rotation, got {}",
                metadata_.file_name, printable(name), rotation.block_size, width);
    if (!rotation.signs.empty() && rotation.signs_of(width) == nullptr)
      bad_input("{}: {}: signs for the {} columns of tensor '{}' expected, got none",
                metadata_.file_name, key_of("sign_widths"), width, printable(name));
  }

  const Checkpoint& checkpoint_;
  const Metadata& metadata_;
};

}  // namespace

std::optional<Rotation> read_rotation(const Checkpoint& checkpoint) {
  if (!has_contract(checkpoint.metadata)) return std::nullopt;
  return Reader(checkpoint).read();
}

void refuse_prism_keys(const Metadata& metadata) {
  if (has_contract(metadata))
    bad_input("{}: prism.*: keys expected in the first part only, got one here",
              metadata.file_name);
}

}  // namespace bittern::format::gguf
