// What adapters add to the linear layers of a step. Rows are put together by what they use: first
// those whose first adapter is the same, with the same scale, then by their second, and so on, so
// that a row adds its own in its own order whatever stands beside it.
#include "base/check.h"
#include "model/adapter.h"
#include "model/step.h"

namespace bittern::model {
namespace {

// The adapter at place `slot` of a row's set; null where it has fewer.
const AdapterSet::Entry* entry_at(const BatchRow& row, size_t slot) {
  if (row.adapters == nullptr || slot >= row.adapters->entries().size()) return nullptr;
  return &row.adapters->entries()[slot];
}

bool are_same(const AdapterSet::Entry& a, const AdapterSet::Entry& b) {
  return a.adapter == b.adapter && a.scale == b.scale;
}

}  // namespace

void Step::group_by_adapter() {
  buffers_.groups.clear();
  buffers_.group_rows.clear();
  for (size_t slot = 0; slot < AdapterSet::kMost; ++slot) {
    const size_t first_group = buffers_.groups.size();
    const size_t first_row = buffers_.group_rows.size();
    for (size_t index = 0; index < rows_.size(); ++index) {
      const AdapterSet::Entry* entry = entry_at(rows_[index], slot);
      if (entry == nullptr) continue;
      BITTERN_CHECK(entry->adapter->model == &model_, "an adapter of another model");
      bool is_known = false;
      for (size_t group = first_group; group < buffers_.groups.size() && !is_known; ++group)
        is_known = are_same(*buffers_.groups[group].entry, *entry);
      if (is_known) continue;
      const size_t begin = buffers_.group_rows.size();
      for (size_t other = index; other < rows_.size(); ++other) {
        const AdapterSet::Entry* same = entry_at(rows_[other], slot);
        if (same != nullptr && are_same(*entry, *same))
          buffers_.group_rows.push_back(static_cast<int32_t>(other));
      }
      buffers_.groups.push_back({entry, slot, begin, buffers_.group_rows.size() - begin});
    }
    if (buffers_.group_rows.size() == first_row) return;
  }
}

// The first adapters of all rows in one operation, then the second.
void Step::add_adapters(std::initializer_list<Product> products,
                        const backend::Activations& input) {
  std::vector<backend::LowRankCall>& calls = buffers_.adapter_calls;
  const auto run = [&] {
    if (!calls.empty()) backend_.add_low_rank(calls, input, buffers_.inner);
    calls.clear();
  };
  size_t slot = 0;
  for (const AdapterGroup& group : buffers_.groups) {
    if (group.slot != slot) run();
    slot = group.slot;
    const std::span<const int32_t> rows = buffers_.group_rows;
    for (const Product& product : products) {
      if (product.weights == nullptr) continue;
      const Adapter::Delta* delta = group.entry->adapter->find(product.weights);
      if (delta == nullptr) continue;
      calls.push_back({.weights = delta->weights.get(),
                       .rows = rows.subspan(group.first, group.count),
                       .factor = delta->scale * group.entry->scale,
                       .out = product.out,
                       .out_stride = product.weights->out_size});
    }
  }
  run();
}

}  // namespace bittern::model
