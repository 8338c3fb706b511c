// The operations of the forward as an interface: what a device must offer, with no device in it.
// Everything is rows of f32, row-major. Each operation may run its own parallel region; none
// allocates once the workspace exists; none throws on the hot path. Results obey the guarantees
// of docs/guarantees.md: a row's result depends on that row alone, never on how many rows stand
// beside it, on the thread count or on how a prompt was chunked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/tensor_view.h"

namespace bittern {
class FileMap;
}

namespace bittern::backend {

enum class Activation : uint8_t { silu, relu, relu2, gelu, gelu_tanh };
enum class RopePairing : uint8_t { half, interleaved };  // (i, i + dim/2) or (2i, 2i + 1)
enum class KvType : uint8_t { f32, f16, int8 };

// Where a linear layer's numbers come from. y = x W^T (+ bias), W [out, in].
struct LinearSource {
  const TensorView* weight = nullptr;
  const TensorView* bias = nullptr;  // [out], or null
  // W1.58A8: weights ternary with one scale per tensor (master weights are quantised by
  // absmean, a tensor that already is exactly {-a, 0, a} keeps a), activations int8 per row.
  bool ternary = false;
  // Row r of the result is row row_order[r] of the tensor, and element row_order[r] of the bias;
  // the result has as many rows as the order (a part of a fused tensor). Empty: as stored.
  std::vector<int32_t> row_order;
  // What the weight lies in, so that pages may be read ahead, and released when they were packed;
  // null where it lies elsewhere.
  const FileMap* file = nullptr;
  // The output layer: a coarse plane beside it may be worth its memory (Backend::head).
  bool head = false;
};

// How a linear layer wants its activations: as they are, or coded (see Activations).
enum class Codes : uint8_t { none, row, block, bf16 };

// A linear layer in the device's layout.
class Linear {
 public:
  virtual ~Linear() = default;
  int64_t in_size = 0;
  int64_t out_size = 0;
  int64_t resident_bytes = 0;  // of its packed form; 0 where it reads the checkpoint's map
  std::string layout;          // "T2", "T1.6", or the codec's name: shown by `show` and `bench`
  std::string kernel;          // the kernel that runs it: "ternary/avx512-vnni"
  Codes wants = Codes::none;   // whoever writes the activations may code them, too
  // The weights were turned by hadamard(): the caller turns the input likewise. Set at bind.
  bool rotated = false;
  // Of the coarse plane of an output layer, counted in resident_bytes; 0: it has none.
  int64_t coarse_bytes = 0;
};

// Memory that a linear layer with these weights takes of its own, unless it is W1.58A8; 0 where it
// reads the mapped file. The planner counts it before anything is packed.
int64_t packed_bytes(const TensorView& weight);

// Memory of the coarse plane that an output layer with these weights gets where nothing else is
// asked for; 0: none, as its format has none or the layer is too small to gain by it.
int64_t coarse_head_bytes(const TensorView& weight);

// What of a row of logits is needed: the `top` largest of ids [0, outputs) that are not among
// `always`, with all that tie with the last of them, and those of `always`.
struct HeadCut {
  int64_t top = 0;  // 0: the whole row
  int64_t outputs = 0;
  std::span<const int32_t> always = {};  // ids below `outputs`, in any order
};

// Logits of rows of activations: softcap(scale * (x W^T + b)), see Backend::softcap.
struct HeadCall {
  const Linear* weights = nullptr;
  std::span<const HeadCut> cuts = {};  // one for each row; none: all are whole
  float scale = 1.0f;
  float softcap = 0.0f;  // 0: none
  float* out = nullptr;  // [rows, out_size]
  int64_t out_stride = 0;
};

// What head() has done so far: rows of which only a part was read, and how many rows of weights
// were read for them beside the coarse plane.
struct HeadCounts {
  int64_t coarse_rows = 0;
  int64_t weight_rows = 0;
};

// One of several linear layers that read the same activations: out [count, out_size], row stride
// `out_stride` floats.
struct LinearCall {
  const Linear* weights = nullptr;
  float* out = nullptr;
  int64_t out_stride = 0;
};

// Two matrices beside a linear layer: y += factor * B (A x), in the device's layout (LoRA
// adapters).
class LowRank {
 public:
  virtual ~LowRank() = default;
  int64_t in_size = 0, rank = 0, out_size = 0;
  int64_t resident_bytes = 0;
};
inline constexpr int64_t kLowRankMax = 512;

// Where its numbers come from; they are copied.
struct LowRankSource {
  const TensorView* a = nullptr;  // [rank, in]
  const TensorView* b = nullptr;  // [rows, rank]
  // As LinearSource::row_order: row r of the result is row row_order[r] of B.
  std::vector<int32_t> row_order;
};

// One of several that read the same activations: for some of their rows, ascending. `out` is of all
// rows, as LinearCall has it; no two calls write the same part of it.
struct LowRankCall {
  const LowRank* weights = nullptr;
  std::span<const int32_t> rows = {};
  float factor = 1.0f;
  float* out = nullptr;
  int64_t out_stride = 0;
};

// Activations that several linear layers read. `values` is [count, width]. Whoever writes
// `values` calls written(), or coded() after it made the codes; else the first linear that needs
// codes makes them, and the others reuse them.
//   quantised        one scale per row (W1.58A8): s = 127 / max(absmax, 1e-5),
//                    code = round half even(x * s) in [-127, 127]
//   block_quantised  one scale for each 32 columns (block formats, kernel/block.h)
//   rounded          bf16 (kernel/bf16.h), two bytes each
// All of them use `codes`, so at most one of them holds.
struct Activations {
  float* values = nullptr;
  int64_t count = 0;
  int64_t width = 0;
  bool quantised = false;
  bool block_quantised = false;
  bool rounded = false;
  // [count, padded_width(width)] or [blocks, count, 256] (int8 or bf16), padding 0; code_bytes().
  int8_t* codes = nullptr;
  float* inverse_scales = nullptr;     // quantised: [count], 1 / s
  int32_t* sums = nullptr;             // quantised: [count], sum of the row's codes
  float* block_scales = nullptr;       // block_quantised: [blocks, count, kBlockRuns]
  int32_t* block_sums = nullptr;       // block_quantised: [blocks, count, kBlockSums]
  float* block_scaled_sums = nullptr;  // likewise
  // Likewise, what products start from: made when layers need them, and which (as the device
  // tells them apart).
  int32_t* block_starts = nullptr;
  std::optional<int64_t> block_start;

  void written() { quantised = block_quantised = rounded = false; }
  // `rows` rows of `columns` values are about to be written.
  void start(int64_t rows, int64_t columns) {
    count = rows;
    width = columns;
    written();
  }
  // The codes have been made, too.
  void coded(Codes codes_made) {
    quantised = codes_made == Codes::row;
    block_quantised = codes_made == Codes::block;
    block_start.reset();
    rounded = codes_made == Codes::bf16;
  }
};
// Codes of a row are padded with zeros to a multiple of this many, or to whole blocks.
inline constexpr int64_t kCodePadding = 64;
inline constexpr int64_t kCodeBlock = 256;
inline constexpr int64_t kCodeBlockRuns = 8;
inline constexpr int64_t kCodeBlockSums = 24;
inline int64_t padded_width(int64_t width) {
  return (width + kCodePadding - 1) / kCodePadding * kCodePadding;
}
inline int64_t code_blocks(int64_t width) { return (width + kCodeBlock - 1) / kCodeBlock; }
// Bytes of Activations::codes for any kind of codes.
inline int64_t code_bytes(int64_t count, int64_t width) {
  return count * code_blocks(width) * kCodeBlock * 2;
}

// Precomputed rotary angles: cos and sin are [positions, dim / 2] with any scaling applied.
struct RopeTable {
  RopePairing pairing = RopePairing::half;
  int64_t dim = 0;  // rotated part of a head (even, at most head_dim)
  int64_t positions = 0;
  std::vector<float> cosine, sine;
};

// Key/value storage of all layers, in pages of kPageTokens consecutive positions. The caller
// owns the page ids; the store owns the bytes.
inline constexpr int64_t kPageTokens = 64;
// Attention walks keys in chunks of this many absolute positions, combined left to right.
inline constexpr int64_t kAttentionChunk = 256;
struct KvShape {
  int64_t layer_count = 0, kv_head_count = 0, head_dim = 0;
  KvType type = KvType::f16;
  int64_t page_count = 0;
};
class KvStore {
 public:
  virtual ~KvStore() = default;
  // Page `to` of every layer and head becomes what page `from` is.
  virtual void copy_page(int32_t from, int32_t to) = 0;
  // All that a page holds, for a store of the same shape and device.
  virtual int64_t page_bytes() const = 0;
  virtual void export_page(int32_t page, std::byte* out) const = 0;
  virtual void import_page(int32_t page, const std::byte* in) = 0;
  KvShape shape;
};
// Bytes that make_kv_store would take; the planner prints them before it asks.
int64_t kv_bytes(const KvShape& shape);
// What attention over such a store takes beside it when `threads` run it; the same for the planner.
int64_t attention_bytes(const KvShape& shape, int threads);

// One row of a step: which sequence's pages it lives in and where.
struct RowPlace {
  const int32_t* pages = nullptr;  // page ids of its sequence, position / kPageTokens indexes it
  int64_t position = 0;
  int64_t length = 0;  // positions of the sequence that bidirectional attention sees
};

enum class Mask : uint8_t {
  causal,        // a row sees itself and what is before it
  bidirectional  // a row sees all positions below RowPlace::length (encoders)
};

struct AttendShape {
  int64_t layer = 0;
  int64_t head_count = 0;  // query heads; the key/value heads are in the store's shape
  float scale = 0.0f;      // of q.k, usually 1 / sqrt(head_dim)
  int64_t window = 0;      // sliding window in positions; 0: all before (causal only)
  float softcap = 0.0f;    // scores become softcap * tanh(score / softcap); 0: none
  Mask mask = Mask::causal;
};

// Which experts a row goes to (softmax routers: mixtral, qwen3_moe).
struct RouteShape {
  int64_t expert_count = 0;
  int64_t chosen = 0;        // experts a row uses, at most kMaxChosenExperts
  bool renormalise = false;  // the chosen shares are divided by their sum
};
inline constexpr int64_t kMaxChosenExperts = 32;

// A norm of rows or of heads, as rms_norm() and layer_norm() compute it; `none` copies.
struct RowNorm {
  enum class Kind : uint8_t { none, rms, layer };
  Kind kind = Kind::none;
  const float* weight = nullptr;
  const float* bias = nullptr;  // layer only; may be null
  float eps = 0.0f;
};

// From the end of one branch to the start of the next, for each of `count` rows:
//   y = branch_norm(branch);  x = sum_norm(x + branch_scale * y);  out = norm(x)
struct RowJoin {
  float* x = nullptr;       // [count, width]
  float* branch = nullptr;  // [count, width], overwritten; null: nothing is added, no sum_norm
  float branch_scale = 1.0f;
  RowNorm branch_norm = {}, sum_norm = {}, norm = {};
  int64_t count = 0, width = 0;
  Activations* out = nullptr;  // null: x is all; its values may be x
  Codes codes = Codes::none;   // that whoever reads `out` wants; the backend may make them here
};

// out = norm(activation(gate) * up), or norm(activation(gate)), for each of `count` rows; its
// values may be those of gate.
struct RowGate {
  Activation activation = Activation::silu;
  const float* gate = nullptr;  // [count, width]
  const float* up = nullptr;    // [count, width], or null
  int64_t count = 0, width = 0;
  RowNorm norm = {};
  Activations* out = nullptr;
  Codes codes = Codes::none;  // as RowJoin::codes
};

// What happens to the heads of a row, queries or keys, before attention: the norm, then the angles.
struct HeadTurn {
  float* x = nullptr;  // [rows, head_count * head_dim]
  int64_t head_count = 0, head_dim = 0;
  RowNorm norm = {};
  int64_t norm_width = 0;           // head_dim, or all heads together
  bool own_weights = false;         // each head has its own part of the norm's weight
  const RopeTable* rope = nullptr;  // null: no angles
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string description() const = 0;  // "cpu avx512-vnni, 2 threads"

  // Packing (cold; may throw Error).
  virtual std::unique_ptr<Linear> pack(const LinearSource& source) = 0;
  virtual std::unique_ptr<KvStore> make_kv_store(const KvShape& shape) = 0;

  // out[i] = row ids[i] of `table` [vocab, width] decoded.
  virtual void embed(const TensorView& table, std::span<const int32_t> ids, float* out) = 0;
  // RMSNorm of `count` rows: x * (1 / sqrt(mean(x^2) + eps)) * weight. In place allowed.
  virtual void rms_norm(const float* in, const float* weight, float eps, int64_t count,
                        int64_t width, float* out) = 0;
  // LayerNorm of `count` rows: (x - mean) * (1 / sqrt(variance + eps)) * weight + bias, the
  // variance of the centred values divided by `width`; `weight` and `bias` may be null. In place
  // allowed.
  virtual void layer_norm(const float* in, const float* weight, const float* bias, float eps,
                          int64_t count, int64_t width, float* out) = 0;
  // Several linear layers of the same activations in one region.
  virtual void linears(std::span<const LinearCall> calls, Activations& in) = 0;
  void linear(const Linear& weights, Activations& in, float* out, int64_t out_stride) {
    const LinearCall call = {&weights, out, out_stride};
    linears({&call, 1}, in);
  }
  // Cold, may throw Error; unlike pack() it may run beside whatever else the backend does.
  virtual std::unique_ptr<LowRank> pack_low_rank(const LowRankSource& source) = 0;
  // out[row] += factor * B (A in[row]) for the rows of each call, from in.values whatever codes
  // there are. `inner` has room for a rank for each row of each call.
  virtual void add_low_rank(std::span<const LowRankCall> calls, const Activations& in,
                            float* inner) = 0;
  // The output layer. A logit that a row's cut needs has the bits that linear(), scale() and
  // softcap() give; what it does not need may be -infinity instead. Here all logits are computed.
  virtual void head(const HeadCall& call, Activations& in);
  virtual HeadCounts head_counts() const { return {}; }
  // Rotates `head_count` heads of `head_dim` in each row of x (row stride in floats), in place.
  virtual void rope(const RopeTable& table, std::span<const RowPlace> rows, int64_t head_count,
                    int64_t head_dim, float* x, int64_t stride) = 0;
  // out = activation(gate) * up, elementwise; `up` null: activation(gate) alone.
  virtual void gate(Activation activation, const float* gate, const float* up, int64_t elements,
                    float* out) = 0;
  // x += y
  virtual void add(float* x, const float* y, int64_t elements) = 0;
  // x += factor * y
  virtual void add_scaled(float* x, const float* y, float factor, int64_t elements) = 0;
  // x *= factor
  virtual void scale(float* x, float factor, int64_t elements) = 0;
  // x = cap * tanh(x / cap)
  virtual void softcap(float* x, float cap, int64_t elements) = 0;
  // Softmax of each row of `logits` [count, expert_count] over all experts, then those of the
  // `chosen` largest logits (ties: the lower expert): experts and shares [count, chosen], largest
  // first.
  virtual void route(const RouteShape& shape, const float* logits, int64_t count, int32_t* experts,
                     float* shares) = 0;
  // Normalised Sylvester Walsh-Hadamard transform of every consecutive `block` (a power of two)
  // elements of each row, in natural order: out = H (signs * in), H[i][j] = (-1)^popcount(i & j) /
  // sqrt(block); `signs` [width] of +-1, or null. `inverse`: out = signs * (H in). In place
  // allowed. (PrismML's prism.hadamard contract, version 1.)
  virtual void hadamard(const float* in, const float* signs, int64_t block, bool inverse,
                        int64_t count, int64_t width, float* out) = 0;
  // Several of the operations above in one region, with their results bit for bit; written with
  // them here, for devices that have no faster way. `out` of the first two is written().
  virtual void join_rows(const RowJoin& rows);
  virtual void gate_rows(const RowGate& rows);
  virtual void turn_heads(std::span<const RowPlace> rows, std::span<const HeadTurn> parts);
  // rms_norm or layer_norm; a copy where the norm is none.
  void normalise(const RowNorm& norm, const float* in, int64_t count, int64_t width, float* out);

  // Stores the rows' keys and values [count, kv_head_count * head_dim] at their places.
  virtual void store_kv(KvStore& store, int64_t layer, std::span<const RowPlace> rows,
                        const float* keys, const float* values) = 0;
  // Row i of out [count, head_count * head_dim] over the positions of its own sequence that it
  // sees: causal [max(0, position - window + 1), position], bidirectional [0, length).
  virtual void attend(const KvStore& store, const AttendShape& shape,
                      std::span<const RowPlace> rows, const float* queries, float* out) = 0;
};

}  // namespace bittern::backend
