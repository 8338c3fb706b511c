// Strips of packed weights: from the cache, or made of the tensor by all threads while it is read.
//
// A tensor is packed a step of some MiB at a time. What lies ahead in the file, of this tensor and
// those that follow, is read from the disk meanwhile; after a step the pages that were read are
// given back, so that source and packed form are never in memory together.

#include <algorithm>

#include "backend/cpu/device.h"
#include "backend/cpu/pack_cache.h"
#include "base/file_map.h"
#include "base/memory.h"

namespace bittern::backend {
namespace {

// Of the source, packed in a step. So much of a mapped tensor is resident beside its packed form.
constexpr int64_t kStepBytes = int64_t{16} << 20;
// Read from the disk meanwhile.
constexpr size_t kAheadBytes = size_t{64} << 20;
constexpr int64_t kChunkBytes = int64_t{64} << 20;

// The bytes of rows [first, first + count) of the result, where they lie one after another in a
// mapped file; else none.
Bytes rows_in_file(const LinearSource& source, int64_t first, int64_t count) {
  const TensorView& weight = *source.weight;
  const bool in_order = source.row_order.empty() && codec::get(weight.codec).block_bytes > 0;
  if (source.file == nullptr || !in_order) return {};
  const auto row_bytes = static_cast<int64_t>(weight.bytes.size()) / weight.rows();
  return weight.bytes.subspan(static_cast<size_t>(first * row_bytes),
                              static_cast<size_t>(count * row_bytes));
}

// `part`, which is not empty, and what follows it in the file.
Bytes ahead_of(Bytes part, Bytes file) {
  const auto first = static_cast<size_t>(part.data() - file.data());
  return file.subspan(first, std::min(kAheadBytes, file.size() - first));
}

}  // namespace

bool CpuBackend::find_strips(const LinearSource& source, int64_t strip_bytes, CpuLinear& linear) {
  if (options_.cache == nullptr) return false;
  linear.strips = options_.cache->find({.weight = source.weight,
                                        .row_order = source.row_order,
                                        .layout = linear.layout,
                                        .bytes = strip_count(linear.out_size) * strip_bytes},
                                       pool_, linear.scale);
  linear.resident_bytes = linear.strips.bytes();
  return linear.strips.bytes() > 0;
}

PackArena::Part CpuBackend::pack_strips(const LinearSource& source, int64_t strip_bytes,
                                        const CpuLinear& linear, const PackStrip& pack) {
  constexpr int64_t kRows = kernel::kStripRows;
  const int64_t strips = strip_count(linear.out_size);
  PackArena::Part part = arena_.take(strips * strip_bytes);
  const auto rows = [&](int64_t first, int64_t count) {
    const int64_t row = std::min(first * kRows, linear.out_size);
    return rows_in_file(source, row, std::min(count * kRows, linear.out_size - row));
  };
  const int64_t source_bytes = static_cast<int64_t>(source.weight->bytes.size()) / strips + 1;
  const int64_t step = std::max<int64_t>(kStepBytes / source_bytes, 4 * pool_.thread_count());
  const auto read_ahead = [&](Bytes from) {
    if (source.file == nullptr || from.empty()) return;
    read_ahead_.want(*source.file, ahead_of(from, source.file->bytes()));
  };
  read_ahead(source.weight->bytes);
  for (int64_t first = 0; first < strips; first += step) {
    const int64_t count = std::min(step, strips - first);
    read_ahead(rows(first, count));
    pool_.run(count, [&](int64_t task, int worker) {
      pack(first + task, worker, part.data + (first + task) * strip_bytes);
    });
    FileMap::release(rows(first, count));
  }
  if (source.file != nullptr) FileMap::release(source.weight->bytes);
  return part;
}

void CpuBackend::keep_strips(const LinearSource& source, PackArena::Part part, CpuLinear& linear) {
  linear.strips = std::move(part.packed);
  linear.resident_bytes = linear.strips.bytes();
  if (options_.cache == nullptr) return;
  options_.cache->keep({.weight = source.weight,
                        .row_order = source.row_order,
                        .layout = linear.layout,
                        .bytes = linear.strips.bytes()},
                       linear.strips, linear.scale);
}

void CpuBackend::make_strips(const LinearSource& source, int64_t strip_bytes, CpuLinear& linear,
                             const PackStrip& pack) {
  keep_strips(source, pack_strips(source, strip_bytes, linear, pack), linear);
}

PackArena::Part PackArena::take(int64_t bytes) {
  const int64_t first = (used_ + kPackAlignment - 1) / kPackAlignment * kPackAlignment;
  if (chunk_ == nullptr || first + bytes > chunk_->bytes()) {
    check_available(bytes, "packed weights");
    // A chunk need not be there as a whole: its pages are taken as they are written.
    const int64_t room = std::min(kChunkBytes, memory::available_bytes());
    chunk_ = std::make_shared<const Region>(std::max(bytes, room), "packed weights");
    used_ = 0;
    return take(bytes);
  }
  used_ = first + bytes;
  std::byte* data = chunk_->data() + first;
  return {reinterpret_cast<uint8_t*>(data), Packed({data, static_cast<size_t>(bytes)}, chunk_)};
}

void PackArena::give_back(Part part) { used_ -= part.packed.bytes(); }

}  // namespace bittern::backend
