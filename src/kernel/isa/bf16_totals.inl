// Totals in scratch, [rows, strips, 16], to results. Not inlined, so that no operation moves to
// where another mode of MXCSR holds.

constexpr int64_t kTotals = kBf16Strips * kLanes;  // floats of scratch a row

[[gnu::noinline]] void write_totals(const Bf16Dots& job) {
  for (int64_t row = 0; row < job.rows; ++row) {
    const float* totals = job.scratch + row * kTotals;
    float* out = job.out + row * job.stride;
    for (int64_t n = 0; n < job.outputs; n += kLanes) {
      const int64_t count = job.outputs - n;
      Lanes sums = load(totals + n);
      if (count >= kLanes) {
        if (job.bias != nullptr) sums = sums + load(job.bias + n);
        store(out + n, sums);
      } else {
        if (job.bias != nullptr) sums = sums + load_first(job.bias + n, count);
        store_first(out + n, sums, count);
      }
    }
  }
}
