// The encoders that tests make weights of IQ1, IQ2 and IQ3 with: what they write decodes to about
// what they were given.
#include "codec/iq_encoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace bittern::test {
namespace {

TEST(IqEncoder, DecodesToAboutTheValues) {
  struct Bound {
    codec::Id id;
    double error;  // root mean square, of the values'
  };
  constexpr Bound kBounds[] = {{codec::Id::iq3_xxs, 0.25}, {codec::Id::iq3_s, 0.22},
                               {codec::Id::iq2_xxs, 0.45}, {codec::Id::iq2_xs, 0.42},
                               {codec::Id::iq2_s, 0.40},   {codec::Id::iq1_s, 0.62},
                               {codec::Id::iq1_m, 0.62},   {codec::Id::q4_0, 0.12}};
  random::Sequence draw(31);
  std::vector<float> values(16 * 512), decoded(values.size());
  for (float& value : values) {
    double sum = -6.0;  // about normal
    for (int twelve = 0; twelve < 12; ++twelve) sum += draw.uniform();
    value = static_cast<float>(sum) * 0.02f;
  }
  for (const Bound& bound : kBounds) {
    const std::vector<std::byte> bytes = encode_any(bound.id, values.data(), 16, 512);
    codec::get(bound.id).decode(bytes.data(), 16, 512, 0, 16, decoded.data());
    double squares = 0.0, errors = 0.0;
    for (size_t i = 0; i < values.size(); ++i) {
      squares += double{values[i]} * values[i];
      errors += (double{decoded[i]} - values[i]) * (double{decoded[i]} - values[i]);
    }
    EXPECT_LT(std::sqrt(errors / squares), bound.error) << "seed 31: " << codec::get(bound.id).name;
    EXPECT_GT(std::sqrt(errors / squares), 0.01) << codec::get(bound.id).name;
  }
}

}  // namespace
}  // namespace bittern::test
