// What a file or folder holds once opened: metadata, a directory of tensors, and the maps that
// keep their bytes alive. Plain data: quantisers, benchmarks and tests build one in memory.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/file_map.h"
#include "base/json.h"
#include "codec/tensor_view.h"
#include "format/rotation.h"

namespace bittern::format {

enum class Container { gguf, safetensors, hf_folder };
std::string_view container_name(Container container);

// One GGUF metadata value. Integers keep their width so that a file can be written back byte
// for byte; readers use the lenient accessors of Metadata.
enum class ValueType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12
};
// Bytes of one value of a number type; 0 for strings and arrays.
int value_bytes(ValueType type);
struct MetadataValue {
  ValueType type = ValueType::u32;          // of the value, or `array`
  ValueType element_type = ValueType::u32;  // of an array's elements
  // Scalars and number arrays as their little-endian bytes; strings apart.
  std::vector<std::byte> raw;
  std::vector<std::string> strings;
  int64_t count = 1;  // elements of an array
};

// Ordered key-values with lenient typed reads: any integer width serves an integer, any number a
// float. A value of another kind is bad_input naming file and key.
class Metadata {
 public:
  void set(std::string key, MetadataValue value);  // appends, or replaces in place
  const MetadataValue* find(std::string_view key) const;
  const std::vector<std::pair<std::string, MetadataValue>>& entries() const { return entries_; }

  std::optional<int64_t> get_integer(std::string_view key) const;
  std::optional<double> get_number(std::string_view key) const;
  std::optional<bool> get_boolean(std::string_view key) const;
  std::optional<std::string> get_string(std::string_view key) const;
  // Arrays; nothing where absent.
  std::optional<std::vector<int64_t>> get_integers(std::string_view key) const;
  std::optional<std::vector<float>> get_floats(std::string_view key) const;
  const std::vector<std::string>* get_strings(std::string_view key) const;

  std::string file_name;  // named in errors

 private:
  std::vector<std::pair<std::string, MetadataValue>> entries_;
  std::unordered_map<std::string, size_t> index_;
};

// Constructors of metadata values, for writers and tests.
MetadataValue value_of(uint32_t value);
MetadataValue value_of(int32_t value);
MetadataValue value_of(uint64_t value);
MetadataValue value_of(float value);
MetadataValue value_of(bool value);
MetadataValue value_of(std::string value);
MetadataValue value_of(const char* value);  // or a literal would become a boolean
MetadataValue value_of(std::vector<std::string> values);
MetadataValue value_of(std::vector<int32_t> values);
MetadataValue value_of(std::vector<float> values);

// A tensor whose number format has no codec yet: checked and listed, never computed with.
struct OpaqueTensor {
  std::string name;
  std::string type;  // as the file says it: "F8_E4M3"
  std::vector<int64_t> shape;
  Bytes bytes;
};

struct Checkpoint {
  Container container = Container::gguf;
  std::filesystem::path path;
  std::string dialect;  // "gguf v3 (mainline)", "gguf v3 (bitnet.cpp)", "safetensors", ...

  Metadata metadata;  // GGUF only
  // Weights in a rotated basis (GGUF of PrismML): who computes with them must rotate, or refuse.
  std::optional<Rotation> rotation;
  // Hugging Face folder (or the folder beside a lone .safetensors): null where absent.
  std::unique_ptr<json::Document> config;
  std::unique_ptr<json::Document> generation_config;
  std::unique_ptr<json::Document> tokenizer;
  std::unique_ptr<json::Document> tokenizer_config;
  std::map<std::string, std::string> safetensors_metadata;

  std::vector<TensorView> tensors;  // in file order, names unique
  const TensorView* find(std::string_view name) const;
  std::vector<OpaqueTensor> opaque;  // in file order; names unique over both
  const OpaqueTensor* find_opaque(std::string_view name) const;
  void index();  // builds the name index after both are filled; throws on a duplicate

  std::vector<FileMap> maps;                    // keep the bytes alive
  std::vector<std::vector<std::byte>> buffers;  // likewise, for tensors built in memory

 private:
  std::unordered_map<std::string_view, size_t> by_name_;
};

struct OpenOptions {
  // Decides a dialect that sizes cannot: "mainline", "bitnet", "prism-legacy", ... (empty: by
  // the resolver). Given by --gguf-dialect.
  std::string gguf_dialect;
};

// Opens a GGUF file (any split), a .safetensors file, its index.json, or a Hugging Face folder,
// decided by content. Throws Error{bad_input}: not a model, truncated, inconsistent, ...
Checkpoint open_checkpoint(const std::filesystem::path& path, const OpenOptions& options = {});

}  // namespace bittern::format
