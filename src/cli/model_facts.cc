#include "cli/model_facts.h"

#include <algorithm>
#include <cmath>

#include "base/checked_math.h"
#include "base/error.h"
#include "cli/flags.h"
#include "format/vocab.h"
#include "model/arch.h"
#include "model/bind.h"

namespace bittern::cli {
namespace {

using format::MetadataValue;
using format::ValueType;

// 0.7f as 0.7, not as 0.699999988079071.
JsonBuilder shortest(float value) { return parse_number(fmt::format("{}", value)).value_or(value); }

// One number of a metadata value, by its type.
JsonBuilder number(ValueType type, const std::byte* at) {
  switch (type) {
    case ValueType::u8:
      return load<uint8_t>(at);
    case ValueType::i8:
      return load<int8_t>(at);
    case ValueType::u16:
      return load<uint16_t>(at);
    case ValueType::i16:
      return load<int16_t>(at);
    case ValueType::u32:
      return load<uint32_t>(at);
    case ValueType::i32:
      return load<int32_t>(at);
    case ValueType::u64:
      return load<uint64_t>(at);
    case ValueType::i64:
      return load<int64_t>(at);
    case ValueType::boolean:
      return load<uint8_t>(at) != 0;
    case ValueType::f32:
      return shortest(load<float>(at));
    case ValueType::f64:
      return load<double>(at);
    case ValueType::string:
    case ValueType::array:
      break;
  }
  return nullptr;
}

JsonBuilder to_json(const MetadataValue& value) {
  if (value.type == ValueType::string)
    return value.strings.empty() ? JsonBuilder("") : JsonBuilder(value.strings.front());
  if (value.type != ValueType::array) return number(value.type, value.raw.data());
  if (value.element_type == ValueType::string) return value.strings;
  JsonBuilder list = JsonBuilder::array();
  const auto width = static_cast<size_t>(format::value_bytes(value.element_type));
  for (size_t at = 0; width > 0 && at + width <= value.raw.size(); at += width)
    list.push_back(number(value.element_type, value.raw.data() + at));
  return list;
}

JsonBuilder to_json(const json::Value& value, std::string_view field) {
  switch (value.kind()) {
    case json::Kind::null:
      return nullptr;
    case json::Kind::boolean:
      return value.as_boolean(field);
    case json::Kind::integer:
      return value.as_number(field) > 0x1p62 ? JsonBuilder(value.as_unsigned(field))
                                             : JsonBuilder(value.as_integer(field));
    case json::Kind::number:
      return value.as_number(field);
    case json::Kind::string:
      return std::string(value.as_string(field));
    case json::Kind::array: {
      JsonBuilder list = JsonBuilder::array();
      for (const json::Value& element : value.elements(field))
        list.push_back(to_json(element, field));
      return list;
    }
    case json::Kind::object: {
      JsonBuilder object = JsonBuilder::object();
      for (const auto& [key, member] : value.members(field))
        object[std::string(key)] = to_json(member, field);
      return object;
    }
  }
  return nullptr;
}

bool is_packed_hf(const format::Checkpoint& checkpoint, const TensorView& tensor) {
  return tensor.codec == codec::Id::hf_ternary ||
         (tensor.codec == codec::Id::u8 && checkpoint.find(tensor.name + "_scale") != nullptr);
}

// Token embedding and head: what a low-bit model usually keeps in more bits.
bool is_vocabulary(std::string_view name) {
  return name == "token_embd.weight" || name == "output.weight" || name == "lm_head.weight" ||
         name.ends_with("embed_tokens.weight");
}

void add(TypeFacts& facts, int64_t elements, int64_t bytes) {
  ++facts.count;
  facts.elements += elements;
  facts.bytes += bytes;
}

TypeFacts& row_of(ModelFacts& facts, const std::string& type) {
  const auto row = std::find_if(facts.types.begin(), facts.types.end(),
                                [&](const TypeFacts& known) { return known.type == type; });
  return row != facts.types.end() ? *row : facts.types.emplace_back(TypeFacts{.type = type});
}

void gather_tensors(const format::Checkpoint& checkpoint, ModelFacts& facts) {
  for (const TensorView& tensor : checkpoint.tensors) {
    const std::string type = type_name(checkpoint, tensor);
    // Four ternary codes stand in each byte of a packed Hugging Face linear.
    const bool packed_bytes = tensor.codec == codec::Id::u8 && is_packed_hf(checkpoint, tensor);
    const int64_t elements = tensor.elements() * (packed_bytes ? 4 : 1);
    const auto bytes = static_cast<int64_t>(tensor.bytes.size());
    add(row_of(facts, type), elements, bytes);
    add(facts.all, elements, bytes);
    if (!is_vocabulary(tensor.name)) add(facts.body, elements, bytes);
  }
  for (const format::OpaqueTensor& tensor : checkpoint.opaque) {
    // The header's check has found this product in range.
    const int64_t elements = checked_product(tensor.shape).value();
    const auto bytes = static_cast<int64_t>(tensor.bytes.size());
    add(row_of(facts, tensor.type + " (no codec)"), elements, bytes);
    add(facts.all, elements, bytes);
    if (!is_vocabulary(tensor.name)) add(facts.body, elements, bytes);
  }
  std::stable_sort(facts.types.begin(), facts.types.end(),
                   [](const TypeFacts& a, const TypeFacts& b) { return a.bytes > b.bytes; });
}

void gather_metadata(const format::Checkpoint& checkpoint, ModelFacts& facts) {
  for (const auto& [key, value] : checkpoint.metadata.entries())
    facts.metadata.emplace_back(key, to_json(value));
  for (const auto& [key, value] : checkpoint.safetensors_metadata)
    facts.metadata.emplace_back(key, value);
  if (checkpoint.config && checkpoint.config->root().is(json::Kind::object))
    for (const auto& [key, value] : checkpoint.config->root().members("config.json"))
      facts.metadata.emplace_back(std::string(key), to_json(value, key));
}

std::string describe_tokenizer(const format::Checkpoint& checkpoint) {
  try {
    const text::VocabSpec vocab = format::read_vocab(checkpoint);
    return fmt::format("{}, {} tokens{}{}", text::model_name(vocab.model), vocab.tokens.size(),
                       vocab.split.empty() ? "" : ", split ", vocab.split);
  } catch (const Error& error) {
    return "none that runs here: " + error.message();
  }
}

}  // namespace

double TypeFacts::bits_per_weight() const {
  return elements > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(elements) : 0.0;
}

std::string type_name(const format::Checkpoint& checkpoint, const TensorView& tensor) {
  return is_packed_hf(checkpoint, tensor) ? "HF ternary"
                                          : std::string(codec::get(tensor.codec).name);
}

ModelFacts gather_facts(const format::Checkpoint& checkpoint, const model::PlanOptions& options) {
  ModelFacts facts;
  gather_metadata(checkpoint, facts);
  gather_tensors(checkpoint, facts);
  facts.tokenizer = describe_tokenizer(checkpoint);
  try {
    const model::ArchSpec& arch = model::find_architecture(checkpoint);
    facts.config = model::read_config(checkpoint, arch);
    facts.family = arch.name;
  } catch (const Error& error) {
    facts.problem = error.message();
    return facts;
  }
  facts.context = model::planned_context(*facts.config, options.context);
  facts.plan = model::plan_memory(*facts.config, checkpoint, options);
  return facts;
}

}  // namespace bittern::cli
