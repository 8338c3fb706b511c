#include "model/gguf_keys.h"

#include <utility>

#include "base/error.h"

namespace bittern::model {
namespace {

// Keys that change the numbers, with the value at which they do not.
constexpr std::pair<std::string_view, double> kSensitive[] = {
    {"expert_count", 0.0},
    {"expert_shared_count", 0.0},
    {"expert_group_count", 0.0},
    {"expert_weights_scale", 1.0},
    {"attention.sliding_window", 0.0},
    {"attn_logit_softcapping", 0.0},
    {"final_logit_softcapping", 0.0},
    {"attention.clamp_kqv", 0.0},
    {"attention.max_alibi_bias", 0.0},
    {"attention.scale", 0.0},
    {"attention.shared_kv_layers", 0.0},
    {"logit_scale", 1.0},
    {"residual_scale", 1.0},
    {"embedding_scale", 1.0},
};

}  // namespace

std::string GgufKeys::asked(std::string_view key) const {
  asked_.emplace(key);
  return prefix_ + std::string(key);
}

void GgufKeys::check(const std::string& full, int64_t value, int64_t least, int64_t most) const {
  if (value < least || value > most)
    bad_input("{}: {}: expected {} to {}, got {}", file(), full, least, most, value);
}

void GgufKeys::missing(std::string_view key) const {
  bad_input("{}: {}{}: expected a value, got nothing", file(), printable(prefix_), key);
}

std::optional<int64_t> GgufKeys::integer(std::string_view key, int64_t least, int64_t most) const {
  const std::string full = asked(key);
  const auto value = checkpoint_.metadata.get_integer(full);
  if (value) check(full, *value, least, most);
  return value;
}

int64_t GgufKeys::required_integer(std::string_view key, int64_t least, int64_t most) const {
  const auto value = integer(key, least, most);
  if (!value) missing(key);
  return *value;
}

std::optional<int64_t> GgufKeys::per_layer(std::string_view key, int64_t least,
                                           int64_t most) const {
  const std::string full = asked(key);
  const format::MetadataValue* value = checkpoint_.metadata.find(full);
  if (value == nullptr) return std::nullopt;
  if (value->type != format::ValueType::array) return integer(key, least, most);
  const auto list = checkpoint_.metadata.get_integers(full);
  if (!list || list->empty()) missing(key);
  for (const int64_t element : *list) {
    check(full, element, least, most);
    if (element != list->front()) {
      fail(ErrorKind::unsupported, "{}: {}: expected one value for all layers, got {} and {}",
           file(), full, list->front(), element);
    }
  }
  return list->front();
}

std::vector<int64_t> GgufKeys::list(std::string_view key) const {
  const std::string full = asked(key);
  const format::MetadataValue* value = checkpoint_.metadata.find(full);
  if (value == nullptr || value->type != format::ValueType::array) return {};
  if (value->element_type != format::ValueType::boolean)
    return checkpoint_.metadata.get_integers(full).value_or(std::vector<int64_t>());
  std::vector<int64_t> flags;
  for (const std::byte flag : value->raw) flags.push_back(flag != std::byte{0} ? 1 : 0);
  return flags;
}

std::optional<double> GgufKeys::number(std::string_view key, double above, double most) const {
  const std::string full = asked(key);
  const auto value = checkpoint_.metadata.get_number(full);
  if (value && !(*value > above && *value <= most)) {
    bad_input("{}: {}: expected a number above {} up to {}, got {}", file(), full, above, most,
              *value);
  }
  return value;
}

std::optional<bool> GgufKeys::boolean(std::string_view key) const {
  return checkpoint_.metadata.get_boolean(asked(key));
}

std::optional<std::string> GgufKeys::string(std::string_view key) const {
  return checkpoint_.metadata.get_string(asked(key));
}

void GgufKeys::refuse(std::string_view key, double neutral) const {
  const std::string full = asked(key);
  const auto value = checkpoint_.metadata.get_number(full);
  if (value && *value != neutral) {
    fail(ErrorKind::unsupported, "{}: {}: expected {} (anything else is not supported), got {}",
         file(), full, neutral, *value);
  }
}

void GgufKeys::refuse_unread() const {
  for (const auto& [key, neutral] : kSensitive)
    if (!asked_.contains(key)) refuse(key, neutral);
}

}  // namespace bittern::model
