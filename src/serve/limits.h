// Bounds on what one request may ask for. Bodies are outside bytes: nothing in them decides how
// much is taken before it was held against these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::serve {

// One line of a batch file, or one body.
inline constexpr size_t kBodyBytesMax = size_t{64} << 20;
inline constexpr size_t kMessagesMax = 100'000;
// Prompts of one completion, or inputs of one embedding request (OpenAI: 2048).
inline constexpr size_t kPromptsMax = 2048;
inline constexpr int64_t kChoicesMax = 128;  // n and best_of, for one prompt
inline constexpr size_t kStopsMax = 64;      // OpenAI: 4
inline constexpr size_t kStopBytesMax = 4096;
inline constexpr int64_t kTopLogProbabilitiesMax = 20;
inline constexpr size_t kCustomIdBytesMax = 512;
inline constexpr size_t kCacheSaltBytesMax = 1024;

}  // namespace bittern::serve
