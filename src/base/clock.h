// Time for measuring durations; never the time of day.
#pragma once

#include <chrono>

namespace bittern {

// Seconds since an arbitrary moment; never goes back.
inline double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace bittern
