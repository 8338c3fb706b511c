#include "base/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"

namespace bittern {
namespace {

constexpr int kRawDeflate = -MAX_WBITS;
constexpr size_t kOutputBytes = size_t{64} << 10;
// zlib's data_type after inflate(Z_BLOCK): flags of where it stopped, and the unused bits.
constexpr int kAtBoundary = 128, kInLastBlock = 64, kUnusedBits = 7;

Bytef* bytes_of(Bytes bytes) {
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));  // zlib only reads it
}

}  // namespace

void Inflater::Free::operator()(z_stream_s* stream) const {
  ::inflateEnd(stream);
  std::default_delete<z_stream_s>()(stream);
}

void Inflater::begin() {
  auto stream = std::make_unique<z_stream>();
  *stream = {};
  if (::inflateInit2(stream.get(), kRawDeflate) != Z_OK)
    fail(ErrorKind::resources, "no memory to unpack with");
  stream_.reset(stream.release());
}

Inflater::Inflater() { begin(); }

Inflater::Inflater(const InflatePoint& point, Bytes window)
    : point_(point), in_(point.in), out_(point.out), last_byte_(point.byte) {
  begin();
  if (point.bits < 0 || point.bits > kUnusedBits ||
      static_cast<int64_t>(window.size()) != std::min(point.out, kInflateWindow))
    bad_input("a saved place in packed data makes no sense");
  if (point.bits > 0) ::inflatePrime(stream_.get(), point.bits, point.byte >> (8 - point.bits));
  if (!window.empty() && ::inflateSetDictionary(stream_.get(), bytes_of(window),
                                                static_cast<uInt>(window.size())) != Z_OK)
    bad_input("a saved place in packed data makes no sense");
}

// Counts what one call of inflate() used and made, and notes a block boundary.
void Inflater::pass(size_t used, size_t made, std::string_view name, int code) {
  if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
    bad_input("{}: broken packed data after {} bytes: {}", name, in_ + static_cast<int64_t>(used),
              stream_->msg != nullptr ? stream_->msg : "not deflate");
  in_ += static_cast<int64_t>(used);
  out_ += static_cast<int64_t>(made);
  finished_ = code == Z_STREAM_END;
  if ((stream_->data_type & kAtBoundary) != 0 && (stream_->data_type & kInLastBlock) == 0)
    point_ = {in_, out_, stream_->data_type & kUnusedBits, last_byte_};
}

size_t Inflater::push(Bytes input, std::string_view name, const Sink& sink) {
  const size_t given = input.size();
  std::array<std::byte, kOutputBytes> buffer;
  while (!finished_) {
    const size_t take = std::min<size_t>(input.size(), std::numeric_limits<uInt>::max());
    stream_->next_in = bytes_of(input);
    stream_->avail_in = static_cast<uInt>(take);
    stream_->next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_->avail_out = static_cast<uInt>(buffer.size());
    const int code = ::inflate(stream_.get(), Z_BLOCK);
    const size_t used = take - stream_->avail_in;
    const size_t made = buffer.size() - stream_->avail_out;
    if (used > 0) last_byte_ = std::to_integer<uint8_t>(input[used - 1]);
    pass(used, made, name, code);
    input = input.subspan(used);
    if (made > 0) sink(Bytes(buffer).first(made));
    if (used == 0 && made == 0 && !finished_) break;  // it wants more input
  }
  return given - input.size();
}

uint32_t crc32(uint32_t before, Bytes bytes) {
  return static_cast<uint32_t>(::crc32_z(before, bytes_of(bytes), bytes.size()));
}

}  // namespace bittern
