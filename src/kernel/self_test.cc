// One executed probe per table entry, compared bit for bit with the scalar table. It guards
// against a machine, emulator or build that reports instructions it does not execute faithfully;
// tests/kernel is the thorough version.

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <span>
#include <vector>

#include "base/half.h"
#include "base/random.h"
#include "kernel/attention.h"
#include "kernel/bf16_pack.h"
#include "kernel/block_buffers.h"
#include "kernel/block_pack.h"
#include "kernel/block_probe.h"
#include "kernel/pack.h"
#include "kernel/real.h"
#include "kernel/select.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kWidth = 147;  // odd: two whole pads of 64, whole lanes and a tail
constexpr int64_t kRows = 7;     // every tile shape
constexpr int64_t kWeights = 19;
constexpr int64_t kStrips = kTernaryStrips + 1;

union alignas(64) Line {
  uint8_t bytes[64];
  float floats[16];
};

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Numbers that every entry is run on.
struct Probe {
  std::vector<float> floats, weights;
  std::vector<int8_t> codes;
  std::vector<int32_t> sums;
  std::vector<uint8_t> strips, dense_strips;  // T2, T1.6
  std::vector<uint8_t> blocks;

  Probe()
      : floats(kRows * kWidth),
        weights(kWeights * kWidth),
        codes(static_cast<size_t>(kRows * t2_columns(kWidth))),
        sums(kRows),
        strips(static_cast<size_t>(kStrips * t2_strip_bytes(kWidth))),
        dense_strips(static_cast<size_t>(kStrips * t16_strip_bytes(kWidth))),
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
    for (int64_t s = 0; s < kStrips; ++s) {
      for (int8_t& code : ternary) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
      t2_pack_strip(ternary.data(), kStripRows, kWidth, &strips[s * t2_strip_bytes(kWidth)]);
      t16_pack_strip(ternary.data(), kStripRows, kWidth,
                     &dense_strips[s * t16_strip_bytes(kWidth)]);
    }
    for (uint8_t& byte : blocks) byte = static_cast<uint8_t>(draw.below(256) & 0x7b);  // finite d
  }
};

// For every number of rows that a kernel could treat in its own way.
std::vector<int32_t> run_dots(void (*dots)(const TernaryDots&), const std::vector<uint8_t>& strips,
                              const Probe& probe) {
  std::vector<int32_t> out(static_cast<size_t>(kRows * kRows * kStrips * kStripRows));
  int32_t* at = out.data();
  for (int64_t rows = 1; rows <= kRows; ++rows) {
    dots({strips.data(), kStrips, static_cast<int64_t>(strips.size()) / kStrips, t2_columns(kWidth),
          probe.codes.data(), probe.sums.data(), rows, at});
    at += rows * kStrips * kStripRows;
  }
  return out;
}

std::vector<int32_t> run_ternary(const Table& table, const Probe& probe) {
  return run_dots(table.ternary->dots, probe.strips, probe);
}

std::vector<float> run_scale(const Table& table, const Probe& probe) {
  const std::vector<int32_t> dots = run_ternary(scalar_table, probe);
  std::vector<float> out(static_cast<size_t>(2 * kRows * kStripRows));
  table.ternary->scale({dots.data(), kRows, kStripRows, probe.floats.data(), &probe.weights[20],
                        probe.weights.data(), out.data(), kStripRows});
  table.ternary->scale({dots.data(), kRows, kStripRows - 3, probe.floats.data(), &probe.weights[20],
                        nullptr, &out[kRows * kStripRows], kStripRows});
  return out;
}

// Every format, for every number of rows that a kernel could treat in its own way, over more than
// one panel; rows overlap, so that the probe's few numbers are enough.
std::vector<float> run_real(const Table& table, const Probe& probe) {
  constexpr int64_t kColumns = kRealPanel + 45, kApart = 100, kOutputs = kRealOutputs - 1;
  static_assert((kRows - 1) * kApart + kColumns <= kRows * kWidth);
  static_assert((kOutputs - 1) * kApart + kColumns <= kWeights * kWidth);
  std::vector<Line> scratch(kRealScratch * sizeof(float) / sizeof(Line));
  std::vector<uint8_t> codes((kOutputs - 1) * kApart + kColumns * sizeof(uint16_t));
  random::Sequence draw(3);
  for (uint8_t& byte : codes) byte = static_cast<uint8_t>(draw.below(256) & 0xbb);  // finite
  std::vector<float> out;
  for (const RealFormat format :
       {RealFormat::f32, RealFormat::f16, RealFormat::bf16, RealFormat::f8_e4m3,
        RealFormat::f8_e5m2, RealFormat::f8_e4m3fnuz, RealFormat::f8_e5m2fnuz}) {
    const uint8_t* rows[kOutputs];
    for (int64_t n = 0; n < kOutputs; ++n) {
      const void* row = codes.data() + n * kApart;
      if (format == RealFormat::f32) row = probe.weights.data() + n * kApart;
      rows[n] = static_cast<const uint8_t*>(row);
    }
    for (int64_t count = 1; count <= kRows; ++count) {
      std::vector<float> results(static_cast<size_t>(count * kOutputs));
      table.real->dots({.format = format,
                        .weights = rows,
                        .outputs = kOutputs,
                        .columns = kColumns,
                        .scale = count == 3 ? 0.37f : 1.0f,
                        .in = probe.floats.data(),
                        .rows = count,
                        .in_stride = kApart,
                        .bias = count % 2 == 0 ? probe.weights.data() : nullptr,
                        .out = results.data(),
                        .stride = kOutputs,
                        .scratch = scratch.data()->floats});
      out.insert(out.end(), results.begin(), results.end());
    }
  }
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
  const auto put_codes = [&](float* to) { std::copy_n(codes.data(), kWidth, to); };
  int32_t total = 0;
  table.quantise(probe.floats.data(), kWidth, padded, codes.data(), &out[0], &total);
  out[1] = static_cast<float>(total);
  put_codes(&out[3]);
  table.encode_i8(probe.floats.data(), kWidth, codes.data(), &out[2]);
  put_codes(&out[3 + kWidth]);
  return out;
}

std::vector<float> run_rows(const Table& table, const Probe& probe) {
  const size_t width = kWidth;
  std::vector<float> out(7 * width, 0.0f);
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
  return out;
}

std::vector<float> run_family_rows(const Table& table, const Probe& probe) {
  const size_t width = kWidth;
  std::vector<float> out(6 * width, 0.0f);
  const float* x = probe.floats.data();
  const float* weight = probe.weights.data();
  table.layer_norm(x, weight, weight + kWidth, 1e-5f, kWidth, &out[0]);
  table.layer_norm(x, nullptr, nullptr, 1e-5f, kWidth, &out[width]);
  std::copy_n(x, 3 * width, &out[2 * width]);
  table.add_scaled(&out[2 * width], weight, 0.37f, kWidth);
  table.softcap(&out[3 * width], 2.5f, kWidth);
  table.hadamard(&out[4 * width], 128);
  table.add_rows(&out[5 * width], weight, kWidth / 4, x, 3, kWidth / 4);
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

// Three strips of every codec's layout (kernels take them by pairs), and of the group-affine ones
// with the widest group; the last strip has 13 outputs.
std::vector<float> run_blocks(const Table& table, const Probe& probe) {
  constexpr int64_t kBlocks = 2, kBlockRows = 5, kValues = kBlocks * kBlockColumns - 15;
  constexpr int64_t kCalled = 3, kOutputs = kCalled * kBlockStripRows - 3;
  static_assert(kValues <= kRows * kWidth && kCalled <= kBlockStrips);
  BlockBuffers buffers(kBlocks, kBlockRows);
  const BlockRows in = buffers.rows();
  for (int64_t m = 0; m < kBlockRows; ++m)
    table.block->quantise(probe.floats.data() + m, kValues, kBlocks, in.from(m));
  std::vector<float> out(in.scales, in.scales + kBlockRows * kBlocks * kBlockRuns);
  out.insert(out.end(), in.sums, in.sums + kBlockRows * kBlocks * kBlockSums);
  out.insert(out.end(), in.scaled_sums, in.scaled_sums + kBlockRows * kBlocks * kBlockSums);
  random::Sequence draw(2);
  for (const BlockLayout* layout : block_layouts()) {
    const bool affine =
        layout->scales == BlockScales::f16_zeros || layout->scales == BlockScales::bf16_zeros;
    if (affine && layout->sub != 128) continue;
    const std::vector<uint8_t> bytes = random_block_strip(draw, *layout, kCalled * kBlocks);
    std::vector<Line> strip(bytes.size() / sizeof(Line));
    std::memcpy(strip.data(), bytes.data(), bytes.size());
    buffers.make_starts(*table.block, *layout);
    float results[kBlockRows * kOutputs];
    table.block->dots({.layout = layout,
                       .strip = strip.data()->bytes,
                       .strips = kCalled,
                       .strip_bytes = block_offsets(*layout).bytes * kBlocks,
                       .blocks = kBlocks,
                       .in = in,
                       .rows = kBlockRows,
                       .outputs = kOutputs,
                       .bias = probe.weights.data(),
                       .out = results,
                       .stride = kOutputs});
    out.insert(out.end(), std::begin(results), std::end(results));
  }
  return out;
}

// Seven queries on 19 rows of a panel, codes of weights of all chunks' sizes.
std::vector<float> run_attention(const Table& table, const Probe& probe) {
  constexpr int64_t kPanelRows = kWeights * kWidth / kPanelColumns;
  const AttentionKernels& kernels = *table.attention;
  std::vector<float> out(4 * kRows * kPanelColumns + kAttendChunk + 4);
  float* at = out.data();
  std::vector<uint16_t> halves(kPanelRows * kPanelColumns);
  scalar_table.encode_f16(probe.weights.data(), kPanelRows * kPanelColumns, halves.data());
  const PanelPiece floats = {probe.weights.data(), 0, kPanelRows, probe.weights.data()};
  const PanelPiece coded = {halves.data(), 0, kPanelRows, halves.data()};
  kernels.products_f32(
      {probe.floats.data(), kWidth, kRows, &floats, 1, kPanelColumns, false, at, kPanelColumns});
  at += kRows * kPanelColumns;
  kernels.products_f16(
      {probe.floats.data(), kWidth, kRows, &coded, 1, kPanelColumns, true, at, kPanelColumns});
  at += kRows * kPanelColumns;
  constexpr int64_t kKeyRows = 5;
  const auto* bytes = reinterpret_cast<const uint8_t*>(probe.codes.data());
  int32_t sums[kRows];
  for (int64_t m = 0; m < kRows; ++m) {
    const int8_t* codes = &probe.codes[static_cast<size_t>(m * t2_columns(kWidth))];
    sums[m] = std::accumulate(codes, codes + kKeyRows * kKeyCodeRow, 0);
  }
  kernels.key_dots({probe.codes.data(), t2_columns(kWidth), sums, kRows, bytes, kKeyRows, bytes,
                    probe.weights.data(), at, kPanelColumns});
  at += kRows * kPanelColumns;

  float* weights = out.data() + 4 * kRows * kPanelColumns;
  std::copy_n(probe.floats.begin(), kAttendChunk, weights);
  ChunkSoftmax softmax = {weights, 3, kAttendChunk - 5, 0.7f, 0.0f, 0.0f, 0.0f};
  kernels.softmax(softmax);
  const float* scales[kChunkPanels];
  for (int64_t page = 0; page < kChunkPanels; ++page)
    scales[page] = probe.floats.data() + page * kPanelColumns;
  std::vector<int16_t> codes(kRows * kAttendChunk);
  ValueCodes coding = {weights, scales, 3, kAttendChunk - 5, codes.data(), 0.0f};
  kernels.value_codes(coding);
  for (size_t i = kAttendChunk; i < codes.size(); ++i)
    codes[i] = static_cast<int16_t>(i * 2654435761u >> 17 & 0x7fff);
  const PanelPiece values = {probe.codes.data(), 0, 10, probe.codes.data()};
  kernels.value_dots(
      {codes.data(), probe.weights.data(), kRows, &values, 1, kPanelColumns, at, kPanelColumns});
  AttendState state = {out.data(), 1.25f, 2.0f};
  kernels.join(state, {at, -0.5f, 3.0f}, kPanelColumns);
  float* last = weights + kAttendChunk;
  last[0] = softmax.maximum + softmax.sum;
  last[1] = coding.factor;
  last[2] = state.maximum;
  last[3] = state.sum;
  return out;
}

// Every number of rows that a kernel could treat in its own way, over more than a panel.
std::vector<float> run_bf16(const Bf16Kernels& kernels, const Probe& probe) {
  constexpr int64_t kInputs = 34, kColumns = 300, kPanels = 2, kOutputs = 3 * kBf16Outputs - 5;
  constexpr int64_t kFew[] = {1, 3, 6, 7, 13, kInputs};
  static_assert(kOutputs * kColumns / 16 <= kWeights * kWidth - kColumns);
  static_assert((kInputs - 1) * 15 + kColumns <= kRows * kWidth);
  const int64_t strip_bytes = bf16_strip_bytes(kColumns);
  std::vector<Line> strips(static_cast<size_t>(3 * strip_bytes) / sizeof(Line));
  std::vector<uint16_t> weights(static_cast<size_t>(kOutputs * kColumns));
  for (int64_t n = 0; n < kOutputs; ++n) {
    uint16_t* row = &weights[static_cast<size_t>(n * kColumns)];
    const float* from = probe.weights.data() + n * (kColumns / 16);
    for (int64_t k = 0; k < kColumns; ++k) row[k] = f32_to_bf16(from[k]);
  }
  for (int64_t s = 0; s < 3; ++s) {
    std::vector<const std::byte*> rows;
    for (int64_t n = s * kBf16Outputs; n < std::min((s + 1) * kBf16Outputs, kOutputs); ++n)
      rows.push_back(reinterpret_cast<const std::byte*>(&weights[n * kColumns]));
    pack_bf16_strip(rows, kColumns, reinterpret_cast<uint8_t*>(strips.data()) + s * strip_bytes);
  }
  std::vector<uint16_t> codes(kPanels * kInputs * kBf16Panel);
  for (int64_t m = 0; m < kInputs; ++m)
    kernels.encode(probe.floats.data() + 15 * m, kColumns, kInputs, &codes[m * kBf16Panel]);
  std::vector<Line> scratch(kBf16Scratch * sizeof(float) / sizeof(Line));
  std::vector<float> out(codes.begin(), codes.end());
  for (const int64_t rows : kFew) {
    std::vector<float> results(static_cast<size_t>(rows * kOutputs));
    kernels.dots({.strips = strips.data()->bytes,
                  .strip_count = 3,
                  .columns = bf16_columns(kColumns),
                  .codes = codes.data(),
                  .pitch = kInputs,
                  .rows = rows,
                  .outputs = kOutputs,
                  .bias = rows == 3 ? nullptr : probe.weights.data(),
                  .out = results.data(),
                  .stride = kOutputs,
                  .scratch = scratch.data()->floats});
    out.insert(out.end(), results.begin(), results.end());
  }
  return out;
}

// The last of a table's kernels of bf16 weights, which needs nothing beyond the table.
const Bf16Kernels& plain_bf16(const Table& table) {
  const Bf16Kernels* kernels = table.bf16;
  while (kernels->fallback != nullptr) kernels = kernels->fallback;
  return *kernels;
}

}  // namespace

std::optional<std::string> self_test(const Table& table) {
  const Probe probe;
  const auto differs = [&](const auto& run) {
    return !same_bits(run(table, probe), run(scalar_table, probe));
  };
  if (differs(run_ternary)) return "ternary dots";
  if (differs(run_scale)) return "ternary scale";
  if (differs(run_real)) return "real dots";
  if (!bf16_works(plain_bf16(table))) return "bf16 dots";
  if (differs(run_decoders)) return "decode";
  if (differs(run_halves)) return "encode_f16";
  if (differs(run_codes)) return "quantise";
  if (differs(run_rows)) return "row operations";
  if (differs(run_family_rows)) return "layer_norm, add_scaled, add_rows, softcap or hadamard";
  if (differs(run_softmax)) return "softmax_chunk";
  if (differs(run_blocks)) return "block formats";
  if (differs(run_attention)) return "attention";
  if (const auto differing = tile_test(table)) return differing;
  return std::nullopt;
}

bool bf16_works(const Bf16Kernels& kernels) {
  const Probe probe;
  const Bf16Kernels& truth = kernels.order == Bf16Order::pairs ? scalar_bfloat : scalar_tilebfloat;
  return same_bits(run_bf16(kernels, probe), run_bf16(truth, probe));
}

bool dense_works(const DenseTernary& dense) {
  const Probe probe;
  return same_bits(run_dots(dense.dots, probe.dense_strips, probe),
                   run_ternary(scalar_table, probe)) &&
         dense_tile_test(dense);
}

}  // namespace bittern::kernel
