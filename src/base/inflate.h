// Raw deflate (RFC 1951) unpacked as it arrives, and taken up again where it was left: at a block
// boundary everything the unpacker knows is the position, up to seven bits of the last byte, and
// the 32 KiB of output before it. zlib's, behind this header; the idea is that of its
// examples/zran.c.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"

struct z_stream_s;

namespace bittern {

// A block boundary in a deflate stream.
struct InflatePoint {
  int64_t in = 0;    // bytes of input consumed
  int64_t out = 0;   // bytes of output made
  int bits = 0;      // of the last input byte, how many belong to the next block (0 to 7)
  uint8_t byte = 0;  // that last input byte
};

// How much output before a point is needed to go on from it.
inline constexpr int64_t kInflateWindow = 32768;

class Inflater {
 public:
  using Sink = std::function<void(Bytes)>;

  Inflater();
  // Goes on from a point; `window` is the output before it, at most kInflateWindow bytes.
  // Throws bad_input where the point makes no sense.
  Inflater(const InflatePoint& point, Bytes window);

  // Unpacks `input`, which follows what was pushed before, and hands the output to `sink` in
  // pieces. Returns how much of it was used: less than all only where the stream has ended.
  // Throws bad_input naming `name` where the bytes are not deflate.
  size_t push(Bytes input, std::string_view name, const Sink& sink);

  bool finished() const { return finished_; }
  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  // The last block boundary passed.
  const InflatePoint& point() const { return point_; }

 private:
  struct Free {
    void operator()(z_stream_s* stream) const;
  };
  std::unique_ptr<z_stream_s, Free> stream_;
  InflatePoint point_;
  int64_t in_ = 0, out_ = 0;
  uint8_t last_byte_ = 0;
  bool finished_ = false;

  void begin();
  void pass(size_t used, size_t made, std::string_view name, int code);
};

// CRC-32 as zip uses it; `before` is that of the bytes before these, 0 at the start.
uint32_t crc32(uint32_t before, Bytes bytes);

}  // namespace bittern
