// Checks of the row operations, the quantisers and the decoders: every fill at widths around those
// of vectors and at 131072, every buffer ending at a guard page.
#include <limits>

#include "kernel/entry_checks.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kWidths[] = {0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 63, 65, 129, 1000};
constexpr int64_t kLong = 131072;

// What an operation reads, and where it leaves floats (integers are converted).
struct Input {
  int64_t width;
  Guarded<float> x, y, z;
  Guarded<uint8_t> bytes;
};

using Operation = std::vector<float> (*)(const Table& table, const Input& in);

void compare(const Table& table, Operation run, const char* fill, const Input& in) {
  ASSERT_TRUE(same_numbers(run(table, in), run(scalar_table, in)))
      << fill << ", width " << in.width;
}

template <Operation kRun>
void on_all_inputs(const Table& table) {
  random::Sequence draw(91);
  SCOPED_TRACE("seed 91");
  for (const Fill& fill : fills()) {
    std::vector<int64_t> widths(std::begin(kWidths), std::end(kWidths));
    if (std::string(fill.name) == "random" || std::string(fill.name) == "one huge")
      widths.push_back(kLong);
    for (const int64_t width : widths) {
      const Input in = {width, Guarded<float>(fill.make(draw, width)),
                        Guarded<float>(random_floats(draw, width, 2.0f)),
                        Guarded<float>(fill.make(draw, width)), Guarded<uint8_t>(2 * width + 1)};
      for (int64_t i = 0; i < in.bytes.size(); ++i)
        in.bytes[i] = static_cast<uint8_t>(draw.below(256));
      compare(table, kRun, fill.name, in);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

template <typename T>
std::vector<float> as_floats(const Guarded<T>& values) {
  std::vector<float> floats;
  for (int64_t i = 0; i < values.size(); ++i) floats.push_back(static_cast<float>(values[i]));
  return floats;
}

std::vector<float> rms_norm(const Table& table, const Input& in) {
  if (in.width == 0) return {};
  Guarded<float> out(in.width);
  table.rms_norm(in.x.data(), in.y.data(), 1e-5f, in.width, out.data());
  return out.values();
}

std::vector<float> layer_norm(const Table& table, const Input& in) {
  if (in.width == 0) return {};
  Guarded<float> out(in.width), plain(in.width);
  table.layer_norm(in.x.data(), in.y.data(), in.z.data(), 1e-5f, in.width, out.data());
  table.layer_norm(in.x.data(), nullptr, nullptr, 1e-5f, in.width, plain.data());
  std::vector<float> both = out.values();
  for (int64_t i = 0; i < in.width; ++i) both.push_back(plain[i]);
  return both;
}

std::vector<float> gate(const Table& table, const Input& in) {
  std::vector<float> results;
  for (const Gate kind : {Gate::silu, Gate::relu, Gate::relu2, Gate::gelu, Gate::gelu_tanh}) {
    for (const float* up :
         {static_cast<const float*>(nullptr), static_cast<const float*>(in.y.data())}) {
      Guarded<float> out(in.width);
      table.gate(kind, in.x.data(), up, in.width, out.data());
      const std::vector<float> values = out.values();
      results.insert(results.end(), values.begin(), values.end());
    }
  }
  return results;
}

std::vector<float> add(const Table& table, const Input& in) {
  Guarded<float> out(in.x.values());
  table.add(out.data(), in.z.data(), in.width);
  return out.values();
}

std::vector<float> add_scaled(const Table& table, const Input& in) {
  Guarded<float> out(in.x.values());
  table.add_scaled(out.data(), in.z.data(), 0.3f, in.width);
  return out.values();
}

// Rows of every number there may be, but for what has no remainder of rows.
std::vector<float> add_rows(const Table& table, const Input& in) {
  std::vector<float> results;
  for (const int64_t rows : {1, 3}) {
    const int64_t count = in.width / rows;
    Guarded<float> out(std::vector<float>(static_cast<size_t>(count), 0.5f));
    // The last row ends where the input does, before a page that faults.
    const float* first = in.x.data() + in.width - rows * count;
    const Guarded<float> factors(
        std::vector<float>(in.y.data(), in.y.data() + std::min(rows, in.width)));
    if (count > 0) table.add_rows(out.data(), first, count, factors.data(), rows, count);
    const std::vector<float> values = out.values();
    results.insert(results.end(), values.begin(), values.end());
  }
  return results;
}

std::vector<float> softcap(const Table& table, const Input& in) {
  Guarded<float> out(in.x.values());
  table.softcap(out.data(), 30.0f, in.width);
  return out.values();
}

std::vector<float> hadamard(const Table& table, const Input& in) {
  int64_t count = 1;
  while (2 * count <= in.width) count *= 2;
  if (in.width == 0) return {};
  const std::vector<float> values = in.x.values();
  Guarded<float> out(std::vector<float>(values.begin(), values.begin() + count));
  table.hadamard(out.data(), count);
  return out.values();
}

std::vector<float> rotate(const Table& table, const Input& in) {
  const int64_t half = in.width / 2;
  const std::vector<float> values = in.x.values();
  std::vector<float> results;
  for (const bool interleaved : {false, true}) {
    Guarded<float> out(std::vector<float>(values.begin(), values.begin() + 2 * half));
    table.rotate(interleaved, in.y.data(), in.z.data(), half, out.data());
    const std::vector<float> turned = out.values();
    results.insert(results.end(), turned.begin(), turned.end());
  }
  return results;
}

std::vector<float> exponential(const Table& table, const Input& in) {
  Guarded<float> out(in.width);
  table.exponential(in.x.data(), in.width, out.data());
  return out.values();
}

std::vector<float> softmax_chunk(const Table& table, const Input& in) {
  const int64_t count = in.width / 16 * 16;
  const std::vector<float> values = in.x.values();
  std::vector<float> results;
  for (const float before : {-std::numeric_limits<float>::infinity(), 0.25f}) {
    Guarded<float> scores(std::vector<float>(values.begin(), values.begin() + count));
    SoftmaxChunk chunk = {scores.data(), count, before, before < 0 ? 0.0f : 2.0f, 0.0f};
    table.softmax_chunk(chunk);
    const std::vector<float> weights = scores.values();
    results.insert(results.end(), weights.begin(), weights.end());
    results.insert(results.end(), {chunk.maximum, chunk.sum, chunk.correction});
  }
  return results;
}

std::vector<float> scale(const Table& table, const Input& in) {
  Guarded<float> out(in.x.values());
  table.scale(out.data(), in.width, 0.3f);
  return out.values();
}

std::vector<float> quantise(const Table& table, const Input& in) {
  const int64_t padded = (in.width + 63) / 64 * 64;
  Guarded<int8_t> codes(padded);
  for (int64_t i = 0; i < padded; ++i) codes[i] = 99;
  float inverse_scale = 0.0f;
  int32_t sum = 0;
  table.quantise(in.x.data(), in.width, padded, codes.data(), &inverse_scale, &sum);
  std::vector<float> results = as_floats(codes);
  int32_t expected = 0;
  for (int64_t i = 0; i < padded; ++i) expected += codes[i];
  EXPECT_EQ(sum, expected) << "not the sum of the codes";
  results.insert(results.end(), {inverse_scale, static_cast<float>(sum)});
  return results;
}

std::vector<float> encode_i8(const Table& table, const Input& in) {
  Guarded<int8_t> codes(in.width);
  float step = 0.0f;
  table.encode_i8(in.x.data(), in.width, codes.data(), &step);
  std::vector<float> results = as_floats(codes);
  results.push_back(step);
  return results;
}

std::vector<float> encode_f16(const Table& table, const Input& in) {
  Guarded<uint16_t> out(in.width);
  table.encode_f16(in.x.data(), in.width, out.data());
  return as_floats(out);
}

// Whole blocks of the random bytes, which begin at an odd address.
template <Decode Table::*kDecode, int64_t kElements, int64_t kBytes>
std::vector<float> decode(const Table& table, const Input& in) {
  const int64_t blocks = 2 * in.width / kBytes;
  const uint8_t* from = in.bytes.data() + in.bytes.size() - blocks * kBytes;
  Guarded<float> out(blocks * kElements);
  (table.*kDecode)(from, blocks * kElements, out.data());
  return out.values();
}

constexpr EntryCheck kChecks[] = {
    {"Table.decode_f16", on_all_inputs<decode<&Table::decode_f16, 1, 2>>},
    {"Table.decode_bf16", on_all_inputs<decode<&Table::decode_bf16, 1, 2>>},
    {"Table.decode_q8_0", on_all_inputs<decode<&Table::decode_q8_0, 32, 34>>},
    {"Table.decode_q4_0", on_all_inputs<decode<&Table::decode_q4_0, 32, 18>>},
    {"Table.decode_q4_1", on_all_inputs<decode<&Table::decode_q4_1, 32, 20>>},
    {"Table.encode_f16", on_all_inputs<encode_f16>},
    {"Table.quantise", on_all_inputs<quantise>},
    {"Table.encode_i8", on_all_inputs<encode_i8>},
    {"Table.rms_norm", on_all_inputs<rms_norm>},
    {"Table.layer_norm", on_all_inputs<layer_norm>},
    {"Table.gate", on_all_inputs<gate>},
    {"Table.add", on_all_inputs<add>},
    {"Table.add_scaled", on_all_inputs<add_scaled>},
    {"Table.add_rows", on_all_inputs<add_rows>},
    {"Table.softcap", on_all_inputs<softcap>},
    {"Table.hadamard", on_all_inputs<hadamard>},
    {"Table.rotate", on_all_inputs<rotate>},
    {"Table.exponential", on_all_inputs<exponential>},
    {"Table.softmax_chunk", on_all_inputs<softmax_chunk>},
    {"Table.scale", on_all_inputs<scale>},
};

}  // namespace

std::span<const EntryCheck> row_checks() { return kChecks; }

}  // namespace bittern::kernel
