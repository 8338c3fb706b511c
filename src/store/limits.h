// Bounds of everything that a server decides: how long, how much, how often.
#pragma once

#include <cstdint>

namespace bittern::model_store {

inline constexpr int64_t kConnectSeconds = 20;
// A transfer that moves no byte for so long is cut and taken up again.
inline constexpr int64_t kStallSeconds = 30;
inline constexpr int kRedirectsMax = 10;
// Failures in a row, without a byte between them, before a transfer gives up.
inline constexpr int kTriesMax = 6;
inline constexpr double kFirstWaitSeconds = 1.0;
inline constexpr double kWaitSecondsMax = 60.0;
// A server that asks for a longer pause than this is an error, not a pause.
inline constexpr double kRetryAfterSecondsMax = 300.0;

// Answers that are read whole: listings of a repository, pages of an index.
inline constexpr int64_t kListingBytesMax = int64_t{64} << 20;
inline constexpr int kListingPagesMax = 200;
inline constexpr int64_t kErrorBodyBytesMax = int64_t{64} << 10;

// Left free on the disk beside what a pull needs.
inline constexpr int64_t kDiskReserveBytes = int64_t{64} << 20;
// Between two notes of how far a transfer is (the file is synced before each).
inline constexpr int64_t kNoteEveryBytes = int64_t{64} << 20;

// The header of a remote file that `show` fetches: in growing steps, then no more.
inline constexpr int64_t kHeaderFirstBytes = int64_t{1} << 20;
inline constexpr int64_t kHeaderBytesMax = int64_t{256} << 20;

inline constexpr int64_t kManifestBytesMax = int64_t{4} << 20;
inline constexpr size_t kNameBytesMax = 100;
inline constexpr size_t kPathBytesMax = 400;

}  // namespace bittern::model_store
