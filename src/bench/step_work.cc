#include "bench/step_work.h"

#include <algorithm>

#include "codec/codec.h"

namespace bittern::bench {
namespace {

// Bytes that a product with this layer reads: of weights that lie in the file what the codec takes,
// of packed ones what the layer holds.
double weight_bytes(const backend::Linear& linear) {
  const bool packed = linear.kernel.starts_with("block/");
  if (const codec::Codec* codec = packed ? nullptr : codec::find(linear.layout)) {
    if (const auto bytes = codec->tensor_bytes(linear.out_size, linear.in_size))
      return static_cast<double>(*bytes);
  }
  return static_cast<double>(linear.resident_bytes);
}

void add_linear(const backend::Linear* linear, double rows, StepWork& work) {
  if (linear != nullptr && rows > 0.0) work += work_of_linear(*linear, rows);
}

void add_experts(const model::Layer& layer, int64_t chosen, double rows, StepWork& work) {
  if (layer.experts.empty()) return;
  const auto count = static_cast<double>(layer.experts.size());
  const double reached = std::min(count, rows * static_cast<double>(chosen));
  StepWork all;
  for (const model::Expert& expert : layer.experts)
    for (const auto* linear : {expert.gate.get(), expert.up.get(), expert.down.get()})
      add_linear(linear, 1.0, all);
  work.bytes += all.bytes * reached / count;
  const double uses = rows * static_cast<double>(chosen) / count;
  work.int8_operations += all.int8_operations * uses;
  work.float32_operations += all.float32_operations * uses;
  work.bfloat16_operations += all.bfloat16_operations * uses;
}

double kv_element_bytes(backend::KvType type, int64_t head_dim) {
  switch (type) {
    case backend::KvType::f32:
      return 4.0;
    case backend::KvType::f16:
      return 2.0;
    case backend::KvType::int8:  // and a float for each vector
      return 1.0 + 4.0 / static_cast<double>(head_dim);
  }
  return 0.0;
}

}  // namespace

StepWork& StepWork::operator+=(const StepWork& other) {
  bytes += other.bytes;
  int8_operations += other.int8_operations;
  float32_operations += other.float32_operations;
  bfloat16_operations += other.bfloat16_operations;
  return *this;
}

StepWork work_of_linear(const backend::Linear& linear, double rows) {
  StepWork work;
  work.bytes = weight_bytes(linear);
  const double operations =
      2.0 * rows * static_cast<double>(linear.in_size) * static_cast<double>(linear.out_size);
  switch (arithmetic_of_kernel(linear.kernel)) {
    case Arithmetic::int8:
      work.int8_operations = operations;
      break;
    case Arithmetic::float32:
      work.float32_operations = operations;
      break;
    case Arithmetic::bfloat16:
      work.bfloat16_operations = operations;
      break;
  }
  return work;
}

Arithmetic arithmetic_of_kernel(std::string_view kernel) {
  if (kernel.starts_with("float")) return Arithmetic::float32;
  if (kernel.starts_with("bf16/"))
    return kernel.ends_with("-bf16") ? Arithmetic::bfloat16 : Arithmetic::float32;
  return Arithmetic::int8;
}

StepWork work_of_head(const model::Model& model, double logit_rows, std::optional<double> refined) {
  StepWork work;
  const backend::Linear* head = model.head.get();
  if (head == nullptr || logit_rows <= 0.0) return work;
  if (!refined) return work_of_linear(*head, logit_rows);
  const auto rows = static_cast<double>(head->out_size);
  const auto columns = static_cast<double>(head->in_size);
  work.bytes = static_cast<double>(head->coarse_bytes) + weight_bytes(*head) / rows * *refined;
  work.int8_operations = 2.0 * 2.0 * logit_rows * rows * columns;  // two rows of codes for each
  work.float32_operations = 2.0 * *refined * columns;
  return work;
}

StepWork work_of_step(const model::Model& model, backend::KvType kv_type,
                      std::span<const int64_t> positions, int64_t logit_rows) {
  StepWork work = work_of_body(model, kv_type, positions);
  work += work_of_head(model, static_cast<double>(logit_rows), std::nullopt);
  return work;
}

StepWork work_of_body(const model::Model& model, backend::KvType kv_type,
                      std::span<const int64_t> positions) {
  const model::Config& config = model.config;
  const auto rows = static_cast<double>(positions.size());
  StepWork work;
  const double kv_bytes =
      2.0 * static_cast<double>(config.key_width()) * kv_element_bytes(kv_type, config.head_dim);
  for (size_t index = 0; index < model.layers.size(); ++index) {
    const model::Layer& layer = model.layers[index];
    for (const auto* linear :
         {layer.query.get(), layer.key.get(), layer.value.get(), layer.output.get(),
          layer.router.get(), layer.gate.get(), layer.up.get(), layer.down.get()})
      add_linear(linear, rows, work);
    add_experts(layer, config.experts.chosen, rows, work);
    const int64_t window = config.layers[index].window;
    double seen = 0.0;
    for (const int64_t position : positions)
      seen += static_cast<double>(window > 0 ? std::min(position + 1, window) : position + 1);
    work.bytes += seen * kv_bytes;
    (kv_type == backend::KvType::int8 ? work.int8_operations : work.float32_operations) +=
        4.0 * seen * static_cast<double>(config.query_width());
  }
  return work;
}

LeastTime least_time(const StepWork& work, const Limits& limits) {
  LeastTime time;
  if (limits.read_rate() > 0.0) time.memory_seconds = work.bytes / limits.read_rate();
  const auto seconds = [&](double operations, Arithmetic arithmetic) {
    const auto rate = limits.compute_rate(arithmetic);
    return rate && *rate > 0.0 ? operations / *rate : 0.0;
  };
  time.compute_seconds = seconds(work.int8_operations, Arithmetic::int8) +
                         seconds(work.float32_operations, Arithmetic::float32) +
                         seconds(work.bfloat16_operations, Arithmetic::bfloat16);
  return time;
}

}  // namespace bittern::bench
