// Each operation as its definition reads. Sources: transformers modelling code (RMSNorm, rotary,
// attention), integrations/bitnet.py (W1.58A8).
#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "model/reference_backend.h"

namespace bittern::test {
namespace {

using backend::Activations;
using backend::RowPlace;

class ReferenceLinear final : public backend::Linear {
 public:
  std::vector<double> weights;  // [out, in]; ternary: codes -1, 0, 1
  std::vector<double> bias;
  double scale = 1.0;
  bool ternary = false;
};

class ReferenceKvStore final : public backend::KvStore {
 public:
  std::vector<double> keys, values;  // [layer][page][token][kv_head * head_dim]
  // Pages are not moved by what this backend is for.
  void copy_page(int32_t, int32_t) override { BITTERN_CHECK(false, "not here"); }
  int64_t page_bytes() const override { return 0; }
  void export_page(int32_t, std::byte*) const override { BITTERN_CHECK(false, "not here"); }
  void import_page(int32_t, const std::byte*) override { BITTERN_CHECK(false, "not here"); }
  size_t offset(int64_t layer, const RowPlace& row, int64_t position) const {
    const int64_t page = row.pages[position / backend::kPageTokens];
    const int64_t token =
        (layer * shape.page_count + page) * backend::kPageTokens + position % backend::kPageTokens;
    return static_cast<size_t>(token * shape.kv_head_count * shape.head_dim);
  }
};

std::vector<float> decode(const TensorView& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  decode_rows(tensor, 0, tensor.rows(), values.data());
  return values;
}

// Codes and scale of a ternary tensor: as it stands where it is {-a, 0, a}, else by absmean.
double ternarise(const std::vector<float>& values, std::vector<double>& codes) {
  double largest = 0.0;
  double sum = 0.0;
  for (const float value : values) {
    largest = std::max(largest, std::abs(double{value}));
    sum += std::abs(double{value});
  }
  const bool exact = largest > 0.0 && std::all_of(values.begin(), values.end(), [&](float value) {
                       return value == 0.0f || std::abs(double{value}) == largest;
                     });
  const double mean = std::max(sum / static_cast<double>(values.size()), 1e-5);
  const double scale = exact ? largest : mean;
  for (const float value : values)
    codes.push_back(std::clamp(std::nearbyint(double{value} / scale), -1.0, 1.0));
  return scale;
}

double activate(backend::Activation activation, double x) {
  switch (activation) {
    case backend::Activation::silu:
      return x / (1.0 + std::exp(-x));
    case backend::Activation::relu:
      return std::max(x, 0.0);
    case backend::Activation::relu2:
      return std::max(x, 0.0) * std::max(x, 0.0);
    case backend::Activation::gelu:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case backend::Activation::gelu_tanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  return 0.0;
}

struct ReferenceLowRank final : backend::LowRank {
  std::vector<float> a, b;  // [rank, in], [out, rank]
};

class ReferenceBackend final : public backend::Backend {
 public:
  std::string description() const override { return "reference, double"; }

  std::unique_ptr<backend::Linear> pack(const backend::LinearSource& source) override {
    auto linear = std::make_unique<ReferenceLinear>();
    linear->out_size = source.row_order.empty() ? source.weight->rows()
                                                : static_cast<int64_t>(source.row_order.size());
    linear->in_size = source.weight->columns();
    linear->ternary = source.ternary;
    const std::vector<float> values = decode(*source.weight);
    std::vector<double> stored;
    if (source.ternary)
      linear->scale = ternarise(values, stored);
    else
      stored.assign(values.begin(), values.end());
    const std::vector<float> bias = source.bias ? decode(*source.bias) : std::vector<float>();
    for (int64_t row = 0; row < linear->out_size; ++row) {
      const auto from = static_cast<size_t>(source.row_order.empty() ? row : source.row_order[row]);
      const auto width = static_cast<size_t>(linear->in_size);
      linear->weights.insert(linear->weights.end(), stored.begin() + from * width,
                             stored.begin() + (from + 1) * width);
      if (!bias.empty()) linear->bias.push_back(bias[from]);
    }
    return linear;
  }

  std::unique_ptr<backend::KvStore> make_kv_store(const backend::KvShape& shape) override {
    auto store = std::make_unique<ReferenceKvStore>();
    store->shape = shape;
    const auto count =
        static_cast<size_t>(shape.layer_count * shape.page_count * backend::kPageTokens *
                            shape.kv_head_count * shape.head_dim);
    store->keys.resize(count);
    store->values.resize(count);
    return store;
  }

  void embed(const TensorView& table, std::span<const int32_t> ids, float* out) override {
    for (size_t row = 0; row < ids.size(); ++row)
      decode_rows(table, ids[row], 1, out + row * static_cast<size_t>(table.columns()));
  }

  void rms_norm(const float* in, const float* weight, float eps, int64_t count, int64_t width,
                float* out) override {
    for (int64_t row = 0; row < count; ++row, in += width, out += width) {
      double sum = 0.0;
      for (int64_t i = 0; i < width; ++i) sum += double{in[i]} * in[i];
      const double factor = 1.0 / std::sqrt(sum / static_cast<double>(width) + eps);
      for (int64_t i = 0; i < width; ++i) out[i] = static_cast<float>(in[i] * factor * weight[i]);
    }
  }

  void layer_norm(const float* in, const float* weight, const float* bias, float eps, int64_t count,
                  int64_t width, float* out) override {
    for (int64_t row = 0; row < count; ++row, in += width, out += width) {
      double mean = 0.0;
      for (int64_t i = 0; i < width; ++i) mean += in[i] / static_cast<double>(width);
      double variance = 0.0;
      for (int64_t i = 0; i < width; ++i)
        variance += (in[i] - mean) * (in[i] - mean) / static_cast<double>(width);
      const double factor = 1.0 / std::sqrt(variance + eps);
      for (int64_t i = 0; i < width; ++i) {
        const double normal = (in[i] - mean) * factor * (weight ? double{weight[i]} : 1.0);
        out[i] = static_cast<float>(normal + (bias ? double{bias[i]} : 0.0));
      }
    }
  }

  void linears(std::span<const backend::LinearCall> calls, Activations& in) override {
    for (const backend::LinearCall& call : calls)
      product(*call.weights, in, call.out, call.out_stride);
  }

  static void product(const backend::Linear& weights, Activations& in, float* out,
                      int64_t out_stride) {
    const auto& linear = static_cast<const ReferenceLinear&>(weights);
    if (linear.ternary && !in.quantised) quantise(in);
    for (int64_t row = 0; row < in.count; ++row) {
      for (int64_t column = 0; column < linear.out_size; ++column) {
        const double* weight = linear.weights.data() + column * linear.in_size;
        double sum = 0.0;
        for (int64_t i = 0; i < linear.in_size; ++i) {
          sum += weight[i] * (linear.ternary ? in.codes[row * backend::padded_width(in.width) + i]
                                             : in.values[row * in.width + i]);
        }
        if (linear.ternary) sum *= in.inverse_scales[row] * linear.scale;
        if (!linear.bias.empty()) sum += linear.bias[static_cast<size_t>(column)];
        out[row * out_stride + column] = static_cast<float>(sum);
      }
    }
  }

  std::unique_ptr<backend::LowRank> pack_low_rank(const backend::LowRankSource& source) override {
    auto weights = std::make_unique<ReferenceLowRank>();
    const std::vector<float> stored = decode(*source.b);
    weights->a = decode(*source.a);
    weights->rank = source.a->rows();
    weights->in_size = source.a->columns();
    weights->out_size = source.row_order.empty() ? source.b->rows() : std::ssize(source.row_order);
    for (int64_t row = 0; row < weights->out_size; ++row) {
      const auto from = source.row_order.empty() ? row : source.row_order[row];
      const auto first = stored.begin() + from * weights->rank;
      weights->b.insert(weights->b.end(), first, first + weights->rank);
    }
    return weights;
  }

  void add_low_rank(std::span<const backend::LowRankCall> calls, const Activations& in,
                    float*) override {
    for (const backend::LowRankCall& call : calls) {
      const auto& weights = static_cast<const ReferenceLowRank&>(*call.weights);
      for (const int32_t row : call.rows) {
        std::vector<double> inner(static_cast<size_t>(weights.rank));
        for (size_t i = 0; i < weights.a.size(); ++i)
          inner[i / weights.in_size] +=
              double{weights.a[i]} * in.values[row * in.width + i % weights.in_size];
        for (int64_t out = 0; out < weights.out_size; ++out) {
          double sum = 0.0;
          for (int64_t k = 0; k < weights.rank; ++k)
            sum += weights.b[out * weights.rank + k] * inner[k];
          float& target = call.out[row * call.out_stride + out];
          target = static_cast<float>(target + call.factor * sum);
        }
      }
    }
  }

  void rope(const backend::RopeTable& table, std::span<const RowPlace> rows, int64_t head_count,
            int64_t head_dim, float* x, int64_t stride) override {
    const int64_t half = table.dim / 2;
    const bool is_half = table.pairing == backend::RopePairing::half;
    for (size_t row = 0; row < rows.size(); ++row) {
      for (int64_t head = 0; head < head_count; ++head) {
        float* values = x + static_cast<int64_t>(row) * stride + head * head_dim;
        for (int64_t pair = 0; pair < half; ++pair) {
          float& first = values[is_half ? pair : 2 * pair];
          float& second = values[is_half ? pair + half : 2 * pair + 1];
          const auto angle = static_cast<size_t>(rows[row].position * half + pair);
          const double cosine = table.cosine[angle];
          const double sine = table.sine[angle];
          const double turned = first * cosine - second * sine;
          second = static_cast<float>(second * cosine + first * sine);
          first = static_cast<float>(turned);
        }
      }
    }
  }

  void gate(backend::Activation activation, const float* gate, const float* up, int64_t elements,
            float* out) override {
    for (int64_t i = 0; i < elements; ++i)
      out[i] = static_cast<float>(activate(activation, gate[i]) * (up ? up[i] : 1.0));
  }

  void add(float* x, const float* y, int64_t elements) override {
    for (int64_t i = 0; i < elements; ++i) x[i] += y[i];
  }

  void add_scaled(float* x, const float* y, float factor, int64_t elements) override {
    for (int64_t i = 0; i < elements; ++i)
      x[i] = static_cast<float>(x[i] + double{factor} * double{y[i]});
  }

  void scale(float* x, float factor, int64_t elements) override {
    for (int64_t i = 0; i < elements; ++i) x[i] *= factor;
  }

  void softcap(float* x, float cap, int64_t elements) override {
    for (int64_t i = 0; i < elements; ++i)
      x[i] = static_cast<float>(cap * std::tanh(double{x[i]} / cap));
  }

  void route(const backend::RouteShape& shape, const float* logits, int64_t count, int32_t* experts,
             float* shares) override {
    const auto size = static_cast<size_t>(shape.expert_count);
    for (int64_t row = 0; row < count; ++row, logits += size) {
      const double largest = *std::max_element(logits, logits + size);
      double total = 0.0;
      std::vector<int32_t> order;
      for (size_t expert = 0; expert < size; ++expert) {
        total += std::exp(logits[expert] - largest);
        order.push_back(static_cast<int32_t>(expert));
      }
      std::stable_sort(order.begin(), order.end(),
                       [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
      double kept = 0.0;
      for (int64_t i = 0; i < shape.chosen; ++i) kept += std::exp(logits[order[i]] - largest);
      for (int64_t i = 0; i < shape.chosen; ++i) {
        *experts++ = order[i];
        *shares++ = static_cast<float>(std::exp(logits[order[i]] - largest) /
                                       (shape.renormalise ? kept : total));
      }
    }
  }

  void hadamard(const float* in, const float* signs, int64_t block, bool inverse, int64_t count,
                int64_t width, float* out) override {
    for (int64_t row = 0; row < count; ++row, in += width, out += width) {
      std::vector<double> turned(in, in + width);
      if (signs && !inverse) {
        for (int64_t i = 0; i < width; ++i) turned[i] *= signs[i];
      }
      for (int64_t i = 0; i < width; ++i) {
        const int64_t first = i / block * block;
        double sum = 0.0;
        for (int64_t j = 0; j < block; ++j) {
          const bool odd = std::popcount(static_cast<uint64_t>((i - first) & j)) % 2 == 1;
          sum += odd ? -turned[first + j] : turned[first + j];
        }
        sum /= std::sqrt(static_cast<double>(block));
        out[i] = static_cast<float>(signs && inverse ? sum * signs[i] : sum);
      }
    }
  }

  void store_kv(backend::KvStore& store, int64_t layer, std::span<const RowPlace> rows,
                const float* keys, const float* values) override {
    auto& kv = static_cast<ReferenceKvStore&>(store);
    const int64_t width = store.shape.kv_head_count * store.shape.head_dim;
    for (const RowPlace& row : rows) {
      const size_t offset = kv.offset(layer, row, row.position);
      std::copy(keys, keys + width, kv.keys.data() + offset);
      std::copy(values, values + width, kv.values.data() + offset);
      keys += width;
      values += width;
    }
  }

  void attend(const backend::KvStore& store, const backend::AttendShape& shape,
              std::span<const RowPlace> rows, const float* queries, float* out) override {
    const auto& kv = static_cast<const ReferenceKvStore&>(store);
    const int64_t dim = store.shape.head_dim;
    const int64_t group = shape.head_count / store.shape.kv_head_count;
    for (const RowPlace& row : rows) {
      const bool causal = shape.mask == backend::Mask::causal;
      const int64_t start =
          causal && shape.window > 0 ? std::max<int64_t>(0, row.position - shape.window + 1) : 0;
      const int64_t last = causal ? row.position : row.length - 1;
      for (int64_t head = 0; head < shape.head_count; ++head, queries += dim, out += dim) {
        const int64_t kv_head = head / group * dim;
        std::vector<double> scores;
        for (int64_t position = start; position <= last; ++position) {
          const double* key = kv.keys.data() + kv.offset(shape.layer, row, position) + kv_head;
          double score = 0.0;
          for (int64_t i = 0; i < dim; ++i) score += queries[i] * key[i];
          score *= shape.scale;
          scores.push_back(shape.softcap > 0 ? shape.softcap * std::tanh(score / shape.softcap)
                                             : score);
        }
        const double largest = *std::max_element(scores.begin(), scores.end());
        double total = 0.0;
        for (double& score : scores) total += score = std::exp(score - largest);
        std::vector<double> mixed(static_cast<size_t>(dim));
        for (int64_t position = start; position <= last; ++position) {
          const double* value = kv.values.data() + kv.offset(shape.layer, row, position) + kv_head;
          const double share = scores[static_cast<size_t>(position - start)] / total;
          for (int64_t i = 0; i < dim; ++i) mixed[static_cast<size_t>(i)] += share * value[i];
        }
        for (int64_t i = 0; i < dim; ++i)
          out[i] = static_cast<float>(mixed[static_cast<size_t>(i)]);
      }
    }
  }

 private:
  static void quantise(Activations& in) {
    const int64_t padded = backend::padded_width(in.width);
    for (int64_t row = 0; row < in.count; ++row) {
      const float* x = in.values + row * in.width;
      float largest = 1e-5f;
      for (int64_t i = 0; i < in.width; ++i) largest = std::max(largest, std::abs(x[i]));
      const float scale = 127.0f / largest;
      int32_t sum = 0;
      for (int64_t i = 0; i < padded; ++i) {
        const float code =
            i < in.width ? std::clamp(std::nearbyint(x[i] * scale), -127.0f, 127.0f) : 0.0f;
        in.codes[row * padded + i] = static_cast<int8_t>(code);
        sum += static_cast<int32_t>(code);
      }
      in.inverse_scales[row] = 1.0f / scale;
      in.sums[row] = sum;
    }
    in.quantised = true;
  }
};

}  // namespace

std::unique_ptr<backend::Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace bittern::test
