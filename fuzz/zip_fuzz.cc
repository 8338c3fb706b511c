// Zip: the directory, and every member unpacked as far as it goes. Whatever the archive claims, no
// read leaves it and no member makes more than it said.
#include "base/zip.h"

#include "base/check.h"
#include "base/inflate.h"
#include "fuzz/target.h"

using namespace bittern;

namespace {

// A source that traps where a read leaves it.
class CheckedSource final : public RangeSource {
 public:
  explicit CheckedSource(Bytes bytes) : bytes_(bytes) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  std::vector<std::byte> read(int64_t offset, int64_t length) override {
    BITTERN_CHECK(offset >= 0 && length >= 0 && offset <= size() && length <= size() - offset,
                  "{} bytes at {} of {}", length, offset, size());
    const Bytes part = bytes_.subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
    return {part.begin(), part.end()};
  }
  const std::string& name() const override { return name_; }

 private:
  Bytes bytes_;
  std::string name_ = "fuzz.zip";
};

// Unpacked in two pieces, and taken up again at the last block boundary of the first.
void unpack(Bytes packed) {
  constexpr int64_t kMost = int64_t{1} << 20;
  const Bytes first = packed.first(packed.size() / 2);
  std::vector<std::byte> out;
  const auto keep = [&](Bytes bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    if (static_cast<int64_t>(out.size()) > kMost) bad_input("enough");
  };
  Inflater whole;
  whole.push(first, "fuzz", keep);
  const InflatePoint point = whole.point();
  whole.push(packed.subspan(first.size()), "fuzz", keep);
  const std::vector<std::byte> expected = out;
  out.resize(static_cast<size_t>(point.out));
  const int64_t window = std::min(point.out, kInflateWindow);
  const std::vector<std::byte> dictionary(out.end() - window, out.end());
  Inflater again(point, dictionary);
  again.push(packed.subspan(static_cast<size_t>(point.in)), "fuzz", keep);
  BITTERN_CHECK(out == expected, "{} bytes after going on, {} expected", out.size(),
                expected.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::accept_errors([&] { unpack(fuzz::input(data, size)); });
  return fuzz::accept_errors([&] {
    CheckedSource source(fuzz::input(data, size));
    for (const zip::Entry& entry : zip::read_directory(source)) {
      const int64_t offset = zip::data_offset(source, entry);
      const std::vector<std::byte> packed = source.read(offset, entry.packed_bytes);
      if (entry.method == zip::Method::deflated) fuzz::accept_errors([&] { unpack(packed); });
    }
  });
}
