// Lets programs in other languages call the scalar codecs (tests/oracles/test_codecs.py).
//   codec_pipe encode CODEC ROWS COLUMNS    f32 values on stdin, coded bytes on stdout
//   codec_pipe decode CODEC ROWS COLUMNS    the other way
//   codec_pipe ternary CODEC ROWS COLUMNS   coded bytes on stdin; on stdout f32 scale, i32 exact
//                                           (0 or 1), then int8 codes
// Exit status 0, or the error's kind with its message on stderr.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "codec/codec.h"
#include "codec/ternary.h"

namespace {

using bittern::bad_input;
using bittern::codec::Codec;

int64_t number(std::string_view text) {
  int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || value < 0) {
    bad_input("expected a count, got {}", text);
  }
  return value;
}

template <typename T>
std::vector<T> read_all(int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  const size_t got = std::fread(values.data(), sizeof(T), values.size(), stdin);
  if (got != values.size()) bad_input("stdin: expected {} items, got {}", count, got);
  return values;
}

template <typename T>
void write_all(const std::vector<T>& values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

void ternarise(const Codec& codec, int64_t rows, int64_t columns, int64_t bytes) {
  const auto data = read_all<std::byte>(bytes);
  bittern::TensorView view;
  view.name = "stdin";
  view.codec = codec.id;
  view.shape = {rows, columns};
  view.bytes = data;
  const bittern::codec::TernarySource source(view);
  std::vector<int8_t> out(static_cast<size_t>(8 + rows * columns));
  const float scale = source.scale();
  const int32_t exact = source.exact();
  std::memcpy(out.data(), &scale, 4);
  std::memcpy(out.data() + 4, &exact, 4);
  for (int64_t row = 0; row < rows; ++row) source.codes(row, out.data() + 8 + row * columns);
  write_all(out);
}

void run(std::string_view verb, std::string_view name, int64_t rows, int64_t columns) {
  const Codec* codec = bittern::codec::find(name);
  if (codec == nullptr) bad_input("unknown codec {}", name);
  const auto bytes = codec->tensor_bytes(rows, columns);
  if (!bytes) bad_input("{} cannot code {} x {}", name, rows, columns);
  if (verb == "encode" && codec->encode != nullptr) {
    const auto values = read_all<float>(rows * columns);
    std::vector<std::byte> data(static_cast<size_t>(*bytes));
    codec->encode(values.data(), rows, columns, data.data());
    write_all(data);
  } else if (verb == "decode") {
    const auto data = read_all<std::byte>(*bytes);
    std::vector<float> values(static_cast<size_t>(rows * columns));
    codec->decode(data.data(), rows, columns, 0, rows, values.data());
    write_all(values);
  } else if (verb == "ternary") {
    ternarise(*codec, rows, columns, *bytes);
  } else {
    bad_input("cannot {} {}", verb, name);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 5) bad_input("expected VERB CODEC ROWS COLUMNS");
    run(argv[1], argv[2], number(argv[3]), number(argv[4]));
    return 0;
  } catch (const bittern::Error& error) {
    std::fprintf(stderr, "codec_pipe: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
