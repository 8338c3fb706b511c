// Range-checked reads of an architecture's GGUF keys ("ARCH.name"), and which of the keys that
// change the numbers somebody asked for: one that is set and that nobody reads is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "format/checkpoint.h"

namespace bittern::model {

class GgufKeys {
 public:
  GgufKeys(const format::Checkpoint& checkpoint, const std::string& architecture)
      : checkpoint_(checkpoint), prefix_(architecture + ".") {}

  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most) const;
  int64_t required_integer(std::string_view key, int64_t least, int64_t most) const;
  // A number for all layers, or a list of equal ones.
  std::optional<int64_t> per_layer(std::string_view key, int64_t least, int64_t most) const;
  // A list of one value for each layer; empty where absent or not a list.
  std::vector<int64_t> list(std::string_view key) const;
  std::optional<double> number(std::string_view key, double above, double most) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> string(std::string_view key) const;

  // Refuses the key unless it is absent or at `neutral`.
  void refuse(std::string_view key, double neutral) const;
  // Refuses every known key that changes the numbers, is set, and was never read.
  void refuse_unread() const;
  [[noreturn]] void missing(std::string_view key) const;

  const format::Checkpoint& checkpoint() const { return checkpoint_; }
  const std::string& file() const { return checkpoint_.metadata.file_name; }

 private:
  std::string asked(std::string_view key) const;
  void check(const std::string& full, int64_t value, int64_t least, int64_t most) const;

  const format::Checkpoint& checkpoint_;
  std::string prefix_;
  mutable std::set<std::string, std::less<>> asked_;
};

}  // namespace bittern::model
