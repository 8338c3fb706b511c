// The inputs of the checks, and what is equal.
#include <cmath>
#include <limits>

#include "kernel/entry_checks.h"

namespace bittern::kernel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> all(int64_t count, float value) {
  return std::vector<float>(static_cast<size_t>(count), value);
}

// Random, but for one value in a place that moves with the draw.
std::vector<float> one_of(random::Sequence& draw, int64_t count, float value) {
  std::vector<float> values = random_floats(draw, count, 2.0f);
  if (count > 0) values[draw.below(static_cast<uint64_t>(count))] = value;
  return values;
}

constexpr Fill kFills[] = {
    {"random",
     [](random::Sequence& draw, int64_t count) { return random_floats(draw, count, 3.0f); }},
    {"zeros", [](random::Sequence&, int64_t count) { return all(count, 0.0f); }},
    {"negative zeros", [](random::Sequence&, int64_t count) { return all(count, -0.0f); }},
    {"ones", [](random::Sequence&, int64_t count) { return all(count, 1.0f); }},
    {"minus 127", [](random::Sequence&, int64_t count) { return all(count, -127.0f); }},
    {"denormals",
     [](random::Sequence& draw, int64_t count) { return random_floats(draw, count, 1e-39f); }},
    {"edge of denormals",
     [](random::Sequence& draw, int64_t count) { return random_floats(draw, count, 4e-38f); }},
    {"one huge", [](random::Sequence& draw, int64_t count) { return one_of(draw, count, -1e30f); }},
    {"overflow",
     [](random::Sequence& draw, int64_t count) { return random_floats(draw, count, 3e38f); }},
    {"one infinity",
     [](random::Sequence& draw, int64_t count) { return one_of(draw, count, kInfinity); }},
    {"one negative infinity",
     [](random::Sequence& draw, int64_t count) { return one_of(draw, count, -kInfinity); }},
    {"one NaN", [](random::Sequence& draw, int64_t count) { return one_of(draw, count, kNan); }},
    {"NaNs", [](random::Sequence&, int64_t count) { return all(count, -kNan); }},
    {"halves",  // ties of every rounding to integers
     [](random::Sequence& draw, int64_t count) {
       std::vector<float> values = all(count, 127.0f);
       for (size_t i = 1; i < values.size(); ++i)
         values[i] = static_cast<float>(static_cast<int>(draw.below(508)) - 254) / 2;
       return values;
     }},
    {"any bits",
     [](random::Sequence& draw, int64_t count) {
       std::vector<float> values = all(count, 0.0f);
       for (float& value : values) {
         const auto bits = static_cast<uint32_t>(draw.bits());
         std::memcpy(&value, &bits, sizeof(value));
       }
       return values;
     }},
};

}  // namespace

std::span<const Fill> fills() { return kFills; }

std::vector<int8_t> codes_of(random::Sequence& draw, int64_t count, int fill) {
  std::vector<int8_t> codes(static_cast<size_t>(count));
  for (int8_t& code : codes) {
    if (fill == kRandom) {
      code = static_cast<int8_t>(static_cast<int>(draw.below(255)) - 127);
    } else {
      code = static_cast<int8_t>(fill == kOneHuge ? 0 : fill);
    }
  }
  if (fill == kOneHuge && count > 0) codes[draw.below(static_cast<uint64_t>(count))] = 127;
  return codes;
}

testing::AssertionResult same_numbers(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " vs " << b.size();
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
      return testing::AssertionFailure() << "element " << i << ": " << a[i] << " vs " << b[i];
  }
  return testing::AssertionSuccess();
}

}  // namespace bittern::kernel
