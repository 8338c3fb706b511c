// A model on a server, seen from its headers alone: the header of each of its files is fetched by
// ranges into a temporary folder, as the start of a file of the true length whose rest is a hole.
// The ordinary readers open that folder; whoever reads weights from it reads zeros.
#pragma once

#include <filesystem>
#include <string>

#include "base/log.h"
#include "store/settings.h"

namespace bittern::model_store {

class RemoteModel {
 public:
  // `reference`: hf:ORG/REPO[:FILE][@REV], or the address of a GGUF or SafeTensors file. Throws
  // what the server answers; Error{unsupported} where it does not send parts of files.
  RemoteModel(const std::string& reference, const Settings& settings);
  RemoteModel(const RemoteModel&) = delete;
  RemoteModel& operator=(const RemoteModel&) = delete;
  ~RemoteModel();

  // What open_checkpoint() takes.
  const std::filesystem::path& path() const { return path_; }
  int64_t fetched_bytes() const { return fetched_bytes_; }
  int64_t bytes() const { return bytes_; }  // of the files, had they been fetched whole

 private:
  std::filesystem::path folder_, path_;
  int64_t fetched_bytes_ = 0, bytes_ = 0;
};

}  // namespace bittern::model_store
