// Packed weights, wherever they lie: in memory of their own, or in a mapped cache file. Shared with
// whoever writes them to a cache while the model runs.
#pragma once

#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/region.h"

namespace bittern::backend {

class Packed {
 public:
  Packed() = default;
  explicit Packed(Region region) {
    auto owner = std::make_shared<const Region>(std::move(region));
    bytes_ = {owner->data(), static_cast<size_t>(owner->bytes())};
    owner_ = std::move(owner);
  }
  // A part of what `owner` keeps alive.
  Packed(Bytes bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}

  const std::byte* data() const { return bytes_.data(); }
  int64_t bytes() const { return static_cast<int64_t>(bytes_.size()); }
  Bytes span() const { return bytes_; }

 private:
  Bytes bytes_;
  std::shared_ptr<const void> owner_;
};

// Memory for packed weights, one tensor behind the other, so that small ones lie in huge pages too.
// A chunk lives as long as a part of it is used.
class PackArena {
 public:
  struct Part {
    uint8_t* data = nullptr;  // to be written; the bytes are undefined
    Packed packed;
  };
  Part take(int64_t bytes);
  // The part taken last is not used after all.
  void give_back(Part part);

 private:
  std::shared_ptr<const Region> chunk_;
  int64_t used_ = 0;
};

}  // namespace bittern::backend
