// Sweeps: strips of a job whose blocks are multiplied in turn, and what is asked for meanwhile.

// Strips of a job that are taken together.
struct Sweep {
  BlockDots job;  // its strip: the first; strips, bias and out likewise
  int64_t next;   // bytes to the first strip of the sweep after this one

  const uint8_t* block(int64_t strip, int64_t index, const Shape& shape) const {
    return job.strip + strip * job.strip_bytes + index * shape.at.bytes;
  }
};

[[gnu::always_inline]] inline Sweep sweep_of(const BlockDots& job, int64_t strip, int64_t most) {
  Sweep sweep = {strip_of(job, strip), 0};
  const int64_t left = job.strips - strip, outputs = job.outputs - strip * kBlockStripRows;
  sweep.job.strips = left < most ? left : most;
  const int64_t lanes = sweep.job.strips * kBlockStripRows;
  sweep.job.outputs = outputs < lanes ? outputs : lanes;
  sweep.next = sweep.job.strips * job.strip_bytes;
  return sweep;
}

// From blocks of a sweep's strips to what is to be asked for meanwhile.
struct Ahead {
  int64_t blocks;       // so many ahead in the strip
  int64_t bytes, next;  // that is here, and behind the strip's end in the next sweep's

  [[gnu::always_inline]] inline int64_t of(const Sweep& sweep, int64_t block) const {
    return block + blocks < sweep.job.blocks ? bytes : next;
  }
};

// `distance` bytes of a sweep, or up to a block of each strip more.
[[gnu::always_inline]] inline Ahead ahead_by(const Sweep& sweep, int64_t block_bytes,
                                             int64_t distance) {
  const int64_t of_all = sweep.job.strips * block_bytes;
  const int64_t blocks = (distance + of_all - 1) / of_all, bytes = blocks * block_bytes;
  return {blocks, bytes, bytes + sweep.next - sweep.job.blocks * block_bytes};
}

// Calls run(sweep) for all strips of a job, so many at a time.
template <typename Run>
[[gnu::always_inline]] inline void by_sweeps(const BlockDots& job, int64_t strips, const Run& run) {
  for (int64_t s = 0; s < job.strips; s += strips) run(sweep_of(job, s, strips));
}

// What tiles of packed codes ask for while they multiply: the codes of a coming block of several
// strips in turn, those of a run at a time. Memory gives more of several places than of one.
struct Expected {
  const uint8_t* at;     // the next run's, of the strip whose turn it is
  int64_t strip_bytes;   // from one strip to the next
  int64_t strips, left;  // all of them; those before the first one's next turn
  int64_t seldom;        // 2^n - 1: every 2^n runs of a tile

  template <int64_t kRunBytes>
  [[gnu::always_inline]] inline void next(int64_t run) {
    if ((run & seldom) != 0) return;
#pragma GCC unroll 8
    for (int64_t line = 0; line < kRunBytes; line += 64) prefetch_line(at + line);
    at += strip_bytes;
    if (--left > 0) return;
    left = strips;
    at += kRunBytes - strips * strip_bytes;
  }
};
