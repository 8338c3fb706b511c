#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "base/check.h"
#include "engine/fake_model.h"

namespace bittern::engine {
namespace {

constexpr int32_t kNothing = -1;

uint64_t extend(uint64_t hash, int32_t token) {
  hash = (hash ^ static_cast<uint32_t>(token + 1)) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

// A token's keys and values, which differ with the adapters that made them.
int32_t kept(int32_t token, const model::AdapterSet* adapters) {
  if (adapters == nullptr || adapters->empty()) return token;
  constexpr int32_t kTokens = 1 << 16;
  const size_t hash = std::hash<std::string>()(adapters->identity());
  return token + kTokens * static_cast<int32_t>(1 + hash % 10007);
}

}  // namespace

FakeModel::FakeModel(const StepLimits& limits)
    : limits_(limits),
      held_(static_cast<size_t>(limits.page_count * backend::kPageTokens), kNothing),
      logits_(static_cast<size_t>(limits.max_logit_rows * limits.vocab_size)) {}

const float* FakeModel::run(std::span<const model::BatchRow> rows,
                            std::span<const backend::HeadCut> cuts) {
  BITTERN_CHECK(std::ssize(rows) <= limits_.max_rows, "{} rows", rows.size());
  if (observe) observe(rows);
  now += step_seconds + row_seconds * static_cast<double>(rows.size());
  float* logits = logits_.data();
  for (const model::BatchRow& row : rows) {
    const auto place = [&](int64_t position) -> int32_t& {
      const int32_t page =
          row.sequence->pages.at(static_cast<size_t>(position / backend::kPageTokens));
      return held_.at(
          static_cast<size_t>(page * backend::kPageTokens + position % backend::kPageTokens));
    };
    place(row.position) = kept(row.token, row.adapters);
    row.sequence->length = std::max<int64_t>(row.sequence->length, row.position + 1);
    if (!row.wants_logits) continue;
    BITTERN_CHECK(logits + limits_.vocab_size <= logits_.data() + logits_.size(), "{} rows",
                  rows.size());
    uint64_t hash = 0;
    for (int64_t position = 0; position <= row.position; ++position)
      hash = extend(hash, place(position));
    fill_logits(hash, logits);
    if (!cuts.empty()) {
      leave_out(cuts.front(), logits);
      cuts = cuts.subspan(1);
    }
    logits += limits_.vocab_size;
  }
  return logits_.data();
}

void FakeModel::copy_page(int32_t from, int32_t to) {
  std::copy_n(held_.begin() + from * backend::kPageTokens, backend::kPageTokens,
              held_.begin() + to * backend::kPageTokens);
}

void FakeModel::export_page(int32_t page, std::byte* out) const {
  std::memcpy(out, held_.data() + page * backend::kPageTokens, backend::kPageTokens * 4);
}

void FakeModel::import_page(int32_t page, const std::byte* in) {
  std::memcpy(held_.data() + page * backend::kPageTokens, in, backend::kPageTokens * 4);
}

void FakeModel::leave_out(const backend::HeadCut& cut, float* logits) const {
  if (cut.top == 0) return;
  const std::vector<float> whole(logits, logits + limits_.vocab_size);
  std::vector<float> others;
  std::vector<bool> is_kept(whole.size());
  for (const int32_t token : cut.always) is_kept[static_cast<size_t>(token)] = true;
  for (int64_t token = 0; token < cut.outputs; ++token)
    if (!is_kept[static_cast<size_t>(token)]) others.push_back(whole[static_cast<size_t>(token)]);
  std::ranges::sort(others, std::ranges::greater{});
  const auto last = static_cast<size_t>(cut.top - 1);
  const float least = last < others.size() ? others[last] : -INFINITY;
  for (size_t token = 0; token < whole.size(); ++token)
    if (!is_kept[token] && whole[token] < least) logits[token] = -INFINITY;
}

// One token is far likelier than the rest, which differ.
void FakeModel::fill_logits(uint64_t hash, float* logits) const {
  for (int64_t token = 0; token < limits_.vocab_size; ++token)
    logits[token] = static_cast<float>((hash >> (token % 40) & 15)) * 0.25f;
  logits[hash % static_cast<uint64_t>(limits_.vocab_size)] += 2.0f;
}

void FakeModel::logits_after(std::span<const int32_t> tokens, float* logits,
                             const model::AdapterSet* adapters) const {
  uint64_t hash = 0;
  for (const int32_t token : tokens) hash = extend(hash, kept(token, adapters));
  fill_logits(hash, logits);
}

}  // namespace bittern::engine
