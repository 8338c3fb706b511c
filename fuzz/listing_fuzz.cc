// What the hub and a package index list: only plain relative paths and web addresses come out. The
// first byte says which of the readers gets the rest.
#include "base/check.h"
#include "fuzz/target.h"
#include "store/hub.h"
#include "store/paths.h"
#include "store/pypi.h"
#include "store/settings.h"

using namespace bittern;
using namespace bittern::model_store;

namespace {

void check_wheel(const std::optional<WheelFile>& wheel) {
  if (!wheel) return;
  BITTERN_CHECK(wheel->url.starts_with("http"), "{}", printable(wheel->url));
  BITTERN_CHECK(wheel->sha256.empty() || wheel->sha256.size() == 64, "{}", wheel->sha256);
}

void read_tree(std::string_view text) {
  HubListing listing;
  parse_tree(text, "fuzz", listing.files);
  for (const HubFile& file : listing.files)
    BITTERN_CHECK(is_safe_path(file.path) && file.bytes >= 0, "{}", printable(file.path));
  HubReference reference;
  reference.repo = "o/r";
  choose_files(listing, reference);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = as_text(fuzz::input(data, size)).substr(1);
  constexpr const char* kPage = "https://index.example/simple/pkg/";
  return fuzz::accept_errors([&] {
    switch (static_cast<unsigned>(data[0] - '0') % 5) {
      case 0:
        return read_tree(text);
      case 1:
        return check_wheel(wheel_in_html(text, kPage, "x.whl"));
      case 2:
        return check_wheel(wheel_in_json(text, kPage, "x.whl"));
      case 3:
        BITTERN_CHECK(is_safe_path(parse_hub_reference(text).repo), "{}", printable(text));
        return;
      default:
        index_url_in(text);
    }
  });
}
