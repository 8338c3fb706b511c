// How much memory this process holds and how much it may still take, in bytes.
#pragma once

#include <cstdint>

namespace bittern::memory {

// The most that was ever resident; 0 where the system does not say.
int64_t peak_resident_bytes();
// Begins the peak anew at what is resident now. False, and nothing changed, where the system has
// no such thing.
bool reset_peak_resident();
// Resident now, mapped file pages included; 0 where the system does not say.
int64_t resident_bytes();
// What can be taken without swapping or meeting a control group's limit; the largest int64_t
// where the system does not say.
int64_t available_bytes();

}  // namespace bittern::memory
