// One executed probe per table entry, compared bit for bit with the scalar table. It guards
// against a machine, emulator or build that reports instructions it does not execute faithfully;
// tests/kernel is the thorough version.

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "base/half.h"
#include "base/random.h"
#include "kernel/pack.h"
#include "kernel/select.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kWidth = 147;  // odd: two whole pads of 64, whole lanes and a tail
constexpr int64_t kRows = 7;     // every tile shape
constexpr int64_t kWeights = 19;

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Numbers that every entry is run on.
struct Probe {
  std::vector<float> floats, weights;
  std::vector<int8_t> codes;
  std::vector<int32_t> sums;
  std::vector<uint8_t> strip;
  std::vector<uint8_t> blocks;

  Probe()
      : floats(kRows * kWidth),
        weights(kWeights * kWidth),
        codes(static_cast<size_t>(kRows * t2_columns(kWidth))),
        sums(kRows),
        strip(static_cast<size_t>(t2_strip_bytes(kWidth))),
        blocks(4 * 34) {
    random::Sequence draw(1);
    for (float& value : floats) value = static_cast<float>(draw.uniform() * 8 - 4);
    for (float& value : weights) value = static_cast<float>(draw.uniform() * 2 - 1);
    const int64_t padded = t2_columns(kWidth);
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t k = 0; k < kWidth; ++k) {
        const auto code = static_cast<int8_t>(static_cast<int>(draw.below(255)) - 127);
        codes[static_cast<size_t>(row * padded + k)] = code;
        sums[static_cast<size_t>(row)] += code;
      }
    }
    std::vector<int8_t> ternary(static_cast<size_t>(kStripRows * kWidth));
    for (int8_t& code : ternary) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
    t2_pack_strip(ternary.data(), kStripRows, kWidth, strip.data());
    for (uint8_t& byte : blocks) byte = static_cast<uint8_t>(draw.below(256) & 0x7b);  // finite d
  }
};

std::vector<int32_t> run_ternary(const Table& table, const Probe& probe) {
  std::vector<int32_t> out(static_cast<size_t>(kRows * kStripRows));
  table.ternary_dots({probe.strip.data(), t2_columns(kWidth), probe.codes.data(), probe.sums.data(),
                      kRows, out.data()});
  return out;
}

std::vector<float> run_scale(const Table& table, const Probe& probe) {
  const std::vector<int32_t> dots = run_ternary(scalar_table, probe);
  std::vector<float> out(static_cast<size_t>(kRows * kStripRows));
  table.ternary_scale({dots.data(), kRows, kStripRows, probe.floats.data(), 0.37f,
                       probe.weights.data(), out.data(), kStripRows});
  return out;
}

std::vector<float> run_float(const Table& table, const Probe& probe) {
  std::vector<float> out(static_cast<size_t>(kRows * kWeights));
  table.float_dots({probe.weights.data(), kWeights, kWidth, probe.floats.data(), kRows, kWidth,
                    kWidth, out.data(), kWeights});
  return out;
}

std::vector<float> run_decoders(const Table& table, const Probe& probe) {
  std::vector<float> out(5 * 64);
  float* at = out.data();
  for (const Decode decode : {table.decode_f16, table.decode_bf16, table.decode_q8_0,
                              table.decode_q4_0, table.decode_q4_1}) {
    decode(probe.blocks.data(), 64, at);
    at += 64;
  }
  return out;
}

std::vector<uint16_t> run_halves(const Table& table, const Probe& probe) {
  std::vector<uint16_t> out(kWidth);
  table.encode_f16(probe.floats.data(), kWidth, out.data());
  return out;
}

std::vector<float> run_codes(const Table& table, const Probe& probe) {
  const int64_t padded = t2_columns(kWidth);
  std::vector<int8_t> codes(static_cast<size_t>(padded));
  std::vector<float> out(2 * kWidth + 3);
  int32_t total = 0;
  table.quantise(probe.floats.data(), kWidth, padded, codes.data(), &out[0], &total);
  out[1] = static_cast<float>(total);
  table.decode_i8(codes.data(), kWidth, out[0], &out[3]);
  table.encode_i8(probe.floats.data(), kWidth, codes.data(), &out[2]);
  table.decode_i8(codes.data(), kWidth, out[2], &out[3 + kWidth]);
  return out;
}

std::vector<float> run_rows(const Table& table, const Probe& probe) {
  const size_t width = kWidth;
  std::vector<float> out(8 * width, 0.0f);
  const float* x = probe.floats.data();
  table.rms_norm(x, probe.weights.data(), 1e-5f, kWidth, &out[0]);
  int row = 1;
  for (const Gate kind : {Gate::silu, Gate::relu, Gate::relu2, Gate::gelu, Gate::gelu_tanh})
    table.gate(kind, x, probe.weights.data(), kWidth, &out[row++ * width]);
  table.add(&out[0], x, kWidth);
  table.rotate(false, x, x + kWidth, kWidth / 2, &out[0]);
  table.rotate(true, x, x + kWidth, kWidth / 2, &out[width]);
  table.exponential(x, kWidth, &out[6 * width]);
  table.scale(&out[6 * width], kWidth, 0.3f);
  table.accumulate(x, probe.weights.data(), kRows, kWidth, &out[7 * width]);
  return out;
}

std::vector<float> run_family_rows(const Table& table, const Probe& probe) {
  const size_t width = kWidth;
  std::vector<float> out(5 * width, 0.0f);
  const float* x = probe.floats.data();
  const float* weight = probe.weights.data();
  table.layer_norm(x, weight, weight + kWidth, 1e-5f, kWidth, &out[0]);
  table.layer_norm(x, nullptr, nullptr, 1e-5f, kWidth, &out[width]);
  std::copy_n(x, 3 * width, &out[2 * width]);
  table.add_scaled(&out[2 * width], weight, 0.37f, kWidth);
  table.softcap(&out[3 * width], 2.5f, kWidth);
  table.hadamard(&out[4 * width], 128);
  return out;
}

std::vector<float> run_softmax(const Table& table, const Probe& probe) {
  std::vector<float> out(probe.floats.begin(), probe.floats.begin() + 144 + 3);
  SoftmaxChunk chunk{out.data(), 144, 0.5f, 2.0f, 0.0f};
  table.softmax_chunk(chunk);
  out[144] = chunk.maximum;
  out[145] = chunk.sum;
  out[146] = chunk.correction;
  return out;
}

}  // namespace

std::optional<std::string> self_test(const Table& table) {
  const Probe probe;
  const auto differs = [&](const auto& run) {
    return !same_bits(run(table, probe), run(scalar_table, probe));
  };
  if (differs(run_ternary)) return "ternary_dots";
  if (differs(run_scale)) return "ternary_scale";
  if (differs(run_float)) return "float_dots";
  if (differs(run_decoders)) return "decode";
  if (differs(run_halves)) return "encode_f16";
  if (differs(run_codes)) return "quantise";
  if (differs(run_rows)) return "row operations";
  if (differs(run_family_rows)) return "layer_norm, add_scaled, softcap or hadamard";
  if (differs(run_softmax)) return "softmax_chunk";
  return std::nullopt;
}

}  // namespace bittern::kernel
