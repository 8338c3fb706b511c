// Attention with grouped heads over the paged store; the arithmetic is that of
// kernel/attention.h, a function of the positions that a row sees alone.
//
// A part (attention_plan.h) walks its run of chunks. Of an item that it begins it keeps the state
// of the chunks so far; of an item that an earlier part began it keeps each chunk's own state, and
// those join in order once all parts are done. So a chunk is always computed by itself and always
// joins the ones to its left, whoever computed it.

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "backend/cpu/attention_plan.h"
#include "backend/cpu/device.h"
#include "backend/cpu/kv_layout.h"
#include "base/check.h"

namespace bittern::backend {
namespace {

constexpr float kLog2E = 1.44269504f;

// What `count` queries of an item have gathered: values [count, width], and for each its maximum
// and sum.
class States {
 public:
  static int64_t floats(int64_t count, int64_t width) { return count * (width + 2); }
  States(float* memory, int64_t count, int64_t width)
      : values_(memory), maxima_(memory + count * width), sums_(maxima_ + count), width_(width) {}

  float* values(int64_t query) const { return values_ + query * width_; }
  int64_t width() const { return width_; }
  kernel::AttendState get(int64_t query) const {
    return {values(query), maxima_[query], sums_[query]};
  }
  void set(int64_t query, float maximum, float sum) const {
    maxima_[query] = maximum;
    sums_[query] = sum;
  }
  void clear_values(int64_t queries) const { std::fill_n(values_, queries * width_, 0.0f); }
  void clear(int64_t queries) const {
    clear_values(queries);
    std::fill_n(maxima_, queries, -std::numeric_limits<float>::infinity());
    std::fill_n(sums_, queries, 0.0f);
  }

 private:
  float *values_, *maxima_, *sums_;
  int64_t width_;
};

// What a worker needs while it computes a chunk of an item.
struct ChunkMemory {
  float *queries, *scores, *factors, *value_factors;
  int8_t* query_codes;
  int32_t* query_sums;
  int16_t* weight_codes;
  States chunk;

  static int64_t floats(int64_t width) {
    const int64_t per_query = width + kAttentionChunk + 3 + width / 4 + kAttentionChunk / 2;
    return kTileQueries * per_query + States::floats(kTileQueries, width);
  }
  ChunkMemory(float* memory, int64_t width)
      : queries(memory),
        scores(queries + kTileQueries * width),
        factors(scores + kTileQueries * kAttentionChunk),
        value_factors(factors + kTileQueries),
        query_codes(reinterpret_cast<int8_t*>(value_factors + kTileQueries)),
        query_sums(reinterpret_cast<int32_t*>(query_codes + kTileQueries * width)),
        weight_codes(reinterpret_cast<int16_t*>(query_sums + kTileQueries)),
        chunk(reinterpret_cast<float*>(weight_codes + kTileQueries * kAttentionChunk), kTileQueries,
              width) {}
};

// What a part leaves behind: the state of the item that it worked on last, where it began it, and
// one state for each chunk of an item that an earlier part began.
struct PartMemory {
  float* memory;
  int64_t width;

  static int64_t floats(int64_t width, int64_t chunks) {
    return States::floats(kTileQueries, width) + chunks * States::floats(kRowQueries, width);
  }
  States total() const { return {memory, kTileQueries, width}; }
  States later_chunk(int64_t index) const {
    float* behind = memory + States::floats(kTileQueries, width);
    return {behind + index * States::floats(kRowQueries, width), kRowQueries, width};
  }
};

// One call of attend(): what it is given, and what every part does with it.
class Attention {
 public:
  Attention(const kernel::Table& table, const Scratch& scratch, const Scratch& left,
            const CpuKvStore& store, const AttendShape& shape, std::span<const RowPlace> rows,
            const AttendPlan& plan, const float* queries, float* out)
      : table_(table),
        kernels_(*table.attention),
        scratch_(scratch),
        left_(left),
        store_(store),
        layout_(store.shape),
        width_(layout_.value_elements()),
        shape_(shape),
        rows_(rows),
        plan_(plan),
        queries_(queries),
        out_(out) {}

  void run_part(int part, int worker) const;
  // Behind the last part: an item that several of them computed.
  void join_parts(const AttendItem& item) const;

 private:
  // Rows of a panel of values, page by page, for positions of one chunk.
  struct Pieces {
    std::array<kernel::PanelPiece, kernel::kChunkPanels> piece;
    int64_t count = 0;
  };

  bool coded() const { return layout_.type == KvType::int8; }
  auto products() const {
    return layout_.type == KvType::f32 ? kernels_.products_f32 : kernels_.products_f16;
  }
  PartMemory left_by(int part) const { return {left_.of(part), width_}; }
  // Offset of an item's query in `queries_` and `out_`.
  int64_t place(const AttendItem& item, int64_t query) const {
    const int64_t row = item.row + query / item.head_count;
    const int64_t head = item.head + query % item.head_count;
    return (row * shape_.head_count + head) * layout_.head_dim;
  }
  // The page of an item that holds `position`.
  int64_t slot(const AttendItem& item, int64_t position) const {
    const RowPlace& place = rows_[static_cast<size_t>(item.row)];
    return store_.slot(shape_.layer, place.pages[position / kPageTokens], item.kv_head);
  }
  const std::byte* key_page(const AttendItem& item, int64_t position) const {
    return store_.keys.data() + slot(item, position) * layout_.key_bytes();
  }
  // Of the keys, then of the values.
  const float* scales(const AttendItem& item, int64_t position) const {
    return reinterpret_cast<const float*>(key_page(item, position) + layout_.scale_offset());
  }
  const std::byte* value_panel(const AttendItem& item, int64_t position, int64_t column) const {
    return store_.values.data() + slot(item, position) * layout_.value_bytes() +
           layout_.panel_bytes_before(column);
  }
  // The positions of a chunk that a row of the item sees.
  PositionRange seen_in(const AttendItem& item, int64_t row, const PositionRange& chunk) const {
    return seen_by(rows_[static_cast<size_t>(item.row + row)], shape_) & chunk;
  }
  const void* behind_values(const AttendItem& item, const PositionRange& range,
                            int64_t column) const;
  Pieces value_pieces(const AttendItem& item, const PositionRange& range, int64_t column) const;

  void take_queries(const AttendItem& item, const ChunkMemory& memory) const;
  void score(const AttendItem& item, const PositionRange& chunk, const ChunkMemory& memory) const;
  void weigh(const AttendItem& item, const PositionRange& chunk, const ChunkMemory& memory,
             const States& into) const;
  void add_values(const AttendItem& item, const PositionRange& range, int64_t query, int64_t count,
                  const ChunkMemory& memory, const States& into) const;
  void gather(const AttendItem& item, const PositionRange& chunk, const ChunkMemory& memory,
              const States& into) const;
  void join(const AttendItem& item, const PositionRange& chunk, const States& from,
            const States& total) const;
  void finish(const AttendItem& item, const States& total) const;

  const kernel::Table& table_;
  const kernel::AttentionKernels& kernels_;
  const Scratch& scratch_;  // of workers
  const Scratch& left_;     // by parts
  const CpuKvStore& store_;
  const KvLayout layout_;
  const int64_t width_;  // of a value as it is gathered
  const AttendShape& shape_;
  std::span<const RowPlace> rows_;
  const AttendPlan& plan_;
  const float* queries_;
  float* out_;
};

// What is read after the values of `range` in these columns: the next columns of the same
// positions, the keys behind them, or the first ones of the next item.
const void* Attention::behind_values(const AttendItem& item, const PositionRange& range,
                                     int64_t column) const {
  if (column + kernel::kPanelColumns < width_)
    return value_panel(item, range.begin, column + kernel::kPanelColumns);
  if (range.end < item.seen.end) return key_page(item, range.end);
  const AttendItem next = plan_.next(item);
  return next.row_count > 0 ? key_page(next, next.seen.begin) : key_page(item, range.end - 1);
}

Attention::Pieces Attention::value_pieces(const AttendItem& item, const PositionRange& range,
                                          int64_t column) const {
  const int64_t step = layout_.value_row();  // positions in a row
  const void* behind = behind_values(item, range, column);
  const int64_t row_bytes = layout_.panel_columns(column) * layout_.element_bytes() * step;
  Pieces pieces;
  for (int64_t at = range.begin; at < range.end;) {
    const int64_t end = std::min(range.end, (at / kPageTokens + 1) * kPageTokens);
    const int64_t first = at % kPageTokens / step;
    const int64_t last = (end - 1) % kPageTokens / step + 1;
    const void* next = end < range.end ? value_panel(item, end, column) : behind;
    pieces.piece[static_cast<size_t>(pieces.count++)] = {
        value_panel(item, at, column) + first * row_bytes, at % kAttentionChunk / step,
        last - first, next};
    at = end;
  }
  return pieces;
}

// The queries of an item, side by side: times the scale, or for int8 keys as codes.
void Attention::take_queries(const AttendItem& item, const ChunkMemory& memory) const {
  const int64_t dim = layout_.head_dim;
  const int64_t stride = layout_.key_elements();
  const float scale = shape_.softcap > 0.0f ? shape_.scale : shape_.scale * kLog2E;
  for (int64_t query = 0; query < item.queries(); ++query) {
    const float* from = queries_ + place(item, query);
    memory.factors[query] = 1.0f;
    if (coded()) {
      int8_t* codes = memory.query_codes + query * stride;
      float step = 0.0f;
      table_.encode_i8(from, dim, codes, &step);
      std::fill(codes + dim, codes + stride, int8_t{0});
      memory.query_sums[query] = std::accumulate(codes, codes + dim, int32_t{0});
      // Never zero: an unseen position's score of -infinity must stay one.
      memory.factors[query] = std::max(step * scale, std::numeric_limits<float>::min());
    } else {
      float* to = memory.queries + query * dim;
      std::copy_n(from, dim, to);
      table_.scale(to, dim, scale);
    }
  }
}

void Attention::score(const AttendItem& item, const PositionRange& chunk,
                      const ChunkMemory& memory) const {
  const int64_t dim = layout_.head_dim;
  for (int64_t at = chunk.begin / kPageTokens * kPageTokens; at < chunk.end; at += kPageTokens) {
    const std::byte* panel = key_page(item, at);
    const bool last = at + kPageTokens >= chunk.end;
    const void* next = last ? value_panel(item, chunk.begin, 0) : key_page(item, at + kPageTokens);
    float* out = memory.scores + at % kAttentionChunk;
    if (coded()) {
      kernels_.key_dots({.codes = memory.query_codes,
                         .code_stride = layout_.key_elements(),
                         .sums = memory.query_sums,
                         .queries = item.queries(),
                         .keys = reinterpret_cast<const uint8_t*>(panel),
                         .rows = layout_.key_elements() / layout_.key_row(),
                         .next = next,
                         .scales = scales(item, at),
                         .out = out,
                         .out_stride = kAttentionChunk});
      continue;
    }
    const kernel::PanelPiece piece = {panel, 0, dim, next};
    products()({.in = memory.queries,
                .in_stride = dim,
                .queries = item.queries(),
                .pieces = &piece,
                .piece_count = 1,
                .columns = kernel::kPanelColumns,
                .accumulate = false,
                .out = out,
                .out_stride = kAttentionChunk});
  }
}

// Scores of each row's own positions become weights, for int8 values also codes of weights.
void Attention::weigh(const AttendItem& item, const PositionRange& chunk, const ChunkMemory& memory,
                      const States& into) const {
  std::array<const float*, kernel::kChunkPanels> page_scales{};
  if (coded()) {
    for (int64_t at = chunk.begin / kPageTokens * kPageTokens; at < chunk.end; at += kPageTokens)
      page_scales[static_cast<size_t>(at % kAttentionChunk / kPageTokens)] =
          scales(item, at) + kPageTokens;
  }
  const int64_t origin = chunk.begin / kAttentionChunk * kAttentionChunk;
  for (int64_t query = 0; query < item.queries(); ++query) {
    const PositionRange seen = seen_in(item, query / item.head_count, chunk);
    float* scores = memory.scores + query * kAttentionChunk;
    int16_t* codes = memory.weight_codes + query * kAttentionChunk;
    memory.value_factors[query] = 0.0f;
    if (coded() && !(seen == chunk)) std::fill_n(codes, kAttentionChunk, int16_t{0});
    if (seen.empty()) continue;
    kernel::ChunkSoftmax softmax = {.scores = scores,
                                    .begin = seen.begin - origin,
                                    .end = seen.end - origin,
                                    .factor = memory.factors[query],
                                    .softcap = shape_.softcap,
                                    .maximum = 0.0f,
                                    .sum = 0.0f};
    kernels_.softmax(softmax);
    into.set(query, softmax.maximum, softmax.sum);
    if (!coded()) continue;
    kernel::ValueCodes coding = {scores, page_scales.data(), softmax.begin, softmax.end, codes,
                                 0.0f};
    kernels_.value_codes(coding);
    memory.value_factors[query] = coding.factor;
  }
}

// The weighted values of `range` for queries [query, query + count), which all see it.
void Attention::add_values(const AttendItem& item, const PositionRange& range, int64_t query,
                           int64_t count, const ChunkMemory& memory, const States& into) const {
  if (range.empty()) return;
  for (int64_t column = 0; column < width_; column += kernel::kPanelColumns) {
    const Pieces pieces = value_pieces(item, range, column);
    products()({memory.scores + query * kAttentionChunk, kAttentionChunk, count,
                pieces.piece.data(), pieces.count, layout_.panel_columns(column), true,
                into.values(query) + column, width_});
  }
}

void Attention::gather(const AttendItem& item, const PositionRange& chunk,
                       const ChunkMemory& memory, const States& into) const {
  if (coded()) {  // unseen positions have the code 0
    for (int64_t column = 0; column < width_; column += kernel::kPanelColumns) {
      const Pieces pieces = value_pieces(item, chunk, column);
      kernels_.value_dots({memory.weight_codes, memory.value_factors, item.queries(),
                           pieces.piece.data(), pieces.count, layout_.panel_columns(column),
                           into.values(0) + column, width_});
    }
    return;
  }
  into.clear_values(item.queries());
  // What all rows see goes in one pass, the ragged ends before and behind it row by row.
  PositionRange shared = chunk;
  for (int64_t row = 0; row < item.row_count; ++row) shared = shared & seen_in(item, row, chunk);
  const int64_t heads = item.head_count;
  for (int64_t row = 0; row < item.row_count; ++row) {
    PositionRange before = seen_in(item, row, chunk);
    if (!shared.empty()) before.end = shared.begin;
    add_values(item, before, row * heads, heads, memory, into);
  }
  if (shared.empty()) return;
  add_values(item, shared, 0, item.queries(), memory, into);
  for (int64_t row = 0; row < item.row_count; ++row) {
    const PositionRange behind = {shared.end, seen_in(item, row, chunk).end};
    add_values(item, behind, row * heads, heads, memory, into);
  }
}

// Rows that see nothing of a chunk pass it by.
void Attention::join(const AttendItem& item, const PositionRange& chunk, const States& from,
                     const States& total) const {
  for (int64_t query = 0; query < item.queries(); ++query) {
    if (seen_in(item, query / item.head_count, chunk).empty()) continue;
    kernel::AttendState state = total.get(query);
    kernels_.join(state, from.get(query), width_);
    total.set(query, state.maximum, state.sum);
  }
}

void Attention::finish(const AttendItem& item, const States& total) const {
  const int64_t dim = layout_.head_dim;
  for (int64_t query = 0; query < item.queries(); ++query) {
    float* out = out_ + place(item, query);
    std::copy_n(total.values(query), dim, out);
    table_.scale(out, dim, 1.0f / total.get(query).sum);
  }
}

void Attention::run_part(int part, int worker) const {
  const ChunkMemory memory(scratch_.of(worker), width_);
  const PartMemory left = left_by(part);
  int64_t later = 0;
  for (AttendItem item = plan_.first(); item.row_count > 0; item = plan_.next(item)) {
    const int first = plan_.first_part(item), last = plan_.last_part(item);
    if (last < part) continue;
    if (first > part) break;
    take_queries(item, memory);
    if (first == part) left.total().clear(item.queries());
    for (PositionRange chunk = chunk_from(item.seen, item.seen.begin); !chunk.empty();
         chunk = chunk_from(item.seen, chunk.end)) {
      const int owner = plan_.part_of(item, chunk.begin);
      if (owner < part) continue;
      if (owner > part) break;
      const States into = first == part ? memory.chunk : left.later_chunk(later++);
      score(item, chunk, memory);
      weigh(item, chunk, memory, into);
      gather(item, chunk, memory, into);
      if (first == part) join(item, chunk, into, left.total());
    }
    if (first == part && last == part) finish(item, left.total());
  }
}

// The state of the part that began the item, then the chunks of the others.
void Attention::join_parts(const AttendItem& item) const {
  const int first = plan_.first_part(item);
  const States total = left_by(first).total();
  int64_t later = 0;
  int owner = first;
  for (PositionRange chunk = chunk_from(item.seen, item.seen.begin); !chunk.empty();
       chunk = chunk_from(item.seen, chunk.end)) {
    const int part = plan_.part_of(item, chunk.begin);
    if (part == first) continue;
    if (part != owner) later = 0;
    owner = part;
    join(item, chunk, left_by(part).later_chunk(later++), total);
  }
  finish(item, total);
}

// Several for each thread, so that one that is held up can be helped.
int part_count(int threads) {
  constexpr int kPartsPerThread = 4;
  return threads == 1 ? 1 : kPartsPerThread * threads;
}

int64_t part_floats(const KvShape& shape) {
  constexpr int64_t kChunkPages = kAttentionChunk / kPageTokens;
  const int64_t chunks = (shape.page_count + kChunkPages - 1) / kChunkPages;
  return PartMemory::floats(KvLayout(shape).value_elements(), chunks);
}

}  // namespace

int64_t attention_bytes(const KvShape& shape, int threads) {
  constexpr int64_t kTooMany = int64_t{1} << 61;
  const double about = 0x1p10 * static_cast<double>(shape.head_dim) *
                       static_cast<double>(shape.page_count + 1) * threads;
  if (about > static_cast<double>(kTooMany >> 10)) return kTooMany;
  return Scratch::bytes(threads, ChunkMemory::floats(KvLayout(shape).value_elements())) +
         Scratch::bytes(part_count(threads), part_floats(shape));
}

void CpuBackend::grow_attention(const KvShape& shape) {
  scratch_.grow(pool_.thread_count(), ChunkMemory::floats(KvLayout(shape).value_elements()));
  attend_parts_.grow(attend_part_count(), part_floats(shape));
}

int CpuBackend::attend_part_count() const { return part_count(pool_.thread_count()); }

void CpuBackend::attend(const KvStore& store, const AttendShape& shape,
                        std::span<const RowPlace> rows, const float* queries, float* out) {
  const auto& own = static_cast<const CpuKvStore&>(store);
  if (rows.empty()) return;
  BITTERN_CHECK(shape.scale > 0.0f, "scale {}", shape.scale);
  int64_t positions = 0;
  for (const RowPlace& row : rows) {
    BITTERN_CHECK(shape.mask == Mask::causal || row.position < row.length, "position {} of {}",
                  row.position, row.length);
    const PositionRange seen = seen_by(row, shape);
    positions += seen.end - seen.begin;
  }
  const int64_t work = positions * shape.head_count * own.shape.head_dim * 2;
  const int parts = work < options_.inline_work ? 1 : attend_part_count();
  const AttendPlan plan(rows, shape, own.shape.kv_head_count, parts);
  const Attention step(table_, scratch_, attend_parts_, own, shape, rows, plan, queries, out);
  run(work, parts,
      [&](int64_t part, int worker) { step.run_part(static_cast<int>(part), worker); });
  if (parts == 1) return;
  for (AttendItem item = plan.first(); item.row_count > 0; item = plan.next(item)) {
    if (plan.first_part(item) != plan.last_part(item)) step.join_parts(item);
  }
}

}  // namespace bittern::backend
