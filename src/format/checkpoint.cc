#include "format/checkpoint.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"

namespace bittern::format {

std::string_view container_name(Container container) {
  switch (container) {
    case Container::gguf:
      return "GGUF";
    case Container::safetensors:
      return "SafeTensors";
    case Container::hf_folder:
      return "Hugging Face folder";
  }
  return "unknown";
}

void Checkpoint::index() {
  by_name_.clear();
  by_name_.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!by_name_.try_emplace(tensors[i].name, i).second)
      bad_input("{}: tensor '{}': a unique name expected, got it twice", path.string(),
                printable(tensors[i].name));
  }
  std::unordered_set<std::string_view> others;
  for (const OpaqueTensor& tensor : opaque) {
    if (by_name_.contains(tensor.name) || !others.insert(tensor.name).second)
      bad_input("{}: tensor '{}': a unique name expected, got it twice", path.string(),
                printable(tensor.name));
  }
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors[found->second];
}

const OpaqueTensor* Checkpoint::find_opaque(std::string_view name) const {
  const auto found = std::find_if(opaque.begin(), opaque.end(),
                                  [&](const OpaqueTensor& tensor) { return tensor.name == name; });
  return found == opaque.end() ? nullptr : &*found;
}

}  // namespace bittern::format
