// The flags that add LoRA adapters to a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/log.h"
#include "cli/flags.h"
#include "model/adapter.h"
#include "model/model.h"

namespace bittern::cli {

struct AdapterFlags {
  std::vector<std::string> files, scaled;

  void declare(Flags& flags);

  // What a request takes (engine::Request::adapters): those of --lora, then those of --lora-scaled,
  // each in the order given. Null where there are none. Throws Error{usage} where a scale is no
  // number, and what format::open_adapter and model::bind_adapter throw.
  std::shared_ptr<const model::AdapterSet> load(const model::Model& model,
                                                backend::Backend& backend, const Log& log) const;
};

}  // namespace bittern::cli
