// Operations that stand for several, against those one after the other (Backend's own versions):
// equal bits on every table and thread count, for one row and for many, with the codes that the
// linear layers would have made.
#include <algorithm>

#include "backend/backend_support.h"

namespace bittern::test {
namespace {

using backend::Activations;
using backend::Codes;
using backend::RowNorm;

std::vector<float> copy_of(const float* values, int64_t count) { return {values, values + count}; }

// A linear layer that wants codes of this kind; null for none.
std::unique_ptr<backend::Linear> reader_of(Machine& machine, Codes codes, int64_t width) {
  if (codes == Codes::none) return nullptr;
  random::Sequence draw(5);
  const bool ternary = codes == Codes::row;
  const codec::Id plain = codes == Codes::bf16 ? codec::Id::bf16 : codec::Id::q8_0;
  const OwnedTensor tensor(ternary ? codec::Id::tq2_0 : plain, 3, width,
                           random_values(draw, 3 * width, 1.0f));
  backend::LinearSource source;
  source.weight = &tensor.view();
  source.ternary = ternary;
  auto linear = machine.backend->pack(source);
  EXPECT_EQ(linear->wants, codes);
  return linear;
}

// `made` holds the codes already, `plain` the same values alone: the codes of both are equal once a
// linear layer has read them.
void expect_codes(Machine& machine, Codes codes, Activations& made, Activations& plain) {
  EXPECT_EQ(made.quantised, codes == Codes::row);
  EXPECT_EQ(made.block_quantised, codes == Codes::block);
  EXPECT_EQ(made.rounded, codes == Codes::bf16);
  EXPECT_FALSE(plain.quantised || plain.block_quantised || plain.rounded);
  if (codes == Codes::none) return;
  const auto reader = reader_of(machine, codes, made.width);
  std::vector<float> out(static_cast<size_t>(made.count * 3));
  machine.backend->linear(*reader, plain, out.data(), 3);
  const bool by_row = codes == Codes::row;
  const int64_t blocks = made.count * backend::code_blocks(made.width);
  int64_t bytes =
      by_row ? made.count * backend::padded_width(made.width) : blocks * backend::kCodeBlock;
  if (codes == Codes::bf16) bytes *= 2;
  EXPECT_TRUE(std::equal(made.codes, made.codes + bytes, plain.codes));
  if (codes == Codes::bf16) return;
  if (by_row) {
    EXPECT_TRUE(same_bits(copy_of(made.inverse_scales, made.count),
                          copy_of(plain.inverse_scales, made.count)));
    EXPECT_TRUE(std::equal(made.sums, made.sums + made.count, plain.sums));
  } else {
    EXPECT_TRUE(same_bits(copy_of(made.block_scales, blocks * backend::kCodeBlockRuns),
                          copy_of(plain.block_scales, blocks * backend::kCodeBlockRuns)));
    EXPECT_TRUE(same_bits(copy_of(made.block_scaled_sums, blocks * backend::kCodeBlockSums),
                          copy_of(plain.block_scaled_sums, blocks * backend::kCodeBlockSums)));
    EXPECT_TRUE(std::equal(made.block_sums, made.block_sums + blocks * backend::kCodeBlockSums,
                           plain.block_sums));
  }
}

struct JoinCase {
  bool branch = true;
  float scale = 1.0f;
  RowNorm::Kind branch_norm = RowNorm::Kind::none;
  RowNorm::Kind sum_norm = RowNorm::Kind::none;
  RowNorm::Kind norm = RowNorm::Kind::rms;
  bool out = true;
  Codes codes = Codes::none;
};

constexpr auto kNone = RowNorm::Kind::none, kRms = RowNorm::Kind::rms,
               kLayer = RowNorm::Kind::layer;
constexpr JoinCase kJoinCases[] = {
    {},
    {.norm = kNone},
    {.scale = 0.22f, .norm = kLayer},
    {.branch_norm = kRms, .codes = Codes::row},
    {.branch_norm = kLayer, .norm = kRms, .codes = Codes::block},
    {.sum_norm = kLayer, .norm = kNone},
    {.scale = 0.5f, .sum_norm = kRms, .norm = kNone, .codes = Codes::row},
    {.out = false},
    {.branch = false, .codes = Codes::row},
    {.branch = false, .codes = Codes::block},
    {.branch = false, .codes = Codes::bf16},
    {.branch = false, .norm = kNone, .codes = Codes::block},
};

// One side of a comparison: its own copy of everything that is written.
struct JoinSide {
  JoinSide(const JoinCase& what, const std::vector<float>& x_in,
           const std::vector<float>& branch_in, int64_t count, int64_t width)
      : x(x_in), branch(branch_in), out(count, width, std::vector<float>(x_in.size())) {
    rows = {.x = x.data(),
            .branch = what.branch ? branch.data() : nullptr,
            .branch_scale = what.scale,
            .count = count,
            .width = width,
            .out = what.out ? &out.in : nullptr,
            .codes = what.codes};
  }
  std::vector<float> x, branch;
  OwnedActivations out;
  backend::RowJoin rows;
};

TEST(JoinedRows, AJoinIsItsPartsInOrder) {
  random::Sequence draw(71);
  for (const int64_t width : {256, 512}) {
    const std::vector<float> weight = random_values(draw, width, 1.0f);
    const std::vector<float> bias = random_values(draw, width, 1.0f);
    const auto norm_of = [&](RowNorm::Kind kind) {
      return RowNorm{kind, weight.data(), kind == kLayer ? bias.data() : nullptr, 1e-5f};
    };
    for (const int64_t count : {1, 2, 7}) {
      const std::vector<float> x = random_values(draw, count * width, 3.0f);
      const std::vector<float> branch = random_values(draw, count * width, 2.0f);
      for (const JoinCase& what : kJoinCases) {
        SCOPED_TRACE(testing::Message() << "seed 71, case " << &what - kJoinCases << ", " << count
                                        << " rows of " << width);
        on_every_machine([&](Machine& machine) {
          JoinSide joined(what, x, branch, count, width), apart(what, x, branch, count, width);
          for (backend::RowJoin* rows : {&joined.rows, &apart.rows}) {
            rows->branch_norm = norm_of(what.branch_norm);
            rows->sum_norm = norm_of(what.sum_norm);
            rows->norm = norm_of(what.norm);
          }
          machine.backend->join_rows(joined.rows);
          machine.backend->Backend::join_rows(apart.rows);
          ASSERT_TRUE(same_bits(joined.x, apart.x));
          if (!what.out) return;
          Activations &made = joined.out.in, &plain = apart.out.in;
          ASSERT_EQ(made.count, count);
          ASSERT_EQ(made.width, width);
          ASSERT_TRUE(
              same_bits(copy_of(made.values, count * width), copy_of(plain.values, count * width)));
          ASSERT_NO_FATAL_FAILURE(expect_codes(machine, what.codes, made, plain));
        });
      }
    }
  }
}

TEST(JoinedRows, ANormInPlaceMakesTheCodesOfItsResult) {
  random::Sequence draw(72);
  const int64_t width = 256, count = 3;
  const std::vector<float> weight = random_values(draw, width, 1.0f);
  const std::vector<float> x = random_values(draw, count * width, 3.0f);
  on_every_machine([&](Machine& machine) {
    OwnedActivations joined(count, width, x), apart(count, width, x);
    const auto rows_of = [&](Activations& in) {
      return backend::RowJoin{.x = in.values,
                              .norm = {RowNorm::Kind::rms, weight.data(), nullptr, 1e-6f},
                              .count = count,
                              .width = width,
                              .out = &in,
                              .codes = Codes::row};
    };
    machine.backend->join_rows(rows_of(joined.in));
    machine.backend->Backend::join_rows(rows_of(apart.in));
    ASSERT_TRUE(same_bits(copy_of(joined.in.values, count * width),
                          copy_of(apart.in.values, count * width)));
    ASSERT_NO_FATAL_FAILURE(expect_codes(machine, Codes::row, joined.in, apart.in));
  });
}

TEST(JoinedRows, AGateIsItsPartsInOrder) {
  random::Sequence draw(73);
  const int64_t width = 512;
  const std::vector<float> weight = random_values(draw, width, 1.0f);
  for (const int64_t count : {1, 2, 7}) {
    const std::vector<float> gate = random_values(draw, count * width, 4.0f);
    const std::vector<float> up = random_values(draw, count * width, 2.0f);
    for (const bool gated : {true, false}) {
      for (const auto kind : {kNone, kRms}) {
        for (const Codes codes : {Codes::none, Codes::row, Codes::block}) {
          SCOPED_TRACE(testing::Message() << "seed 73, " << count << " rows, gated " << gated);
          const auto activation =
              gated ? backend::Activation::silu : backend::Activation::gelu_tanh;
          on_every_machine([&](Machine& machine) {
            const std::vector<float> nothing(gate.size());
            OwnedActivations joined(count, width, nothing), apart(count, width, nothing);
            backend::RowGate rows{.activation = activation,
                                  .gate = gate.data(),
                                  .up = gated ? up.data() : nullptr,
                                  .count = count,
                                  .width = width,
                                  .norm = {kind, weight.data(), nullptr, 1e-5f},
                                  .out = &joined.in,
                                  .codes = codes};
            machine.backend->gate_rows(rows);
            rows.out = &apart.in;
            machine.backend->Backend::gate_rows(rows);
            ASSERT_TRUE(same_bits(copy_of(joined.in.values, count * width),
                                  copy_of(apart.in.values, count * width)));
            ASSERT_NO_FATAL_FAILURE(expect_codes(machine, codes, joined.in, apart.in));
          });
        }
      }
    }
  }
}

struct TurnCase {
  RowNorm::Kind norm = RowNorm::Kind::rms;
  bool whole_row = false;    // one norm over all heads
  bool own_weights = false;  // each head has weights of its own
  bool rope = true;
};
constexpr TurnCase kTurnCases[] = {
    {},
    {.norm = kNone},
    {.rope = false},
    {.norm = kLayer, .own_weights = true},
    {.own_weights = true},
    {.norm = kRms, .whole_row = true},
    {.norm = kNone, .rope = false},
};

TEST(JoinedRows, TurningHeadsIsItsPartsInOrder) {
  random::Sequence draw(74);
  const int64_t head_dim = 40, query_heads = 6, key_heads = 2, positions = 9;
  backend::RopeTable table{.pairing = backend::RopePairing::interleaved,
                           .dim = 36,
                           .positions = positions,
                           .cosine = random_values(draw, positions * 18, 1.0f),
                           .sine = random_values(draw, positions * 18, 1.0f)};
  const std::vector<float> weight = random_values(draw, query_heads * head_dim, 1.0f);
  const std::vector<backend::RowPlace> all = {{nullptr, 8}, {nullptr, 0}, {nullptr, 3}};
  for (const TurnCase& what : kTurnCases) {
    for (const size_t count : {1, 3}) {
      SCOPED_TRACE(testing::Message() << "seed 74, case " << &what - kTurnCases);
      const std::span<const backend::RowPlace> rows = std::span(all).first(count);
      const auto size = static_cast<int64_t>(count) * head_dim;
      const std::vector<float> queries = random_values(draw, size * query_heads, 2.0f);
      const std::vector<float> keys = random_values(draw, size * key_heads, 2.0f);
      const auto part = [&](std::vector<float>& x, int64_t heads) {
        return backend::HeadTurn{.x = x.data(),
                                 .head_count = heads,
                                 .head_dim = head_dim,
                                 .norm = {what.norm, weight.data(), nullptr, 1e-5f},
                                 .norm_width = what.whole_row ? heads * head_dim : head_dim,
                                 .own_weights = what.own_weights,
                                 .rope = what.rope ? &table : nullptr};
      };
      for (const auto pairing : {backend::RopePairing::half, backend::RopePairing::interleaved}) {
        table.pairing = pairing;
        on_every_machine([&](Machine& machine) {
          std::vector<float> q = queries, k = keys, q_apart = queries, k_apart = keys;
          const backend::HeadTurn joined[] = {part(q, query_heads), part(k, key_heads)};
          const backend::HeadTurn apart[] = {part(q_apart, query_heads), part(k_apart, key_heads)};
          machine.backend->turn_heads(rows, joined);
          machine.backend->Backend::turn_heads(rows, apart);
          ASSERT_TRUE(same_bits(q, q_apart));
          ASSERT_TRUE(same_bits(k, k_apart));
        });
      }
    }
  }
}

}  // namespace
}  // namespace bittern::test
