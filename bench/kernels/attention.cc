// Attention of one token over 2048 positions: 20 query heads that share 5 key/value heads of 128
// elements, keys and values in f32, one thread. Versions differ in order and in exp, so they agree
// to rounding.
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "backend/cpu/cpu_backend.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "kernel/attention.h"
#include "kernel/select.h"
#include "study.h"

namespace bittern::study {
namespace {

constexpr int64_t kHeads = 20, kKvHeads = 5, kWidth = 128, kPositions = 2048;
constexpr int64_t kGroup = kHeads / kKvHeads;
constexpr double kTolerance = 1e-5;

struct Problem {
  Problem()
      : queries(kHeads * kWidth),
        keys(kPositions * kKvHeads * kWidth),
        values(kPositions * kKvHeads * kWidth),
        scores(kPositions),
        out(kHeads * kWidth) {
    random::Sequence draw(3);
    for (std::vector<float>* numbers : {&queries, &keys, &values})
      for (float& value : *numbers) value = static_cast<float>(draw.uniform() * 2 - 1);
  }
  const float* key(int64_t position, int64_t head) const {
    return keys.data() + (position * kKvHeads + head) * kWidth;
  }
  const float* value(int64_t position, int64_t head) const {
    return values.data() + (position * kKvHeads + head) * kWidth;
  }
  std::vector<float> queries, keys, values, scores, out;
};

const float kScale = 1.0f / std::sqrt(static_cast<float>(kWidth));

// Softmax of p.scores, and its weighted sum of values.
void weigh(Problem& p, int64_t head) {
  const float maximum = *std::max_element(p.scores.begin(), p.scores.end());
  double sum = 0.0;
  for (float& score : p.scores) sum += score = std::exp(score - maximum);
  float* out = p.out.data() + head * kWidth;
  std::fill_n(out, kWidth, 0.0f);
  for (int64_t t = 0; t < kPositions; ++t) {
    const float* value = p.value(t, head / kGroup);
    const auto weight = static_cast<float>(p.scores[static_cast<size_t>(t)] / sum);
    for (int64_t d = 0; d < kWidth; ++d) out[d] += weight * value[d];
  }
}

void naive(Problem& p) {
  for (int64_t head = 0; head < kHeads; ++head) {
    const float* query = p.queries.data() + head * kWidth;
    for (int64_t t = 0; t < kPositions; ++t) {
      const float* key = p.key(t, head / kGroup);
      float dot = 0.0f;
      for (int64_t d = 0; d < kWidth; ++d) dot += query[d] * key[d];
      p.scores[static_cast<size_t>(t)] = dot * kScale;
    }
    weigh(p, head);
  }
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) void vectors_avx2(Problem& p) {
  for (int64_t head = 0; head < kHeads; ++head) {
    const float* query = p.queries.data() + head * kWidth;
    for (int64_t t = 0; t < kPositions; ++t) {
      const float* key = p.key(t, head / kGroup);
      __m256 total[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
      for (int64_t d = 0; d < kWidth; d += 16) {
        for (int64_t i = 0; i < 2; ++i)
          total[i] = _mm256_fmadd_ps(_mm256_loadu_ps(query + d + 8 * i),
                                     _mm256_loadu_ps(key + d + 8 * i), total[i]);
      }
      alignas(32) float lanes[8];
      _mm256_store_ps(lanes, _mm256_add_ps(total[0], total[1]));
      float dot = 0.0f;
      for (const float lane : lanes) dot += lane;
      p.scores[static_cast<size_t>(t)] = dot * kScale;
    }
    weigh(p, head);
  }
}

#endif

// The backend of one table with the same keys and values in its store.
struct Shipped {
  Shipped(const Problem& p, const kernel::Table& table)
      : pool(1), backend(backend::make_cpu_backend(pool, table)) {
    store = backend->make_kv_store({.layer_count = 1,
                                    .kv_head_count = kKvHeads,
                                    .head_dim = kWidth,
                                    .type = backend::KvType::f32,
                                    .page_count = kPositions / backend::kPageTokens});
    for (int64_t page = 0; page < store->shape.page_count; ++page)
      pages.push_back(static_cast<int32_t>(page));
    std::vector<backend::RowPlace> rows;
    for (int64_t t = 0; t < kPositions; ++t)
      rows.push_back({.pages = pages.data(), .position = t, .length = kPositions});
    backend->store_kv(*store, 0, rows, p.keys.data(), p.values.data());
    last = rows.back();
  }
  void run(Problem& p) {
    const backend::AttendShape shape = {.layer = 0, .head_count = kHeads, .scale = kScale};
    backend->attend(*store, shape, {&last, 1}, p.queries.data(), p.out.data());
  }

  ThreadPool pool;
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<backend::KvStore> store;
  std::vector<int32_t> pages;
  backend::RowPlace last;
};

}  // namespace

Study attention_study() {
  const auto problem = std::make_shared<Problem>();
  const auto result = [problem] { return problem->out; };
  constexpr double kBytes = 2.0 * kPositions * kKvHeads * kWidth * sizeof(float);
  Study study{"attention, one token",
              "20 heads, 5 of keys, 2048 positions x 128",
              4.0 * kHeads * kPositions * kWidth,
              {}};
  auto& list = study.versions;
  list.push_back(
      {"v0 naive", "a loop for every head", [problem] { naive(*problem); }, result, 0.0, kBytes});
#if defined(__x86_64__)
  if (has_avx2())
    list.push_back({"v1 AVX2, by heads", "each head reads all keys again",
                    [problem] { vectors_avx2(*problem); }, result, kTolerance, kBytes});
#endif
  for (const kernel::Candidate& candidate : kernel::candidates()) {
    if ((candidate.features & ~cpu_features()) != 0) continue;
    const auto shipped = std::make_shared<Shipped>(*problem, *candidate.table);
    list.push_back({candidate.table->attention->name,
                    "shipped: 16 positions as lanes, a group's heads together",
                    [problem, shipped] { shipped->run(*problem); }, result, kTolerance, kBytes});
  }
  return study;
}

}  // namespace bittern::study
