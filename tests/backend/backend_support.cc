#include "backend/backend_support.h"

#include <algorithm>
#include <cmath>

#include "base/cpu.h"
#include "codec/iq_encoder.h"
#include "kernel/select.h"

namespace bittern::test {

OwnedTensor::OwnedTensor(codec::Id id, int64_t rows, int64_t columns,
                         const std::vector<float>& values) {
  bytes_ = encode_any(id, values.data(), rows, columns);
  view_.name = "test.weight";
  view_.codec = id;
  view_.shape = {rows, columns};
  view_.bytes = bytes_;
}

std::vector<float> OwnedTensor::values() const {
  std::vector<float> decoded(static_cast<size_t>(view_.elements()));
  decode_rows(view_, 0, view_.rows(), decoded.data());
  return decoded;
}

Machine::Machine(int threads, const kernel::Table& table, bool float_activations)
    : pool(threads),
      backend(backend::make_cpu_backend(
          pool, table, {.inline_work = 0, .float_activations = float_activations})) {}

const kernel::Table& best_table() {
  return kernel::select(cpu::detect_features(), std::nullopt, Log(Log::Level::quiet));
}

void on_every_machine(const std::function<void(Machine&)>& body, bool float_activations) {
  const uint64_t features = cpu::detect_features();
  for (const kernel::Candidate& candidate : kernel::candidates()) {
    if ((candidate.features & ~features) != 0) continue;
    for (int threads = 1; threads <= 4; ++threads) {
      SCOPED_TRACE(testing::Message() << candidate.table->name << ", " << threads << " threads");
      Machine machine(threads, *candidate.table, float_activations);
      body(machine);
    }
  }
}

std::vector<float> random_values(random::Sequence& draw, int64_t count, float range) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(draw.uniform() * 2 - 1) * range;
  return values;
}

OwnedActivations::OwnedActivations(int64_t count, int64_t width, const std::vector<float>& values)
    : values_(values),
      codes_(static_cast<size_t>(backend::code_bytes(count, width))),
      inverse_scales_(static_cast<size_t>(count)),
      block_scales_(
          static_cast<size_t>(count * backend::code_blocks(width) * backend::kCodeBlockRuns)),
      sums_(static_cast<size_t>(count)),
      block_sums_(
          static_cast<size_t>(count * backend::code_blocks(width) * backend::kCodeBlockSums)),
      block_scaled_sums_(block_sums_.size()),
      block_starts_(block_sums_.size()) {
  in.values = values_.data();
  in.count = count;
  in.width = width;
  in.codes = codes_.data();
  in.inverse_scales = inverse_scales_.data();
  in.sums = sums_.data();
  in.block_scales = block_scales_.data();
  in.block_sums = block_sums_.data();
  in.block_scaled_sums = block_scaled_sums_.data();
  in.block_starts = block_starts_.data();
}

std::vector<float> run_linear(Machine& machine, const backend::Linear& linear, int64_t count,
                              const std::vector<float>& in) {
  OwnedActivations activations(count, linear.in_size, in);
  std::vector<float> out(static_cast<size_t>(count * linear.out_size), -77.0f);
  machine.backend->linear(linear, activations.in, out.data(), linear.out_size);
  return out;
}

std::vector<int> signs_of(const std::vector<float>& values) {
  std::vector<int> signs;
  for (const float value : values) signs.push_back((value > 0) - (value < 0));
  return signs;
}

std::vector<float> plain_ternary(const std::vector<int>& weights,
                                 const std::vector<float>& row_scales,
                                 const std::vector<float>& bias, int64_t columns, int64_t count,
                                 const std::vector<float>& in) {
  std::vector<float> out;
  for (int64_t m = 0; m < count; ++m) {
    const float* x = in.data() + m * columns;
    float maximum = 1e-5f;
    for (int64_t k = 0; k < columns; ++k) maximum = std::max(maximum, std::fabs(x[k]));
    const float factor = 127.0f / maximum;
    for (size_t n = 0; n < row_scales.size(); ++n) {
      const int* row = &weights[n * static_cast<size_t>(columns)];
      int64_t dot = 0;
      for (int64_t k = 0; k < columns; ++k)
        dot += static_cast<int64_t>(std::nearbyint(x[k] * factor)) * row[k];
      volatile float y = static_cast<float>(dot);
      y = y * (1.0f / factor);
      y = y * row_scales[n];
      if (!bias.empty()) y = y + bias[n];
      out.push_back(static_cast<float>(y));
    }
  }
  return out;
}

}  // namespace bittern::test
