// Attention and the key/value store: against double precision, with the error of each KV type;
// equal bits for any table, thread count, batch, page table and history.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "attention_power.h"
#include "backend/backend_support.h"
#include "backend/cpu/device.h"
#include "base/error.h"

namespace bittern::test {
namespace {

using backend::AttendShape;
using backend::KvShape;
using backend::KvStore;
using backend::KvType;
using backend::RowPlace;

constexpr int64_t kPage = backend::kPageTokens;

// One sequence of random queries, keys and values.
struct Sequence {
  int64_t length = 0, heads = 0, kv_heads = 0, dim = 0;
  std::vector<float> queries, keys, values;  // [length, heads or kv_heads, dim]
  std::vector<int32_t> pages;

  Sequence(random::Sequence& draw, int64_t tokens, int64_t query_heads, int64_t key_heads,
           int64_t head_dim)
      : length(tokens), heads(query_heads), kv_heads(key_heads), dim(head_dim) {
    queries = random_values(draw, length * heads * dim, 2.0f);
    keys = random_values(draw, length * kv_heads * dim, 2.0f);
    values = random_values(draw, length * kv_heads * dim, 1.0f);
    pages.resize(static_cast<size_t>((length + kPage - 1) / kPage));
    std::iota(pages.begin(), pages.end(), 0);
  }

  std::vector<RowPlace> places(int64_t first, int64_t count) const {
    std::vector<RowPlace> rows;
    for (int64_t i = 0; i < count; ++i) rows.push_back({pages.data(), first + i});
    return rows;
  }
};

KvShape shape_of(const Sequence& s, KvType type, int64_t layers = 1) {
  return {.layer_count = layers,
          .kv_head_count = s.kv_heads,
          .head_dim = s.dim,
          .type = type,
          .page_count = *std::max_element(s.pages.begin(), s.pages.end()) + 1};
}

AttendShape attend_shape(const Sequence& s, int64_t window = 0, int64_t layer = 0) {
  return {.layer = layer,
          .head_count = s.heads,
          .scale = 1.0f / std::sqrt(static_cast<float>(s.dim)),
          .window = window};
}

// Positions [first, first + count) in one step: stored, then attended.
void step(Machine& machine, KvStore& store, const Sequence& s, const AttendShape& shape,
          int64_t first, int64_t count, std::vector<float>& out) {
  const std::vector<RowPlace> rows = s.places(first, count);
  const int64_t kv_width = s.kv_heads * s.dim, width = s.heads * s.dim;
  machine.backend->store_kv(store, shape.layer, rows, s.keys.data() + first * kv_width,
                            s.values.data() + first * kv_width);
  machine.backend->attend(store, shape, rows, s.queries.data() + first * width,
                          out.data() + first * width);
}

std::vector<float> run(Machine& machine, const Sequence& s, KvType type, int64_t window,
                       int64_t chunk) {
  const auto store = machine.backend->make_kv_store(shape_of(s, type));
  std::vector<float> out(s.queries.size(), -9.0f);
  for (int64_t first = 0; first < s.length; first += chunk)
    step(machine, *store, s, attend_shape(s, window), first, std::min(chunk, s.length - first),
         out);
  return out;
}

std::vector<double> plain_attention(const Sequence& s, int64_t window, double softcap = 0,
                                    bool bidirectional = false) {
  std::vector<double> out(s.queries.size());
  for (int64_t position = 0; position < s.length; ++position) {
    const int64_t first = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
    const int64_t last = bidirectional ? s.length - 1 : position;
    for (int64_t head = 0; head < s.heads; ++head) {
      const int64_t kv = head / (s.heads / s.kv_heads);
      const float* q = s.queries.data() + (position * s.heads + head) * s.dim;
      std::vector<double> weights;
      double maximum = -INFINITY, sum = 0;
      for (int64_t t = first; t <= last; ++t) {
        const float* k = s.keys.data() + (t * s.kv_heads + kv) * s.dim;
        double dot = 0;
        for (int64_t i = 0; i < s.dim; ++i) dot += double{q[i]} * double{k[i]};
        const double score = dot / std::sqrt(static_cast<double>(s.dim));
        weights.push_back(softcap > 0 ? softcap * std::tanh(score / softcap) : score);
        maximum = std::max(maximum, weights.back());
      }
      for (double& weight : weights) sum += weight = std::exp(weight - maximum);
      for (int64_t t = first; t <= last; ++t) {
        const float* v = s.values.data() + (t * s.kv_heads + kv) * s.dim;
        for (int64_t i = 0; i < s.dim; ++i)
          out[static_cast<size_t>((position * s.heads + head) * s.dim + i)] +=
              weights[static_cast<size_t>(t - first)] / sum * double{v[i]};
      }
    }
  }
  return out;
}

double worst_error(const std::vector<float>& got, const std::vector<double>& truth) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::fabs(double{got[i]} - truth[i]);
    worst = std::isfinite(got[i]) ? std::max(worst, error) : INFINITY;
  }
  return worst;
}

// Values are below 1 and scores up to about 5.
TEST(Attention, ErrorOfEachKvTypeAgainstDouble) {
  random::Sequence draw(51);
  Machine machine(1, kernel::scalar_table);
  for (const int64_t dim : {16, 40, 64}) {
    const Sequence s(draw, 150, 6, 2, dim);
    const std::vector<double> truth = plain_attention(s, 0);
    const double f32 = worst_error(run(machine, s, KvType::f32, 0, 150), truth);
    const double f16 = worst_error(run(machine, s, KvType::f16, 0, 150), truth);
    const double int8 = worst_error(run(machine, s, KvType::int8, 0, 150), truth);
    EXPECT_LT(f32, 2e-6) << "seed 51, dim " << dim;
    EXPECT_LT(f16, 2e-3) << "seed 51, dim " << dim;
    EXPECT_LT(int8, 3e-2) << "seed 51, dim " << dim;
    EXPECT_GT(f16, f32);
    EXPECT_GT(int8, f16);
  }
}

TEST(Attention, WindowsAndLongContextsAgainstDouble) {
  random::Sequence draw(52);
  const Sequence s(draw, 600, 2, 1, 16);
  Machine machine(2, best_table());
  for (const int64_t window : {0, 1, 63, 64, 65, 255, 256, 257, 1000}) {
    EXPECT_LT(worst_error(run(machine, s, KvType::f32, window, 600), plain_attention(s, window)),
              3e-6)
        << "seed 52, window " << window;
  }
}

// The arithmetic of kernel/attention.h, written out for one head of f32 keys and values: chunks
// begin at absolute multiples of 256 wherever a window begins, and each joins those before it.

// What a store keeps of one vector: f16 and f32 as numbers, int8 as codes and their scale.
struct Stored {
  std::vector<float> values;
  float scale = 1.0f;

  Stored(const float* from, int64_t count, KvType type) : values(from, from + count) {
    const kernel::Table& table = kernel::scalar_table;
    if (type == KvType::f16) {
      std::vector<uint16_t> halves(values.size());
      table.encode_f16(from, count, halves.data());
      table.decode_f16(halves.data(), count, values.data());
    } else if (type == KvType::int8) {
      std::vector<int8_t> codes(values.size());
      table.encode_i8(from, count, codes.data(), &scale);
      std::copy(codes.begin(), codes.end(), values.begin());
    }
  }
};

float tree(float* lanes) {
  for (int width = 8; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lanes[l] = lanes[l] + lanes[l + width];
  }
  return lanes[0];
}

// Sums of products of codes are exact in float here, as they are in int32 there.
float raw_score(const Stored& q, const Stored& k, KvType type) {
  float raw = 0.0f;
  for (size_t i = 0; i < q.values.size(); ++i) raw = std::fmaf(q.values[i], k.values[i], raw);
  return type == KvType::int8 ? raw * k.scale : raw;
}

// Element i of the weighted values of one chunk.
float weighted_values(const std::vector<float>& weights, const std::vector<Stored>& values,
                      size_t i, KvType type) {
  if (type != KvType::int8) {
    float total = 0.0f;
    for (size_t t = 0; t < weights.size(); ++t)
      total = std::fmaf(weights[t], values[t].values[i], total);
    return total;
  }
  float top = 0.0f;
  for (size_t t = 0; t < weights.size(); ++t) top = std::max(top, weights[t] * values[t].scale);
  int64_t total = 0;
  for (size_t t = 0; t < weights.size(); ++t) {
    const float code = std::nearbyintf(weights[t] * values[t].scale * (32767.0f / top));
    total += static_cast<int64_t>(code) * static_cast<int64_t>(values[t].values[i]);
  }
  return static_cast<float>(total) * (top / 32767.0f);
}

std::vector<float> ordered_attention(const Sequence& s, int64_t position, int64_t window,
                                     KvType type) {
  Stored q(s.queries.data() + position * s.dim, s.dim,
           type == KvType::int8 ? KvType::int8 : KvType::f32);
  const float scale = (1.0f / std::sqrt(static_cast<float>(s.dim))) * 1.44269504f;
  const float factor = type == KvType::int8 ? q.scale * scale : 1.0f;
  if (type != KvType::int8) {
    for (float& element : q.values) element = element * scale;
  }
  const int64_t first = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
  std::vector<float> out(static_cast<size_t>(s.dim));
  float maximum = -INFINITY, sum = 0;
  for (int64_t chunk = first / 256 * 256; chunk <= position; chunk += 256) {
    const int64_t begin = std::max(chunk, first), end = std::min(chunk + 256, position + 1);
    std::vector<float> weights;
    std::vector<Stored> values;
    float largest = -INFINITY;
    for (int64_t t = begin; t < end; ++t) {
      weights.push_back(raw_score(q, Stored(s.keys.data() + t * s.dim, s.dim, type), type));
      values.emplace_back(s.values.data() + t * s.dim, s.dim, type);
      largest = std::max(largest, weights.back());
    }
    const float own = largest * factor;
    float lanes[16] = {};
    for (int64_t t = begin; t < end; ++t) {
      float& weight = weights[static_cast<size_t>(t - begin)];
      weight = attention_power(weight * factor - own);
      lanes[t % 16] += weight;
    }
    const float joined = std::max(maximum, own);
    const float before = attention_power(maximum - joined), now = attention_power(own - joined);
    maximum = joined;
    sum = std::fmaf(tree(lanes), now, sum * before);
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = std::fmaf(weighted_values(weights, values, i, type), now, out[i] * before);
  }
  for (float& total : out) total = total * (1.0f / sum);
  return out;
}

TEST(Attention, ArithmeticInTheDocumentedOrder) {
  random::Sequence draw(58);
  const Sequence s(draw, 600, 1, 1, 20);
  Machine machine(1, best_table());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    for (const int64_t window : {0, 40, 300}) {
      const std::vector<float> out = run(machine, s, type, window, 600);
      for (const int64_t position : {0, 1, 15, 16, 63, 64, 255, 256, 300, 511, 512, 599}) {
        const std::vector<float> row(out.begin() + position * s.dim,
                                     out.begin() + (position + 1) * s.dim);
        ASSERT_TRUE(same_bits(row, ordered_attention(s, position, window, type)))
            << "seed 58, type " << static_cast<int>(type) << ", window " << window << ", position "
            << position;
      }
    }
  }
}

TEST(Attention, SoftcapAgainstDouble) {
  random::Sequence draw(59);
  Machine machine(2, best_table());
  for (const int64_t window : {0, 37}) {
    const Sequence s(draw, 300, 4, 2, 24);
    AttendShape shape = attend_shape(s, window);
    const auto store = machine.backend->make_kv_store(shape_of(s, KvType::f32));
    std::vector<float> plain(s.queries.size()), capped(s.queries.size()), loose(s.queries.size());
    step(machine, *store, s, shape, 0, s.length, plain);
    shape.softcap = 1.5f;
    step(machine, *store, s, shape, 0, s.length, capped);
    EXPECT_LT(worst_error(capped, plain_attention(s, window, 1.5)), 3e-6) << "seed 59";
    EXPECT_GT(worst_error(plain, plain_attention(s, window, 1.5)), 1e-2) << "seed 59";
    shape.softcap = 1e6f;  // far from every score: no cap at all, up to rounding
    step(machine, *store, s, shape, 0, s.length, loose);
    EXPECT_LT(worst_error(loose, plain_attention(s, window)), 3e-6) << "seed 59";
  }
}

// Every row sees the whole text, in whatever rows the step holds; other machines, other pages and
// another sequence in the store change nothing.
TEST(Attention, BidirectionalRowsSeeTheWholeText) {
  random::Sequence draw(60);
  for (const int64_t length : {1, 5, 64, 65, 300}) {
    Sequence s(draw, length, 9, 1, 20);
    s.pages = {3, 0, 4, 2, 1, 5};
    AttendShape shape = attend_shape(s);
    shape.mask = backend::Mask::bidirectional;
    std::vector<float> expected;
    on_every_machine([&](Machine& machine) {
      const auto store = machine.backend->make_kv_store(shape_of(s, KvType::f32));
      std::vector<RowPlace> rows = s.places(0, length);
      for (RowPlace& row : rows) row.length = length;
      machine.backend->store_kv(*store, 0, rows, s.keys.data(), s.values.data());
      std::vector<float> out(s.queries.size());
      machine.backend->attend(*store, shape, rows, s.queries.data(), out.data());
      if (expected.empty()) expected = out;
      ASSERT_TRUE(same_bits(out, expected)) << "seed 60, " << length;
      const int64_t width = s.heads * s.dim;
      std::vector<float> last(static_cast<size_t>(width));
      machine.backend->attend(*store, shape, std::span(rows).last(1),
                              s.queries.data() + (length - 1) * width, last.data());
      ASSERT_TRUE(same_bits(last, {expected.end() - width, expected.end()})) << "seed 60";
    });
    EXPECT_LT(worst_error(expected, plain_attention(s, 0, 0, true)), 3e-6) << "seed 60, " << length;
  }
}

TEST(Attention, BidirectionalRowsMustLieInTheirText) {
  random::Sequence draw(61);
  const Sequence s(draw, 3, 2, 1, 16);
  Machine machine(1, kernel::scalar_table);
  const auto store = machine.backend->make_kv_store(shape_of(s, KvType::f32));
  AttendShape shape = attend_shape(s);
  shape.mask = backend::Mask::bidirectional;
  std::vector<RowPlace> rows = s.places(0, 3);
  for (RowPlace& row : rows) row.length = 2;
  std::vector<float> out(s.queries.size());
  EXPECT_THROW(machine.backend->attend(*store, shape, rows, s.queries.data(), out.data()), Error);
}

// Nine heads on one key/value head (more than one block of them), the rows around the end of the
// first chunk.
TEST(Attention, EqualBitsOnEveryMachine) {
  random::Sequence draw(53);
  const int64_t first = 250, count = 14;
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    for (const int64_t dim : {15, 64, 80}) {
      const Sequence s(draw, first + count, 9, 1, dim);
      std::vector<float> expected;
      on_every_machine([&](Machine& machine) {
        const auto store = machine.backend->make_kv_store(shape_of(s, type));
        machine.backend->store_kv(*store, 0, s.places(0, first), s.keys.data(), s.values.data());
        std::vector<float> out(s.queries.size());
        step(machine, *store, s, attend_shape(s), first, count, out);
        if (expected.empty()) expected = out;
        ASSERT_TRUE(same_bits(out, expected))
            << "seed 53, type " << static_cast<int>(type) << ", dim " << dim;
      });
    }
  }
}

// Decoding: rows of few sequences over many chunks, which the threads share between any two; also
// beside a prompt, whose rows go in tiles, and with more heads than a pass takes.
TEST(Attention, LongRowsAreSharedByThreads) {
  random::Sequence draw(62);
  const int64_t depth = 1500;
  for (const int64_t heads : {3, 18}) {
    const Sequence s(draw, depth + 9, heads, 1, 24);
    const int64_t width = heads * s.dim;
    for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
      for (const int64_t window : {0, 700}) {
        std::vector<float> expected;
        on_every_machine([&](Machine& machine) {
          const auto store = machine.backend->make_kv_store(shape_of(s, type));
          machine.backend->store_kv(*store, 0, s.places(0, s.length), s.keys.data(),
                                    s.values.data());
          const AttendShape shape = attend_shape(s, window);
          std::vector<float> out(s.queries.size());
          machine.backend->attend(*store, shape, s.places(depth, 9),
                                  s.queries.data() + depth * width, out.data() + depth * width);
          for (const int64_t row : {depth + 8, int64_t{255}, int64_t{256}}) {
            std::vector<float> alone(static_cast<size_t>(width));
            machine.backend->attend(*store, shape, s.places(row, 1), s.queries.data() + row * width,
                                    alone.data());
            if (row >= depth) {
              ASSERT_TRUE(same_bits(alone, {out.begin() + row * width, out.end()}));
            }
            std::copy(alone.begin(), alone.end(), out.begin() + row * width);
          }
          if (expected.empty()) expected = out;
          ASSERT_TRUE(same_bits(out, expected))
              << "seed 62, type " << static_cast<int>(type) << ", window " << window;
        });
      }
    }
  }
}

// What a row does not see may be anything, also where rows are computed together.
TEST(Attention, UnseenPositionsDoNotMatter) {
  random::Sequence draw(63);
  Sequence s(draw, 70, 4, 2, 20);
  Machine machine(1, best_table());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    for (const int64_t window : {0, 5}) {
      Sequence spoilt = s;
      const int64_t bad = 65 * s.kv_heads * s.dim;  // rows 60 to 69 share tiles
      for (int64_t i = 0; i < s.kv_heads * s.dim; ++i) {
        spoilt.keys[static_cast<size_t>(bad + i)] = INFINITY;
        spoilt.values[static_cast<size_t>(bad + i)] = i % 2 == 0 ? INFINITY : NAN;
      }
      const std::vector<float> clean = run(machine, s, type, window, 70);
      const std::vector<float> out = run(machine, spoilt, type, window, 70);
      const auto end = 65 * s.heads * s.dim;
      EXPECT_TRUE(same_bits({out.begin(), out.begin() + end}, {clean.begin(), clean.begin() + end}))
          << "seed 63, type " << static_cast<int>(type) << ", window " << window;
      if (window == 0) continue;
      const auto behind = 70 * s.heads * s.dim;
      EXPECT_TRUE(
          same_bits({out.begin() + behind, out.end()}, {clean.begin() + behind, clean.end()}));
    }
  }
}

TEST(Attention, EveryHeadSize) {
  random::Sequence draw(64);
  Machine machine(2, best_table());
  for (const int64_t dim : {1, 3, 16, 17, 64, 65, 80, 96, 112, 128, 130, 192, 256}) {
    const Sequence s(draw, 90, 2, 1, dim);
    const std::vector<double> truth = plain_attention(s, 0);
    EXPECT_LT(worst_error(run(machine, s, KvType::f32, 0, 90), truth), 5e-6) << "dim " << dim;
    EXPECT_LT(worst_error(run(machine, s, KvType::f16, 0, 90), truth), 4e-3) << "dim " << dim;
    EXPECT_LT(worst_error(run(machine, s, KvType::int8, 0, 90), truth), 6e-2) << "dim " << dim;
  }
}

TEST(Attention, HistoryDoesNotMatter) {
  random::Sequence draw(54);
  const Sequence s(draw, 530, 4, 2, 16);
  Machine machine(2, best_table());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    for (const int64_t window : {0, 100}) {
      const std::vector<float> whole = run(machine, s, type, window, 530);
      for (const int64_t chunk : {1, 7, 64, 255, 256, 300}) {
        ASSERT_TRUE(same_bits(run(machine, s, type, window, chunk), whole))
            << "seed 54, type " << static_cast<int>(type) << ", chunks of " << chunk;
      }
    }
  }
}

TEST(Attention, PageIdsDoNotMatter) {
  random::Sequence draw(55);
  Sequence s(draw, 400, 4, 2, 24);
  Machine machine(1, best_table());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    std::iota(s.pages.begin(), s.pages.end(), 0);
    const std::vector<float> straight = run(machine, s, type, 0, 400);
    s.pages = {5, 9, 0, 3, 12, 1, 7};
    ASSERT_TRUE(same_bits(run(machine, s, type, 0, 400), straight)) << "seed 55";
  }
}

// Two sequences and two layers in one store, their rows mixed in one step, in any order.
TEST(Attention, RowsOfSeveralSequencesDoNotSeeEachOther) {
  random::Sequence draw(56);
  Sequence a(draw, 130, 4, 2, 16), b(draw, 130, 4, 2, 16);
  a.pages = {4, 1, 0};
  b.pages = {2, 5, 3};
  Machine machine(2, best_table());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    const std::vector<float> alone_a = run(machine, a, type, 0, 130);
    const std::vector<float> alone_b = run(machine, b, type, 0, 130);
    KvShape shape = shape_of(a, type, 2);
    shape.page_count = 6;
    const auto store = machine.backend->make_kv_store(shape);
    const int64_t kv_width = 32, width = 64;
    for (int64_t position = 0; position < 130; ++position) {
      for (const int64_t layer : {0, 1}) {
        // Layer 1 holds the two sequences the other way round.
        const Sequence& first = layer == 0 ? a : b;
        const Sequence& second = layer == 0 ? b : a;
        const std::vector<RowPlace> rows = {{a.pages.data(), position}, {b.pages.data(), position}};
        const auto both = [&](const std::vector<float>& x, const std::vector<float>& y,
                              int64_t each) {
          std::vector<float> joined(x.begin() + position * each, x.begin() + (position + 1) * each);
          joined.insert(joined.end(), y.begin() + position * each,
                        y.begin() + (position + 1) * each);
          return joined;
        };
        machine.backend->store_kv(*store, layer, rows,
                                  both(first.keys, second.keys, kv_width).data(),
                                  both(first.values, second.values, kv_width).data());
        std::vector<float> out(static_cast<size_t>(2 * width));
        machine.backend->attend(*store, attend_shape(a, 0, layer), rows,
                                both(first.queries, second.queries, width).data(), out.data());
        const auto expected =
            layer == 0 ? both(alone_a, alone_b, width) : both(alone_b, alone_a, width);
        ASSERT_TRUE(same_bits(out, expected)) << "seed 56, layer " << layer << ", " << position;
      }
    }
  }
}

// However a prompt was cut, and whoever wrote it.
TEST(KvStoreTest, BytesDoNotDependOnChunking) {
  random::Sequence draw(65);
  const Sequence s(draw, 200, 2, 2, 21);
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    std::vector<std::byte> expected;
    on_every_machine([&](Machine& machine) {
      for (const int64_t chunk : {1, 7, 64, 200}) {
        const auto store = machine.backend->make_kv_store(shape_of(s, type));
        for (int64_t first = 0; first < s.length; first += chunk) {
          const int64_t offset = first * s.kv_heads * s.dim;
          machine.backend->store_kv(*store, 0, s.places(first, std::min(chunk, s.length - first)),
                                    s.keys.data() + offset, s.values.data() + offset);
        }
        const auto& own = static_cast<const backend::CpuKvStore&>(*store);
        std::vector<std::byte> bytes(own.keys.data(), own.keys.data() + own.keys.bytes());
        bytes.insert(bytes.end(), own.values.data(), own.values.data() + own.values.bytes());
        ASSERT_EQ(static_cast<int64_t>(bytes.size()), backend::kv_bytes(own.shape));
        if (expected.empty()) expected = bytes;
        ASSERT_TRUE(bytes == expected) << "seed 65, chunks of " << chunk;
      }
    });
  }
}

TEST(KvStoreTest, BytesPerType) {
  KvShape shape{
      .layer_count = 3, .kv_head_count = 2, .head_dim = 80, .type = KvType::f32, .page_count = 5};
  const int64_t vectors = 3 * 2 * 5 * 64;
  EXPECT_EQ(backend::kv_bytes(shape), vectors * 2 * 80 * 4);
  shape.type = KvType::f16;
  EXPECT_EQ(backend::kv_bytes(shape), vectors * 2 * 80 * 2);
  shape.type = KvType::int8;
  EXPECT_EQ(backend::kv_bytes(shape), vectors * 2 * (80 + 4));
  // Values are padded to vectors of 16, int8 keys to rows of four.
  shape.head_dim = 17;
  EXPECT_EQ(backend::kv_bytes(shape), vectors * (20 + 32 + 2 * 4));
  shape.type = KvType::f16;
  EXPECT_EQ(backend::kv_bytes(shape), vectors * (17 + 32) * 2);
}

// With a window of one position the output is that position's value, times one: every place in
// the store is read back, so no two places can share bytes.
TEST(KvStoreTest, EveryPlaceKeepsItsOwnVector) {
  random::Sequence draw(57);
  Machine machine(1, kernel::scalar_table);
  const int64_t layers = 2, tokens = 3 * kPage;
  const Sequence s(draw, tokens, 2, 2, 17);
  const auto store = machine.backend->make_kv_store(shape_of(s, KvType::f32, layers));
  std::vector<std::vector<float>> values;
  for (int64_t layer = 0; layer < layers; ++layer) {
    values.push_back(random_values(draw, tokens * 2 * 17, 1.0f));
    machine.backend->store_kv(*store, layer, s.places(0, tokens), s.keys.data(),
                              values.back().data());
  }
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::vector<float> out(s.queries.size());
    machine.backend->attend(*store, attend_shape(s, 1, layer), s.places(0, tokens),
                            s.queries.data(), out.data());
    EXPECT_TRUE(same_bits(out, values[static_cast<size_t>(layer)])) << "layer " << layer;
  }
}

TEST(KvStoreTest, RefusesWhatDoesNotFitAndNamesTheBytes) {
  Machine machine(1, kernel::scalar_table);
  for (const int64_t pages : {int64_t{1} << 40, int64_t{1} << 62}) {
    const KvShape shape{.layer_count = 32,
                        .kv_head_count = 8,
                        .head_dim = 128,
                        .type = KvType::f16,
                        .page_count = pages};
    try {
      machine.backend->make_kv_store(shape);
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::resources);
      EXPECT_NE(error.message().find(std::to_string(backend::kv_bytes(shape))), std::string::npos)
          << error.message();
    }
  }
}

}  // namespace
}  // namespace bittern::test
