// Attention with grouped heads over the paged store. One task is a row and a key/value head: the
// heads that share it read each key and value once.
//
// Arithmetic, a function of the positions [first, end) that the row sees alone (never of the other
// rows, of chunked prefill or of the page table):
//   score   = (16-lane fused dot of q and k) * scale, then softcap * tanh(score / softcap) if any
//   chunks of 256 absolute positions, left to right, each an online softmax step:
//     m' = max(m, scores), c = exp(m - m'), p = exp(score - m')
//     sum = sum * c + (16-lane sum of p, lane = position % 16)
//     acc = acc * c, then acc = fma(p, v, acc) by ascending position
//   out     = acc * (1 / sum)
// f16 and int8 keys and values are decoded exactly to f32 first.

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/device.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

constexpr int64_t kHeadBlock = 8;  // heads of a group that are computed together

int64_t padded_dim(int64_t head_dim) { return (head_dim + 15) / 16 * 16; }

}  // namespace

int64_t attention_scratch(int64_t head_dim) {
  return kHeadBlock * (kAttentionChunk + padded_dim(head_dim)) + kPageTokens * padded_dim(head_dim);
}

struct CpuBackend::AttendTask {
  const CpuKvStore& store;
  RowPlace place;
  const AttendShape& shape;
  int64_t kv_head = 0;
  int64_t first = 0, end = 0;      // positions [first, end) are seen
  int64_t heads = 0;               // 1..kHeadBlock
  const float* queries = nullptr;  // [heads, head_dim]
  float* out = nullptr;            // [heads, head_dim]
  float* scratch = nullptr;
};

// `count` vectors of a page from `first_position`, as f32 [count, head_dim].
const float* CpuBackend::page_vectors(const AttendTask& task, const Region& vectors,
                                      const Region& scales, int64_t first_position, int64_t count,
                                      float* buffer) const {
  const KvShape& shape = task.store.shape;
  const int64_t page = task.place.pages[first_position / kPageTokens];
  const int64_t vector =
      task.store.first_vector(task.shape.layer, page, task.kv_head) + first_position % kPageTokens;
  const int64_t element = vector * shape.head_dim;
  switch (shape.type) {
    case KvType::f32:
      return reinterpret_cast<const float*>(vectors.data()) + element;
    case KvType::f16:
      table_.decode_f16(vectors.data() + element * 2, count * shape.head_dim, buffer);
      return buffer;
    case KvType::int8:
      for (int64_t i = 0; i < count; ++i) {
        table_.decode_i8(
            reinterpret_cast<const int8_t*>(vectors.data()) + element + i * shape.head_dim,
            shape.head_dim, reinterpret_cast<const float*>(scales.data())[vector + i],
            buffer + i * shape.head_dim);
      }
      return buffer;
  }
  return buffer;
}

void CpuBackend::attend_heads(const AttendTask& task) const {
  const int64_t width = task.store.shape.head_dim;
  float* scores = task.scratch;
  float* sums = scores + kHeadBlock * kAttentionChunk;  // [heads, width]
  float* buffer = sums + kHeadBlock * padded_dim(width);
  kernel::SoftmaxChunk state[kHeadBlock];
  for (int64_t head = 0; head < task.heads; ++head) {
    state[head] = {scores + head * kAttentionChunk, 0, -std::numeric_limits<float>::infinity(),
                   0.0f, 0.0f};
  }
  std::fill_n(sums, task.heads * width, 0.0f);

  for (int64_t chunk = task.first / kAttentionChunk * kAttentionChunk; chunk < task.end;
       chunk += kAttentionChunk) {
    const int64_t begin = std::max(chunk, task.first);
    const int64_t end = std::min(chunk + kAttentionChunk, task.end);
    std::fill_n(scores, task.heads * kAttentionChunk, -std::numeric_limits<float>::infinity());
    const auto each_page = [&](const Region& vectors, const Region& scales, const auto& body) {
      for (int64_t at = begin; at < end;) {
        const int64_t count = std::min(end, (at / kPageTokens + 1) * kPageTokens) - at;
        body(page_vectors(task, vectors, scales, at, count, buffer), at - chunk, count);
        at += count;
      }
    };
    each_page(task.store.keys, task.store.key_scales,
              [&](const float* keys, int64_t offset, int64_t count) {
                table_.float_dots({keys, count, width, task.queries, task.heads, width, width,
                                   scores + offset, kAttentionChunk});
              });
    for (int64_t head = 0; head < task.heads; ++head) {
      kernel::SoftmaxChunk& softmax = state[head];
      float* seen = softmax.scores + (begin - chunk);
      table_.scale(seen, end - begin, task.shape.scale);
      if (task.shape.softcap > 0.0f) table_.softcap(seen, task.shape.softcap, end - begin);
      softmax.count = (end - chunk + 15) / 16 * 16;
      table_.softmax_chunk(softmax);
      table_.scale(sums + head * width, width, softmax.correction);
    }
    each_page(task.store.values, task.store.value_scales,
              [&](const float* values, int64_t offset, int64_t count) {
                for (int64_t head = 0; head < task.heads; ++head) {
                  table_.accumulate(state[head].scores + offset, values, count, width,
                                    sums + head * width);
                }
              });
  }
  for (int64_t head = 0; head < task.heads; ++head) {
    float* out = task.out + head * width;
    std::copy_n(sums + head * width, width, out);
    table_.scale(out, width, 1.0f / state[head].sum);
  }
}

void CpuBackend::attend(const KvStore& store, const AttendShape& shape,
                        std::span<const RowPlace> rows, const float* queries, float* out) {
  const auto& own = static_cast<const CpuKvStore&>(store);
  const int64_t width = own.shape.head_dim;
  const int64_t kv_heads = own.shape.kv_head_count;
  const int64_t group = shape.head_count / kv_heads;
  const auto count = static_cast<int64_t>(rows.size());
  const bool causal = shape.mask == Mask::causal;
  int64_t positions = 0;
  for (const RowPlace& row : rows) {
    BITTERN_CHECK(causal || row.position < row.length, "position {} of {}", row.position,
                  row.length);
    positions += causal ? row.position + 1 : row.length;
  }
  run(positions * shape.head_count * width * 2, count * kv_heads, [&](int64_t index, int worker) {
    const int64_t row = index / kv_heads;
    const RowPlace& place = rows[static_cast<size_t>(row)];
    const int64_t kv_head = index % kv_heads;
    const bool windowed = causal && shape.window > 0;
    const int64_t first = windowed ? std::max<int64_t>(0, place.position - shape.window + 1) : 0;
    const int64_t end = causal ? place.position + 1 : place.length;
    for (int64_t done = 0; done < group; done += kHeadBlock) {
      const int64_t head = row * shape.head_count + kv_head * group + done;
      attend_heads({own, place, shape, kv_head, first, end, std::min(kHeadBlock, group - done),
                    queries + head * width, out + head * width, scratch_.of(worker)});
    }
  });
}

}  // namespace bittern::backend
