// Checks of attention: products with panels, softmax, codes of weights and the join of chunks, on
// every fill and on codes at the ends of their ranges.
#include <cmath>
#include <limits>

#include "kernel/attention.h"
#include "kernel/entry_checks.h"

namespace bittern::kernel {
namespace {

template <bool kHalves>
void attention_products(const Table& table) {
  constexpr int64_t kRows = 64, kStride = 70;
  random::Sequence draw(97);
  SCOPED_TRACE("seed 97");
  for (const Fill& fill : fills()) {
    for (const int64_t queries : {1, 2, 4, 7, 13}) {
      for (const int64_t columns : {16, 48, 64}) {
        const Guarded<float> values(fill.make(draw, kRows * columns));
        const Guarded<uint16_t> halves(values.size());
        scalar_table.encode_f16(values.data(), values.size(), halves.data());
        const Guarded<float> in(random_floats(draw, (queries - 1) * kStride + kRows, 1.0f));
        const void* rows = kHalves ? static_cast<const void*>(halves.data()) : values.data();
        const PanelPiece piece = {rows, 0, kRows, rows};
        const auto run = [&](const AttentionKernels& kernels) {
          Guarded<float> out(std::vector<float>(static_cast<size_t>(queries * columns), 0.25f));
          (kHalves ? kernels.products_f16
                   : kernels.products_f32)({in.data(), kStride, queries, &piece, 1, columns,
                                            queries % 2 == 0, out.data(), columns});
          return out.values();
        };
        ASSERT_TRUE(same_numbers(run(*table.attention), run(scalar_attention)))
            << fill.name << ", " << queries << " queries, " << columns << " columns";
      }
    }
  }
}

void key_dots(const Table& table) {
  random::Sequence draw(98);
  SCOPED_TRACE("seed 98");
  for (const int fill : kCodeFills) {
    for (const int64_t rows : {1, 31, 64}) {  // heads of up to 256 elements
      for (const int64_t queries : {1, 3, 7, 12}) {
        const Guarded<int8_t> codes(codes_of(draw, queries * rows * kKeyCodeRow, fill));
        const Guarded<int8_t> signed_keys(codes_of(draw, rows * kKeyRowBytes, fill));
        Guarded<uint8_t> keys(signed_keys.size());
        for (int64_t i = 0; i < keys.size(); ++i)
          keys[i] = static_cast<uint8_t>(signed_keys[i] + 128);
        Guarded<int32_t> sums(queries);
        for (int64_t i = 0; i < codes.size(); ++i) sums[i / (rows * kKeyCodeRow)] += codes[i];
        for (const Fill& scale : fills()) {
          const Guarded<float> scales(scale.make(draw, kPanelColumns));
          const auto run = [&](const AttentionKernels& kernels) {
            Guarded<float> out(queries * kPanelColumns);
            kernels.key_dots({codes.data(), rows * kKeyCodeRow, sums.data(), queries, keys.data(),
                              rows, keys.data(), scales.data(), out.data(), kPanelColumns});
            return out.values();
          };
          ASSERT_TRUE(same_numbers(run(*table.attention), run(scalar_attention)))
              << scale.name << ", " << rows << " rows, " << queries << " queries, codes " << fill;
        }
      }
    }
  }
}

void value_dots(const Table& table) {
  random::Sequence draw(99);
  SCOPED_TRACE("seed 99");
  for (const int fill : kCodeFills) {
    for (const int64_t columns : {16, 32, 48, 64}) {
      for (const int64_t queries : {1, 5, 8}) {
        const Guarded<int8_t> values(codes_of(draw, kAttendChunk * columns, fill));
        Guarded<int16_t> codes(queries * kAttendChunk);
        for (int64_t i = 0; i < codes.size(); ++i)
          codes[i] = static_cast<int16_t>(fill == 127 || fill == -127 ? 32767 : draw.below(32768));
        const Guarded<float> factors(random_floats(draw, queries, 1.0f));
        const PanelPiece piece = {values.data(), 0, kAttendChunk / 2, values.data()};
        const auto run = [&](const AttentionKernels& kernels) {
          Guarded<float> out(queries * columns);
          kernels.value_dots(
              {codes.data(), factors.data(), queries, &piece, 1, columns, out.data(), columns});
          return out.values();
        };
        ASSERT_TRUE(same_numbers(run(*table.attention), run(scalar_attention)))
            << columns << " columns, " << queries << " queries, codes " << fill;
      }
    }
  }
}

struct Seen {
  int64_t begin, end;
};
constexpr Seen kSeen[] = {{0, 256}, {0, 1}, {255, 256}, {3, 77}, {16, 64}};

void attention_softmax(const Table& table) {
  random::Sequence draw(100);
  SCOPED_TRACE("seed 100");
  for (const Fill& fill : fills()) {
    for (const Seen& seen : kSeen) {
      for (const float softcap : {0.0f, 30.0f}) {
        const std::vector<float> raw = fill.make(draw, kAttendChunk);
        const auto run = [&](const AttentionKernels& kernels) {
          Guarded<float> scores(raw);
          ChunkSoftmax job = {scores.data(), seen.begin, seen.end, 0.37f, softcap, 0.0f, 0.0f};
          kernels.softmax(job);
          std::vector<float> results = scores.values();
          results.insert(results.end(), {job.maximum, job.sum});
          return results;
        };
        ASSERT_TRUE(same_numbers(run(*table.attention), run(scalar_attention)))
            << fill.name << ", [" << seen.begin << ", " << seen.end << "), cap " << softcap;
      }
    }
  }
}

void value_codes(const Table& table) {
  random::Sequence draw(101);
  SCOPED_TRACE("seed 101");
  for (const Fill& fill : fills()) {
    for (const Fill& scale : fills()) {
      for (const Seen& seen : kSeen) {
        const Guarded<float> weights(fill.make(draw, kAttendChunk));
        for (int64_t i = 0; i < kAttendChunk; ++i) weights[i] = std::fabs(weights[i]);
        const Guarded<float> scales(scale.make(draw, kAttendChunk));
        for (int64_t i = 0; i < kAttendChunk; ++i) scales[i] = std::fabs(scales[i]);
        const float* pages[kChunkPanels];
        for (int64_t page = 0; page < kChunkPanels; ++page)
          pages[page] = scales.data() + page * kPanelColumns;
        const auto run = [&](const AttentionKernels& kernels) {
          Guarded<int16_t> codes(kAttendChunk);
          ValueCodes job = {weights.data(), pages, seen.begin, seen.end, codes.data(), -1.0f};
          kernels.value_codes(job);
          std::vector<float> results = {job.factor};
          for (int64_t i = 0; i < kAttendChunk; ++i) {
            EXPECT_GE(codes[i], 0) << fill.name << " * " << scale.name;
            results.push_back(codes[i]);
          }
          return results;
        };
        ASSERT_TRUE(same_numbers(run(*table.attention), run(scalar_attention)))
            << fill.name << " * " << scale.name << ", [" << seen.begin << ", " << seen.end << ")";
      }
    }
  }
}

void attention_join(const Table& table) {
  random::Sequence draw(102);
  SCOPED_TRACE("seed 102");
  const float none = -std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Fill& fill : fills()) {
    for (const float before : {none, -3.0f, 2.0f, nan}) {
      for (const float now : {none, -3.5f, 2.5f, 200.0f, nan}) {
        for (const int64_t width : {16, 64, 256}) {
          const std::vector<float> old = fill.make(draw, width);
          const Guarded<float> chunk(fill.make(draw, width));
          const auto run = [&](const AttentionKernels& kernels) {
            Guarded<float> total(old);
            AttendState state = {total.data(), before, before == none ? 0.0f : 1.25f};
            kernels.join(state, {chunk.data(), now, 2.5f}, width);
            std::vector<float> results = total.values();
            results.insert(results.end(), {state.maximum, state.sum});
            return results;
          };
          ASSERT_TRUE(same_numbers(run(*table.attention), run(scalar_attention)))
              << fill.name << ", maxima " << before << " and " << now;
        }
      }
    }
  }
}

constexpr EntryCheck kChecks[] = {
    {"AttentionKernels.products_f32", attention_products<false>},
    {"AttentionKernels.products_f16", attention_products<true>},
    {"AttentionKernels.key_dots", key_dots},
    {"AttentionKernels.value_dots", value_dots},
    {"AttentionKernels.softmax", attention_softmax},
    {"AttentionKernels.value_codes", value_codes},
    {"AttentionKernels.join", attention_join},
};

}  // namespace

std::span<const EntryCheck> attention_checks() { return kChecks; }

}  // namespace bittern::kernel
