// An installed model as the verbs of the store write it with --json.
#pragma once

#include "base/json_write.h"
#include "store/home.h"

namespace bittern::cli {

inline JsonBuilder installed_json(const model_store::Installed& model) {
  JsonBuilder files = JsonBuilder::array();
  for (const model_store::InstalledFile& file : model.files)
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  return {{"name", model.name},       {"bytes", model.bytes()},
          {"source", model.source},   {"revision", model.revision},
          {"licence", model.licence}, {"licence_url", model.licence_url},
          {"date", model.date},       {"path", model.model_path().string()},
          {"files", std::move(files)}};
}

}  // namespace bittern::cli
